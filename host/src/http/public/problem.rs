//! What an app gets when something is wrong.

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::push::{LoginError, SubscribeError};
use crate::storage::StorageError;

/// When to try again where the database is away.
const DATABASE_RETRY: Duration = Duration::from_secs(10);

/// What is wrong. No text holds a password or token, nor anything else that the request held.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    body: ErrorBody,
    retry_after: Option<Duration>,
    /// Whether the log knows it already.
    logged: bool,
}

/// What is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct ErrorBody {
    /// A word for programs.
    #[schema(example = "malformed")]
    error: &'static str,
    /// A sentence for people.
    detail: String,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        error: &'static str,
        detail: impl std::fmt::Display,
    ) -> Self {
        Self {
            status,
            body: ErrorBody {
                error,
                detail: detail.to_string(),
            },
            retry_after: None,
            logged: false,
        }
    }

    pub(super) fn malformed(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    pub(super) fn no_session() -> Self {
        let detail = "a session is needed: POST /api/v1/sessions, then send its token as \
                      'Authorization: Bearer TOKEN'; sessions end when they are not used";
        Self::new(StatusCode::UNAUTHORIZED, "no_session", detail)
    }

    pub(super) fn unavailable(detail: impl std::fmt::Display, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }

    fn logged(self) -> Self {
        Self {
            logged: true,
            ..self
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let note = (!self.logged).then(|| self.body.clone());
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        }
        if let Some(after) = self.retry_after {
            // Rounded up: whoever comes a moment too early is refused once more.
            let seconds = after.as_millis().div_ceil(1000).max(1);
            if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
        }
        if let Some(note) = note {
            response.extensions_mut().insert(note);
        }
        response
    }
}

/// One line for each problem that is not in the log yet.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if let Some(ErrorBody { error, detail }) = response.extensions().get() {
        let status = response.status().as_u16();
        tracing::info!(%method, ?path, status, error, "an app's request was refused: {detail}");
    }
    response
}

pub(super) async fn not_found() -> Problem {
    let detail = "nothing is here; GET /api/v1/openapi.json describes what there is";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

pub(super) async fn method_not_allowed() -> Problem {
    let detail = "this route takes other methods; GET /api/v1/openapi.json describes it";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match &error {
            LoginError::Login(_) | LoginError::Client => Self::malformed(&error),
            // Whoever let the client in or not has logged it, with the client's address.
            LoginError::Wrong => {
                Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", &error).logged()
            }
            LoginError::NoCapability => Self::new(StatusCode::FORBIDDEN, "no_capability", &error),
            LoginError::NotKnown => Self::new(StatusCode::FORBIDDEN, "not_known", &error),
            LoginError::Throttled { wait } => {
                let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", &error);
                Self {
                    retry_after: Some(*wait),
                    ..problem.logged()
                }
            }
            LoginError::Unavailable { wait } => Self::unavailable(&error, *wait).logged(),
        }
    }
}

impl From<SubscribeError> for Problem {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::ClientNotAllowed(_) => {
                Self::new(StatusCode::FORBIDDEN, "client_not_allowed", error)
            }
            SubscribeError::NoCapability => {
                Self::new(StatusCode::FORBIDDEN, "no_capability", error)
            }
            SubscribeError::Storage(error) => error.into(),
        }
    }
}

/// The operator learns what is wrong with the database, the app only that something is.
impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        if error.is_temporary() {
            tracing::warn!("an app's request was not possible: {error}");
            let detail = "the database is away; try again later";
            Self::unavailable(detail, DATABASE_RETRY).logged()
        } else {
            tracing::error!("an app's request failed: {error}");
            let detail = "the host failed; its log says why";
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail).logged()
        }
    }
}

/// What can be wrong with the body of a request.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description only")]
pub(super) enum BodyProblems {
    /// The body is not what the route takes.
    #[response(status = 400)]
    Malformed(ErrorBody),
    /// The body did not come in time.
    #[response(status = 408)]
    TooSlow(ErrorBody),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// The body is not `application/json`.
    #[response(status = 415)]
    NotJson(ErrorBody),
}

/// The request comes without a session.
#[derive(IntoResponses)]
#[response(status = 401)]
#[expect(dead_code, reason = "for the description only")]
pub(super) struct SessionProblem(ErrorBody);

/// The host cannot do it.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description only")]
pub(super) enum HostProblems {
    /// The host failed.
    #[response(status = 500)]
    Failed(ErrorBody),
    /// Something that the host needs is away; `Retry-After` says when to try again.
    #[response(status = 503, headers(("retry-after" = u64, description = "In seconds")))]
    Unavailable(ErrorBody),
}
