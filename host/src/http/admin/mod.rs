//! What operators' commands speak to: a JSON API over the admin socket.
//!
//! Whoever may open the socket may do everything; it belongs to the user that runs the host.
//! Errors are `{"error": WORD, "detail": SENTENCE}`, where the sentence is fit to be shown. No
//! answer holds a password, a key or a whole token.

mod config;
mod deliveries;
mod events;
mod health;
mod input;
mod log;
mod plugins;
mod refusal;
mod stream;
#[cfg(test)]
mod tests;
mod users;

use std::future::Future;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::routing::{delete, get, post, put};

use super::Ending;
use crate::node::Node;
use refusal::Refusal;

pub use self::config::{Explained, Set};
pub use self::deliveries::{
    Affected, DeliveryInfo, DeliveryList, ParseReferenceError, Reference, Selection,
};
pub use self::events::{NewEvent, PassingEvent, Sent};
pub use self::health::{Health, ListenerCounts, PluginCounts, Problem, QueueCount, Severity};
pub use self::log::SetLevel;
pub use self::plugins::{Install, PluginList, RefusedFile, ServiceList, Uninstalled, Update};
pub use self::refusal::ErrorBody;
pub use self::stream::Line;
pub use self::users::{
    ListenerEntry, ListenerList, NewUser, RegistrationEntry, RegistrationList, Removed,
    SubscriptionEntry, SubscriptionList, UserEntry, UserList,
};

/// Where the API begins.
pub const BASE: &str = "/admin/v1";

/// The largest body that is read, in bytes. The longest one lists what is to be retried.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What handlers are given.
#[derive(Clone)]
struct Admin {
    node: Arc<Node>,
    ending: Ending,
}

/// The router of the admin socket.
pub fn router(node: Arc<Node>, ending: Ending) -> Router {
    let api = Router::new()
        .route("/plugins", get(plugins::list).post(plugins::install))
        .route(
            "/plugins/{id}",
            get(plugins::info).delete(plugins::uninstall),
        )
        .route("/plugins/{id}/start", post(plugins::start))
        .route("/plugins/{id}/stop", post(plugins::stop))
        .route("/plugins/{id}/update", post(plugins::update))
        .route("/services", get(plugins::services))
        .route("/listeners", get(users::listeners))
        .route("/registrations", get(users::registrations))
        .route(
            "/registrations/{context}/{user}",
            delete(users::remove_registration),
        )
        .route("/subscriptions", get(users::subscriptions))
        .route("/subscriptions/{id}", delete(users::remove_subscription))
        .route("/users", get(users::list).post(users::add))
        .route("/users/{context}/{user}", delete(users::remove))
        .route("/config/{key}", get(config::explain))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/retry", post(deliveries::retry))
        .route("/deliveries/purge", post(deliveries::purge))
        .route("/events", get(events::tail).post(events::send))
        .route("/log", get(log::tail))
        .route("/log/levels/{id}", put(log::set_level))
        .route("/health", get(health::health));
    Router::new()
        .nest(BASE, api)
        .fallback(|uri: Uri| async move { Refusal::no_route(uri.path()) })
        .method_not_allowed_fallback(|uri: Uri| async move { Refusal::no_method(uri.path()) })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Admin { node, ending })
}

/// The time, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// Works to the end also where whoever asked goes away meanwhile: a change that is half done is
/// worse than one that is not begun.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => Err(Refusal::failed(format!(
            "the host failed at it ({error}); its log says more"
        ))),
    }
}
