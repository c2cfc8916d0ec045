//! JSON bodies.

use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::MAX_BODY_BYTES;
use super::problem::Problem;

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(20);

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "the body has to be of the type application/json";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "not_json", detail));
        }
        let read = tokio::time::timeout(PATIENCE, Bytes::from_request(request, state)).await;
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(unread(&error)),
            Err(_) => {
                let detail = format!("the body did not come within {} s", PATIENCE.as_secs());
                return Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "too_slow",
                    detail,
                ));
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Problem::malformed(explained(&error))),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

fn unread(error: &BytesRejection) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format_args!("the body may have {MAX_BODY_BYTES} bytes"),
        ),
        _ => Problem::malformed("the body broke off"),
    }
}

/// The parser's own words quote what it met, which may be a password in the wrong place; those on
/// fields that are missing name the field only.
fn explained(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    if text.starts_with("missing field") {
        return text;
    }
    match error.classify() {
        serde_json::error::Category::Data => format!(
            "the body is JSON, but not of the form that GET /api/v1/openapi.json describes, at \
             line {line}, column {column}"
        ),
        _ => format!("the body is not JSON, from line {line}, column {column} on"),
    }
}
