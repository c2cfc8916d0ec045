//! How Google says no (google.rpc.Status as JSON; firebase.google.com: "rest/v1/ErrorCode").

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::fault::FaultAnswer;
use crate::verdict::Verdict;

const FCM_ERROR: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// A reason for a [`FaultAnswer`] that gives a `BadRequest` in place of an `FcmError`.
const BAD_REQUEST_REASON: &str = "BadRequest";

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FcmError {
    pub(crate) code: u16,
    pub(crate) message: String,
    /// `errorCode` of an `FcmError` among the details.
    pub(crate) error_code: Option<&'static str>,
    /// A `BadRequest` among the details, with the field that is wrong.
    pub(crate) bad_request: Option<Option<String>>,
}

impl FcmError {
    fn new(code: u16, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            error_code: None,
            bad_request: None,
        }
    }

    /// The request is not what the interface describes: `BadRequest`, never an `FcmError`, for it says
    /// nothing of the device.
    pub(crate) fn bad_field(field: &str, problem: impl Into<String>) -> Self {
        Self {
            bad_request: Some(Some(field.to_owned())),
            ..Self::new(400, problem)
        }
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// What Google answers has both kinds of details here, and the device is not at fault.
    pub(crate) fn too_big() -> Self {
        Self {
            error_code: Some("INVALID_ARGUMENT"),
            bad_request: Some(None),
            ..Self::new(400, "Android message is too big")
        }
    }

    pub(crate) fn bad_token() -> Self {
        Self {
            error_code: Some("INVALID_ARGUMENT"),
            ..Self::new(
                400,
                "The registration token is not a valid FCM registration token",
            )
        }
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            401,
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie \
             or other valid authentication credential.",
        )
    }

    pub(crate) fn wrong_project(project: &str) -> Self {
        Self::new(
            403,
            format!(
                "Permission 'cloudmessaging.messages.create' denied on resource \
                 '//cloudresourcemanager.googleapis.com/projects/{project}' (or it may not exist)."
            ),
        )
    }

    fn details(&self) -> Vec<Value> {
        let bad_request = self.bad_request.as_ref().map(|field| match field {
            Some(field) => json!({
                "@type": BAD_REQUEST,
                "fieldViolations": [{"field": field, "description": self.message}],
            }),
            None => json!({"@type": BAD_REQUEST}),
        });
        let fcm_error = self
            .error_code
            .map(|code| json!({"@type": FCM_ERROR, "errorCode": code}));
        bad_request.into_iter().chain(fcm_error).collect()
    }
}

impl From<FcmError> for Verdict {
    fn from(error: FcmError) -> Self {
        Self::Refuse {
            status: error.code,
            reason: error.error_code.unwrap_or(status_name(error.code)).into(),
            answer: answer(error.code, &error.message, error.details()),
        }
    }
}

/// A fault in Google's words.
pub(crate) fn fault_answer(fault: &FaultAnswer) -> Answer {
    let details = match fault.reason.as_str() {
        "" => Vec::new(),
        BAD_REQUEST_REASON => vec![json!({
            "@type": BAD_REQUEST,
            "fieldViolations": [{"field": "message", "description": "a fault on demand"}],
        })],
        reason => vec![json!({"@type": FCM_ERROR, "errorCode": reason})],
    };
    answer(fault.status, "a fault on demand", details)
}

fn answer(code: u16, message: &str, details: Vec<Value>) -> Answer {
    let mut error = json!({"code": code, "message": message, "status": status_name(code)});
    if !details.is_empty() {
        error["details"] = details.into();
    }
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer::json(status, &json!({"error": error}))
}

/// The canonical code that belongs to an HTTP status (google/rpc/code.proto).
fn status_name(code: u16) -> &'static str {
    match code {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500..=599 => "INTERNAL",
        _ => "UNKNOWN",
    }
}

/// Google's front end answers paths that it does not know with a page, not with JSON.
pub(crate) fn not_found() -> Answer {
    let page = "<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p>Not found.</html>\n";
    Answer::body(
        StatusCode::NOT_FOUND,
        "text/html; charset=UTF-8",
        page.to_owned(),
    )
}
