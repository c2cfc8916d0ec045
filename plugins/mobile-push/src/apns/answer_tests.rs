use super::*;

/// What must happen, in the words of the rules, written apart from the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    Deliver,
    Kill,
    Wait { least_s: u64, scope: Scope },
    WaitElsewhere { least_s: u64 },
    StopCredential,
    GiveUp,
    Renew,
}

fn body(reason: &str) -> Vec<u8> {
    format!(r#"{{"reason":"{reason}"}}"#).into_bytes()
}

fn verdict(status: u16, body: &[u8]) -> Verdict {
    judge(&Answer {
        status,
        body,
        ..Answer::default()
    })
}

fn what(verdict: &Verdict) -> Must {
    // Jitter only ever lengthens a wait, by half at most.
    let least_s = |after: &Duration| {
        [1, 60, 900]
            .into_iter()
            .rfind(|least| {
                after.as_secs() >= *least && after.as_secs_f64() <= 1.5 * (*least as f64)
            })
            .unwrap_or_else(|| panic!("a wait of {after:?}"))
    };
    match verdict {
        Verdict::RenewToken => Must::Renew,
        Verdict::DoneAndRetire(Outcome::RetryLater { after, .. }) => Must::WaitElsewhere {
            least_s: least_s(after),
        },
        Verdict::DoneAndRetire(other) => panic!("{other:?}"),
        Verdict::Done(outcome) => match outcome {
            Outcome::Delivered => Must::Deliver,
            Outcome::TokenDead { .. } => Must::Kill,
            Outcome::CredentialRefused { .. } => Must::StopCredential,
            Outcome::Rejected { .. } => Must::GiveUp,
            Outcome::RetryLater {
                after,
                scope,
                possibly_delivered,
                ..
            } => {
                assert!(!possibly_delivered);
                Must::Wait {
                    least_s: least_s(after),
                    scope: *scope,
                }
            }
        },
    }
}

#[test]
fn each_answer_of_apns_has_its_outcome() {
    let token_wait = |least_s| Must::Wait {
        least_s,
        scope: Scope::Token,
    };
    let rows = [
        (200, "", Must::Deliver),
        (400, "BadCollapseId", Must::GiveUp),
        (400, "BadDeviceToken", Must::Kill),
        (400, "BadExpirationDate", Must::GiveUp),
        (400, "BadMessageId", Must::GiveUp),
        (400, "BadPriority", Must::GiveUp),
        (400, "BadTopic", Must::StopCredential),
        (400, "DeviceTokenNotForTopic", Must::Kill),
        (400, "DuplicateHeaders", Must::GiveUp),
        (400, "IdleTimeout", Must::WaitElsewhere { least_s: 1 }),
        (400, "InvalidPushType", Must::GiveUp),
        (400, "MissingDeviceToken", Must::GiveUp),
        (400, "MissingTopic", Must::StopCredential),
        (400, "PayloadEmpty", Must::GiveUp),
        (400, "TopicDisallowed", Must::StopCredential),
        (403, "BadCertificate", Must::StopCredential),
        (403, "BadCertificateEnvironment", Must::StopCredential),
        (403, "ExpiredProviderToken", Must::Renew),
        (403, "Forbidden", Must::StopCredential),
        (403, "InvalidProviderToken", Must::StopCredential),
        (403, "MissingProviderToken", Must::StopCredential),
        (403, "UnrelatedKeyIdInToken", Must::StopCredential),
        (403, "BadEnvironmentKeyIdInToken", Must::StopCredential),
        (404, "BadPath", Must::GiveUp),
        (405, "MethodNotAllowed", Must::GiveUp),
        (410, "ExpiredToken", Must::Kill),
        (410, "Unregistered", Must::Kill),
        (413, "PayloadTooLarge", Must::GiveUp),
        (
            429,
            "TooManyProviderTokenUpdates",
            Must::Wait {
                least_s: 60,
                scope: Scope::Account,
            },
        ),
        (429, "TooManyRequests", token_wait(60)),
        (500, "InternalServerError", token_wait(900)),
        (503, "ServiceUnavailable", token_wait(900)),
        (503, "Shutdown", Must::WaitElsewhere { least_s: 900 }),
        // Not documented: the status decides.
        (400, "Newfangled", Must::GiveUp),
        (403, "Newfangled", Must::StopCredential),
        (410, "Newfangled", Must::Kill),
        (429, "Newfangled", token_wait(60)),
        (500, "Newfangled", token_wait(900)),
        // A known reason under another status is not the known answer.
        (
            418,
            "BadDeviceToken",
            Must::Wait {
                least_s: 60,
                scope: Scope::Account,
            },
        ),
    ];
    for (status, reason, must) in rows {
        assert_eq!(
            what(&verdict(status, &body(reason))),
            must,
            "{status} {reason}"
        );
    }
    for (status, reason, _) in REFUSALS {
        assert!(
            rows.iter().any(|row| (row.0, row.1) == (*status, *reason)),
            "no row tests {status} {reason}"
        );
    }
}

#[test]
fn a_dead_token_is_dead_since_the_time_that_apns_gives() {
    let outcome = verdict(
        410,
        br#"{"reason":"Unregistered","timestamp":1700000000123}"#,
    );
    assert_eq!(
        outcome,
        Verdict::Done(Outcome::TokenDead {
            since_ms: Some(1_700_000_000_123),
            reason: "Unregistered".to_owned(),
        })
    );
    let outcome = verdict(400, br#"{"reason":"BadDeviceToken","timestamp":1}"#);
    assert!(matches!(
        outcome,
        Verdict::Done(Outcome::TokenDead { since_ms: None, .. })
    ));
}

#[test]
fn who_gives_no_reason_is_not_apns_and_kills_no_token() {
    for status in [301, 400, 403, 404, 410, 413, 429, 502] {
        for body in [b"".as_slice(), b"<html>gone</html>", b"{}", b"[]", b"\xff"] {
            let outcome = verdict(status, body);
            assert!(
                matches!(outcome, Verdict::Done(Outcome::RetryLater { .. })),
                "{status}: {outcome:?}"
            );
        }
    }
}

#[test]
fn retry_after_is_obeyed() {
    let verdict = judge(&Answer {
        status: 429,
        body: &body("TooManyRequests"),
        retry_after: Some(Duration::from_secs(2)),
        attempt: 7,
    });
    match verdict {
        Verdict::Done(Outcome::RetryLater { after, .. }) => {
            assert!(
                after >= Duration::from_secs(2) && after < Duration::from_secs(3),
                "{after:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reason_is_made_harmless_for_the_log() {
    let long = "x\\u001b[31m\\n".repeat(100);
    match verdict(400, &body(&long)) {
        Verdict::Done(Outcome::Rejected { reason }) => {
            assert!(
                reason.len() < 80 && !reason.contains(['\u{1b}', '\n']),
                "{reason:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}
