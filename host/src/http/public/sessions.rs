use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, StatusCode};
use belfry_plugin_api::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PublicState;
use super::address::ClientAddress;
use super::authenticated::Authenticated;
use super::body::JsonBody;
use super::problem::{BodyProblems, ErrorBody, HostProblems, Problem, SessionProblem};
use crate::push::LoginAttempt;

/// What holds secrets is not to be kept by anybody on the way.
pub(super) const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// Who logs in.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// The mail login.
    #[schema(example = "user1@example.com")]
    login: String,
    /// The password of the mailbox.
    #[schema(value_type = String, format = Password)]
    password: Password,
    /// The name of the client, which has to be one that the operator allows to be notified.
    #[schema(example = "open-xchange-mailapp")]
    client: String,
}

/// A password that is text in JSON, and nothing else.
struct Password(Secret);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::from(text)))
    }
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
pub(super) struct Begun {
    /// The session's token, to be sent as `Authorization: Bearer TOKEN`.
    #[schema(format = Password)]
    session: String,
    /// The user's number inside the context.
    #[schema(example = 3)]
    user: u32,
    /// The user's context.
    #[schema(example = 1)]
    context: u32,
    /// What the user may do.
    #[schema(example = json!(["mobile_mail_app"]))]
    capabilities: Vec<&'static str>,
}

/// Begins a session.
///
/// The mail server is asked whether login and password belong together.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "sessions",
    request_body = Credentials,
    responses(
        (status = 201, description = "The session has begun.", body = Begun),
        (status = 401, description = "Login or password is wrong.", body = ErrorBody),
        (status = 403, description = "The user may not use the app.", body = ErrorBody),
        (
            status = 429,
            description = "Too many logins failed.",
            body = ErrorBody,
            headers(("retry-after" = u64, description = "In seconds"))
        ),
        BodyProblems,
        HostProblems,
    )
)]
pub(super) async fn begin(
    State(state): State<PublicState>,
    ClientAddress(address): ClientAddress,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<Begun>), Problem> {
    let attempt = LoginAttempt {
        login: credentials.login,
        password: credentials.password.0,
        client: credentials.client,
        address,
    };
    let (token, session) = state.push.log_in(attempt).await?;
    let begun = Begun {
        session: token.expose().to_owned(),
        user: session.user.id,
        context: session.user.context,
        capabilities: state.push.capabilities(session.user),
    };
    Ok((StatusCode::CREATED, [NO_STORE], Json(begun)))
}

/// Ends the session.
///
/// A listener that lives with it ends, too; subscriptions stay.
#[utoipa::path(
    delete,
    path = "/sessions/current",
    tag = "sessions",
    security(("session" = [])),
    responses((status = 204, description = "The session has ended."), SessionProblem)
)]
pub(super) async fn end(
    State(state): State<PublicState>,
    Authenticated(session): Authenticated,
) -> StatusCode {
    state.push.log_out(&session).await;
    StatusCode::NO_CONTENT
}
