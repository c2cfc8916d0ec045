//! What operators' commands speak to, over the admin socket.

use std::sync::Arc;

use axum::Router;

use crate::node::Node;

/// The router of the admin socket.
pub fn router(node: Arc<Node>) -> Router {
    Router::new().with_state(node)
}
