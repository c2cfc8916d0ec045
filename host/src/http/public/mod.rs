//! What apps speak to: JSON under `/api/v1`, described by `GET /api/v1/openapi.json`.
//!
//! A route is described where it is written, and the description is made of the same attributes
//! that the router is made of. Every failure is a `Problem`, as JSON.

mod address;
mod authenticated;
mod body;
mod capabilities;
mod openapi;
mod problem;
mod providers;
mod sessions;
mod subscriptions;
#[cfg(test)]
mod tests;
mod token;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use bytes::Bytes;

use crate::config::Config;
use crate::push::Push;

/// Under which everything lies.
const PREFIX: &str = "/api/v1";

/// The largest body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The names of the transports that there are: `apns`, `fcm`.
pub type TransportNames = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the routes work with.
#[derive(Clone)]
pub struct PublicState {
    push: Arc<Push>,
    config: Arc<Config>,
    transports: TransportNames,
    description: Arc<OnceLock<Bytes>>,
}

impl PublicState {
    /// `transports` is asked at every subscription. It should name also those whose plugins are
    /// installed and do not run at the moment: what is subscribed outlives them.
    pub fn new(push: Arc<Push>, config: Arc<Config>, transports: TransportNames) -> Self {
        Self {
            push,
            config,
            transports,
            description: Arc::default(),
        }
    }
}

/// The routes. Requests carry the peer's address as `ConnectInfo<SocketAddr>` among their
/// extensions; whoever comes without one is throttled together with all others who do.
pub fn router(state: PublicState) -> Router {
    let (routes, description) = openapi::described().split_for_parts();
    // It is made of literals: what could not be written would not be here.
    let description = serde_json::to_vec(&description).unwrap_or_default();
    state.description.get_or_init(|| description.into());
    routes
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(problem::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(problem::log))
        .with_state(state)
}
