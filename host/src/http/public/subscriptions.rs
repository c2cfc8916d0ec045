use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PublicState;
use super::authenticated::Authenticated;
use super::body::JsonBody;
use super::problem::{BodyProblems, ErrorBody, HostProblems, Problem, SessionProblem};
use super::sessions::NO_STORE;
use super::token;
use crate::push::{Device, Subscribed};

/// When to try again where no transport is there: its plugin may be on its way.
const TRANSPORT_RETRY: Duration = Duration::from_secs(60);

/// The longest name of an app, in bytes.
const MAX_APP_BYTES: usize = 255;

/// A device that is to be notified.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewSubscription {
    /// The push provider's transport.
    #[schema(example = "apns")]
    transport: String,
    /// The device's token at the provider; for `apns` in hexadecimal digits.
    token: String,
    /// The app that the token belongs to: its bundle id or package name.
    #[schema(example = "com.example.mail")]
    app: Option<String>,
}

/// A device that is to be notified no longer.
#[derive(Deserialize, ToSchema)]
pub(super) struct OldSubscription {
    /// The push provider's transport.
    #[schema(example = "apns")]
    transport: String,
    /// The device's token at the provider.
    token: String,
}

/// A device that is notified.
#[derive(Serialize, ToSchema)]
pub(super) struct Subscription {
    /// The push provider's transport.
    #[schema(example = "apns")]
    transport: String,
    /// The device's token at the provider.
    token: String,
    /// The app that the token belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// The client that subscribed it.
    #[schema(example = "open-xchange-mailapp")]
    client: String,
}

/// Subscribes a device.
///
/// The user's new mail is notified to it from now on, also without a session. Apps do this at
/// every start: it confirms that the token is alive. A token that another user had moves.
#[utoipa::path(
    put,
    path = "/subscriptions",
    tag = "subscriptions",
    security(("session" = [])),
    request_body = NewSubscription,
    responses(
        (status = 200, description = "The device was subscribed already.", body = Subscription),
        (status = 201, description = "The device is subscribed.", body = Subscription),
        (status = 403, description = "The client may not be notified.", body = ErrorBody),
        SessionProblem,
        BodyProblems,
        HostProblems,
    )
)]
pub(super) async fn put(
    State(state): State<PublicState>,
    Authenticated(session): Authenticated,
    JsonBody(new): JsonBody<NewSubscription>,
) -> Result<
    (
        StatusCode,
        [(HeaderName, &'static str); 1],
        Json<Subscription>,
    ),
    Problem,
> {
    check_transport(&state, &new.transport)?;
    let app = new.app.filter(|app| !app.is_empty());
    if app.as_deref().is_some_and(|app| !is_app(app)) {
        return Err(Problem::malformed(format_args!(
            "the app has to be 1 to {MAX_APP_BYTES} visible ASCII characters"
        )));
    }
    let device = Device {
        token: parsed(&new.transport, new.token)?,
        transport: new.transport,
        app,
    };
    let stored = Subscription {
        transport: device.transport.clone(),
        token: device.token.expose_str().unwrap_or_default().to_owned(),
        app: device.app.clone(),
        client: session.client.to_string(),
    };
    let status = match state.push.subscribe(&session, device).await? {
        Subscribed::New => StatusCode::CREATED,
        Subscribed::Known => StatusCode::OK,
    };
    Ok((status, [NO_STORE], Json(stored)))
}

/// The devices of the session's user.
#[utoipa::path(
    get,
    path = "/subscriptions",
    tag = "subscriptions",
    security(("session" = [])),
    responses(
        (status = 200, description = "All devices of the user.", body = Vec<Subscription>),
        SessionProblem,
        HostProblems,
    )
)]
pub(super) async fn list(
    State(state): State<PublicState>,
    Authenticated(session): Authenticated,
) -> Result<([(HeaderName, &'static str); 1], Json<Vec<Subscription>>), Problem> {
    let devices = state.push.devices(&session).await?;
    let shown = devices.iter().map(|device| Subscription {
        transport: device.transport.clone(),
        token: device.token.expose_str().unwrap_or_default().to_owned(),
        app: device.app.clone(),
        client: device.client.clone(),
    });
    Ok(([NO_STORE], Json(shown.collect())))
}

/// Removes a device.
///
/// With a client's last device its registration ends, and with the user's last registration the
/// listener at the mail server.
#[utoipa::path(
    delete,
    path = "/subscriptions",
    tag = "subscriptions",
    security(("session" = [])),
    request_body = OldSubscription,
    responses(
        (status = 204, description = "The device is removed."),
        (status = 404, description = "The user has no such device.", body = ErrorBody),
        SessionProblem,
        BodyProblems,
        HostProblems,
    )
)]
pub(super) async fn delete(
    State(state): State<PublicState>,
    Authenticated(session): Authenticated,
    JsonBody(old): JsonBody<OldSubscription>,
) -> Result<StatusCode, Problem> {
    let token = parsed(&old.transport, old.token)?;
    if state
        .push
        .unsubscribe(&session, &old.transport, &token)
        .await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        let detail = "this user has no device with that token at that transport";
        Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not_subscribed",
            detail,
        ))
    }
}

fn check_transport(state: &PublicState, transport: &str) -> Result<(), Problem> {
    let known = (state.transports)();
    if known.is_empty() {
        let detail = "no transport to a push provider is installed";
        return Err(Problem::unavailable(detail, TRANSPORT_RETRY));
    }
    if known.iter().any(|name| name == transport) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "unknown_transport",
        format_args!(
            "this transport is not known; known are: {}",
            known.join(", ")
        ),
    ))
}

fn parsed(transport: &str, text: String) -> Result<belfry_plugin_api::secret::Secret, Problem> {
    token::parse(transport, text)
        .map_err(|what| Problem::malformed(format_args!("the token {what}")))
}

fn is_app(app: &str) -> bool {
    app.len() <= MAX_APP_BYTES && app.bytes().all(|byte| byte.is_ascii_graphic())
}
