//! HTTP: what mail servers, apps and operators speak to.

pub mod admin;
pub mod internal;
mod plugin_routes;
pub mod public;
mod serve;

pub use self::internal::Penalties;
pub use self::serve::{Ending, serve_tcp, serve_unix};

/// The router of the public address.
pub fn public_router(node: &std::sync::Arc<crate::node::Node>) -> axum::Router {
    let named = node.clone();
    let transports: public::TransportNames = std::sync::Arc::new(move || named.transports());
    let state = public::PublicState::new(node.push().clone(), node.config().clone(), transports);
    let node = node.clone();
    public::router(state)
        .fallback(move |request| plugin_routes::answer_public(node.clone(), request))
}
