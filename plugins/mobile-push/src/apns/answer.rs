//! What an answer of APNs means. Pure: the table, and the function that reads it.

use std::time::Duration;

use serde::Deserialize;

use crate::outcome::{CREDENTIAL_PAUSE, Outcome, Scope, Wait};

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
    /// The connection is of no more use; the push has its outcome.
    DoneAndRetire(Outcome),
    /// The provider token must be renewed, and the push sent over another connection.
    RenewToken,
}

/// The body of a refusal (Apple, "Handling notification responses from APNs", table 3).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    reason: String,
    /// Milliseconds since 1970, with 410 only.
    timestamp: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Dead,
    Later(Wait, Scope),
    LaterElsewhere(Wait),
    Credential(&'static str),
    Ours,
    RenewToken,
}
use Meaning::{Credential, Dead, Later, LaterElsewhere, Ours, RenewToken};

const CHECK_TOPIC: &str =
    "check that the topic is the app's bundle id and that certificate or key are made for it";
const CHECK_CERTIFICATE: &str =
    "check the keystore, and that it is for this environment (production or sandbox)";
const CHECK_KEY: &str =
    "check the .p8 key, its key id and the team id, and that the key is for this environment";

/// Apple asks for 15 minutes before the same push is tried again.
const AFTER_SERVER_ERROR: Wait = Wait::seconds(15 * 60);
const AFTER_TOO_MANY: Wait = Wait::seconds(60);
const AT_ONCE: Wait = Wait::seconds(1);

/// Every refusal that Apple documents (same page, table 4).
const REFUSALS: &[(u16, &str, Meaning)] = &[
    (400, "BadCollapseId", Ours),
    (400, "BadDeviceToken", Dead),
    (400, "BadExpirationDate", Ours),
    (400, "BadMessageId", Ours),
    (400, "BadPriority", Ours),
    (400, "BadTopic", Credential(CHECK_TOPIC)),
    (400, "DeviceTokenNotForTopic", Dead),
    (400, "DuplicateHeaders", Ours),
    (400, "IdleTimeout", LaterElsewhere(AT_ONCE)),
    (400, "InvalidPushType", Ours),
    (400, "MissingDeviceToken", Ours),
    (400, "MissingTopic", Credential(CHECK_TOPIC)),
    (400, "PayloadEmpty", Ours),
    (400, "TopicDisallowed", Credential(CHECK_TOPIC)),
    (403, "BadCertificate", Credential(CHECK_CERTIFICATE)),
    (
        403,
        "BadCertificateEnvironment",
        Credential(CHECK_CERTIFICATE),
    ),
    (403, "ExpiredProviderToken", RenewToken),
    (403, "Forbidden", Credential(CHECK_KEY)),
    (403, "InvalidProviderToken", Credential(CHECK_KEY)),
    (
        403,
        "MissingProviderToken",
        Credential("no certificate reached APNs and no key is configured"),
    ),
    (403, "UnrelatedKeyIdInToken", Credential(CHECK_KEY)),
    (403, "BadEnvironmentKeyIdInToken", Credential(CHECK_KEY)),
    (404, "BadPath", Ours),
    (405, "MethodNotAllowed", Ours),
    (410, "ExpiredToken", Dead),
    (410, "Unregistered", Dead),
    (413, "PayloadTooLarge", Ours),
    (
        429,
        "TooManyProviderTokenUpdates",
        Later(AFTER_TOO_MANY, Scope::Account),
    ),
    (429, "TooManyRequests", Later(AFTER_TOO_MANY, Scope::Token)),
    (
        500,
        "InternalServerError",
        Later(AFTER_SERVER_ERROR, Scope::Token),
    ),
    (
        503,
        "ServiceUnavailable",
        Later(AFTER_SERVER_ERROR, Scope::Token),
    ),
    (503, "Shutdown", LaterElsewhere(AFTER_SERVER_ERROR)),
];

/// What a refusal means that Apple has not documented yet: what its status says.
fn undocumented(status: u16) -> Meaning {
    match status {
        400 | 404 | 405 | 413 => Ours,
        403 => Credential(CHECK_KEY),
        410 => Dead,
        429 => Later(AFTER_TOO_MANY, Scope::Token),
        500..=599 => Later(AFTER_SERVER_ERROR, Scope::Token),
        _ => Later(AFTER_TOO_MANY, Scope::Account),
    }
}

/// What a refusal means that does not name a reason, as every refusal of APNs does: whoever spoke
/// was not APNs, so no token dies of it and no push is given up.
fn unexplained(status: u16) -> Meaning {
    match status {
        500..=599 => Later(AFTER_SERVER_ERROR, Scope::Token),
        429 => Later(AFTER_TOO_MANY, Scope::Token),
        _ => Later(AFTER_TOO_MANY, Scope::Account),
    }
}

/// Reads an answer.
pub(super) fn judge(answer: &Answer<'_>) -> Verdict {
    let status = answer.status;
    if status == 200 {
        return Verdict::Done(Outcome::Delivered);
    }
    let refusal: Refusal = serde_json::from_slice(answer.body).unwrap_or_default();
    let known = REFUSALS
        .iter()
        .find(|(code, reason, _)| *code == status && *reason == refusal.reason);
    let (meaning, said) = match known {
        Some((_, reason, meaning)) => (*meaning, (*reason).to_owned()),
        None if refusal.reason.is_empty() => (
            unexplained(status),
            format!(
                "status {status} without a reason, which APNs always gives; check the end-point"
            ),
        ),
        None => (undocumented(status), printable(&refusal.reason)),
    };
    let later = |wait: Wait, scope| Outcome::RetryLater {
        after: wait.resolve(answer.retry_after, answer.attempt),
        scope,
        reason: format!("APNs: {said}"),
        possibly_delivered: false,
    };
    match meaning {
        Dead => Verdict::Done(Outcome::TokenDead {
            since_ms: refusal.timestamp.filter(|_| status == 410),
            reason: said,
        }),
        Later(wait, scope) => Verdict::Done(later(wait, scope)),
        LaterElsewhere(wait) => Verdict::DoneAndRetire(later(wait, Scope::Token)),
        Credential(advice) => Verdict::Done(refused(&said, advice)),
        Ours => Verdict::Done(Outcome::Rejected {
            reason: format!("APNs: {said}"),
        }),
        RenewToken => Verdict::RenewToken,
    }
}

pub(super) fn refused(said: &str, advice: &str) -> Outcome {
    Outcome::CredentialRefused {
        after: CREDENTIAL_PAUSE,
        reason: format!("APNs: {said}; {advice}"),
    }
}

/// A reason that is not in the table, fit for a log line.
fn printable(reason: &str) -> String {
    let harmless = |c: &char| c.is_ascii_graphic() || *c == ' ';
    reason.chars().filter(harmless).take(64).collect()
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
