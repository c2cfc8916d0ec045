//! HTTP: what mail servers, apps and operators speak to.

pub mod admin;
pub mod internal;
mod serve;

pub use self::internal::Penalties;
pub use self::serve::{Ending, serve_tcp, serve_unix};

/// The router of the public address.
pub fn public_router(_node: &std::sync::Arc<crate::node::Node>) -> axum::Router {
    axum::Router::new()
}
