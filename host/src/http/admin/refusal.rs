//! What an operator gets when something is not done.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::bundle::BundleError;
use crate::delivery::AcceptError;
use crate::delivery::queue::QueueError;
use crate::storage::StorageError;

/// The body of an answer other than success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A word for programs.
    pub error: String,
    /// What, why, and what to do, for people.
    pub detail: String,
}

/// Why something is not done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    detail: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            error,
            detail: detail.into(),
        }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail)
    }

    pub(super) fn no_route(path: &str) -> Self {
        let detail =
            format!("this host's admin API has no {path}; use the belfryctl of the same release");
        Self::not_found(detail)
    }

    pub(super) fn no_method(path: &str) -> Self {
        let detail = format!(
            "{path} of this host's admin API takes other methods; use the belfryctl of the same release"
        );
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.error.to_owned(),
            detail: self.detail,
        };
        (self.status, Json(body)).into_response()
    }
}

impl From<BundleError> for Refusal {
    fn from(error: BundleError) -> Self {
        let (status, word) = match &error {
            BundleError::Unknown(_) => (StatusCode::NOT_FOUND, "not_found"),
            BundleError::Refused { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
            BundleError::OtherPlugin { .. } => (StatusCode::CONFLICT, "other_plugin"),
            BundleError::Failed { .. } => (StatusCode::CONFLICT, "plugin_failed"),
            BundleError::State { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
            BundleError::Ending => (StatusCode::SERVICE_UNAVAILABLE, "ending"),
        };
        Self::new(status, word, error.to_string())
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        let (status, word) = match &error {
            StorageError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            StorageError::Refused(_) => (StatusCode::CONFLICT, "refused"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        Self::new(status, word, error.to_string())
    }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "queue", error.to_string())
    }
}

impl From<AcceptError> for Refusal {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Queue(error) => error.into(),
            AcceptError::Encoding(_) => Self::failed(error.to_string()),
        }
    }
}
