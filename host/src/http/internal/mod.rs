//! What mail servers speak to: plugins' routes behind Basic authentication, and monitoring.

mod basic_auth;
mod body;
mod notify;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::node::Node;

pub use basic_auth::Penalties;
pub use body::{Malformed, check_fields};

/// The router of the internal address.
pub fn router(node: Arc<Node>) -> Router {
    let metrics = node.clone();
    let ready = node.clone();
    Router::new()
        .route("/health", get(|| async { "alive\n" }))
        .route(
            "/ready",
            get(move || async move {
                if ready.is_ready() {
                    "ready\n".into_response()
                } else {
                    StatusCode::SERVICE_UNAVAILABLE.into_response()
                }
            }),
        )
        .route("/metrics", get(move || async move { exposition(&metrics) }))
        .fallback(notify::answer)
        .with_state(node)
}

fn exposition(node: &Node) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([("content-type", content_type)], node.metrics().text()).into_response()
}
