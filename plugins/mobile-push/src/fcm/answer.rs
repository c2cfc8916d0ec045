//! What an answer of FCM means. Pure: the table, and the function that reads it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::outcome::{CREDENTIAL_PAUSE, Outcome, Scope, Wait};

const FCM_ERROR: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const QUOTA_FAILURE: &str = "type.googleapis.com/google.rpc.QuotaFailure";

/// An answer, as far as it matters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    pub(super) retry_after: Option<Duration>,
    /// Tries of this push before this one.
    pub(super) attempt: u32,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The push has its outcome.
    Done(Outcome),
    /// The access token must be renewed, and the push sent again.
    RenewToken,
}

/// Google, "Errors" (google.rpc.Status) as JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    status: String,
    message: String,
    details: Vec<Value>,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Dead,
    Later(Wait, Scope),
    Credential(&'static str),
    Ours,
    RenewToken,
}
use Meaning::{Credential, Dead, Later, Ours, RenewToken};

/// Google: at least a minute where a quota is used up, 10 seconds where a server fails
/// ("Best practices when sending FCM messages at scale").
const AFTER_QUOTA: Wait = Wait::seconds(60);
const AFTER_SERVER_ERROR: Wait = Wait::seconds(10);

const CHECK_PROJECT: &str = "check that the service account may send for the project, and that the Firebase Cloud Messaging API is enabled";
const CHECK_APPLE_KEY: &str = "check the APNs key or certificate in the Firebase console";
const CHECK_ENDPOINT: &str = "check project_id and the end-point";

/// Every code that an FcmError may carry (Google, "rest/v1/ErrorCode").
const CODES: &[(u16, &str, Meaning)] = &[
    (400, "INVALID_ARGUMENT", Dead),
    (401, "THIRD_PARTY_AUTH_ERROR", Credential(CHECK_APPLE_KEY)),
    (403, "SENDER_ID_MISMATCH", Dead),
    (404, "UNREGISTERED", Dead),
    (429, "QUOTA_EXCEEDED", Later(AFTER_QUOTA, Scope::Account)),
    (500, "INTERNAL", Later(AFTER_SERVER_ERROR, Scope::Token)),
    (503, "UNAVAILABLE", Later(AFTER_SERVER_ERROR, Scope::Token)),
];

/// What an answer means that holds no FcmError: it speaks of us or of the service, never of the
/// device, so no token dies of it.
fn without_code(status: u16) -> Meaning {
    match status {
        400 | 413 => Ours,
        401 => RenewToken,
        403 => Credential(CHECK_PROJECT),
        404 => Credential(CHECK_ENDPOINT),
        429 => Later(AFTER_QUOTA, Scope::Account),
        500..=599 => Later(AFTER_SERVER_ERROR, Scope::Token),
        _ => Later(AFTER_QUOTA, Scope::Account),
    }
}

/// Reads an answer.
pub(super) fn judge(answer: &Answer<'_>) -> Verdict {
    let status = answer.status;
    if status == 200 {
        return Verdict::Done(Outcome::Delivered);
    }
    let error = serde_json::from_slice::<Body>(answer.body)
        .unwrap_or_default()
        .error;
    let code = error.code();
    let known = CODES
        .iter()
        .find(|(of, name, _)| *of == status && code == Some(*name))
        .map(|(_, _, meaning)| *meaning);
    let meaning = match known.unwrap_or_else(|| without_code(status)) {
        // A field that FCM cannot read is our fault, whatever else it calls it.
        Dead if error.has(BAD_REQUEST) => Ours,
        Later(wait, _) if error.is_about_a_device() => Later(wait, Scope::Token),
        // Who sets a time speaks for the whole service; without one, a 503 is that of one server.
        Later(wait, _) if status == 503 && answer.retry_after.is_some() => {
            Later(wait, Scope::Account)
        }
        // A proxy, not Google.
        Ours if error.status.is_empty() => Later(AFTER_QUOTA, Scope::Account),
        meaning => meaning,
    };
    let said = error.said(status);
    Verdict::Done(match meaning {
        Dead => Outcome::TokenDead {
            since_ms: None,
            reason: code.unwrap_or("dead").to_owned(),
        },
        Later(wait, scope) => Outcome::RetryLater {
            after: wait.resolve(answer.retry_after, answer.attempt),
            scope,
            reason: said,
            possibly_delivered: false,
        },
        Credential(advice) => refused(&said, advice),
        Ours => Outcome::Rejected { reason: said },
        RenewToken => return Verdict::RenewToken,
    })
}

pub(super) fn refused(said: &str, advice: &str) -> Outcome {
    Outcome::CredentialRefused {
        after: CREDENTIAL_PAUSE,
        reason: format!("{said}; {advice}"),
    }
}

impl Status {
    fn details(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.details
            .iter()
            .filter(move |detail| detail["@type"] == kind)
    }

    fn has(&self, kind: &str) -> bool {
        self.details(kind).next().is_some()
    }

    /// The code of the FcmError.
    fn code(&self) -> Option<&str> {
        self.details(FCM_ERROR)
            .find_map(|detail| detail["errorCode"].as_str())
    }

    /// Whether the quota that is used up is that of one device.
    fn is_about_a_device(&self) -> bool {
        self.details(QUOTA_FAILURE)
            .filter_map(|detail| detail["violations"].as_array())
            .flatten()
            .filter_map(|violation| violation["subject"].as_str())
            .any(|subject| subject.starts_with("device:"))
    }

    /// One line for the log.
    fn said(&self, status: u16) -> String {
        let harmless = |c: &char| c.is_ascii_graphic() || *c == ' ';
        let name = self.code().unwrap_or(&self.status);
        let text = format!("{name} {}", self.message);
        let text: String = text.chars().filter(harmless).take(200).collect();
        format!("FCM: status {status} {}", text.trim())
            .trim_end()
            .to_owned()
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
