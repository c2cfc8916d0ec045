use serde_json::json;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    Deliver,
    Kill,
    Wait { least_s: u64, scope: Scope },
    StopCredential,
    GiveUp,
    Renew,
}

fn verdict(status: u16, body: &Value) -> Verdict {
    judge(&Answer {
        status,
        body: body.to_string().as_bytes(),
        ..Answer::default()
    })
}

fn what(verdict: &Verdict) -> Must {
    match verdict {
        Verdict::RenewToken => Must::Renew,
        Verdict::Done(Outcome::Delivered) => Must::Deliver,
        Verdict::Done(Outcome::TokenDead { since_ms, .. }) => {
            assert_eq!(*since_ms, None);
            Must::Kill
        }
        Verdict::Done(Outcome::CredentialRefused { .. }) => Must::StopCredential,
        Verdict::Done(Outcome::Rejected { .. }) => Must::GiveUp,
        Verdict::Done(Outcome::RetryLater { after, scope, .. }) => {
            let least_s = if *after < Duration::from_secs(60) {
                10
            } else {
                60
            };
            assert!(*after >= Duration::from_secs(least_s));
            assert!(*after <= Duration::from_secs(least_s).mul_f64(1.5));
            Must::Wait {
                least_s,
                scope: *scope,
            }
        }
    }
}

fn fcm_error(code: &str) -> Value {
    json!({"@type": FCM_ERROR, "errorCode": code})
}

fn error(name: &str, details: &[Value]) -> Value {
    json!({"error": {"status": name, "message": "words", "details": details}})
}

#[test]
fn each_answer_of_fcm_has_its_outcome() {
    let wait = |least_s, scope| Must::Wait { least_s, scope };
    let bad_request = json!({"@type": BAD_REQUEST, "fieldViolations": []});
    let device = json!({"@type": QUOTA_FAILURE, "violations": [{"subject": "device:abc"}]});
    let project = json!({"@type": QUOTA_FAILURE, "violations": [{"subject": "project:1"}]});
    let quota = fcm_error("QUOTA_EXCEEDED");
    let rows = [
        (200, json!({"name": "projects/p/messages/1"}), Must::Deliver),
        (
            404,
            error("NOT_FOUND", &[fcm_error("UNREGISTERED")]),
            Must::Kill,
        ),
        (404, error("NOT_FOUND", &[]), Must::StopCredential),
        (
            403,
            error("PERMISSION_DENIED", &[fcm_error("SENDER_ID_MISMATCH")]),
            Must::Kill,
        ),
        (403, error("PERMISSION_DENIED", &[]), Must::StopCredential),
        (
            400,
            error("INVALID_ARGUMENT", &[fcm_error("INVALID_ARGUMENT")]),
            Must::Kill,
        ),
        (
            400,
            error("INVALID_ARGUMENT", std::slice::from_ref(&bad_request)),
            Must::GiveUp,
        ),
        (
            400,
            error(
                "INVALID_ARGUMENT",
                &[fcm_error("INVALID_ARGUMENT"), bad_request.clone()],
            ),
            Must::GiveUp,
        ),
        (400, error("INVALID_ARGUMENT", &[]), Must::GiveUp),
        (401, error("UNAUTHENTICATED", &[]), Must::Renew),
        (
            401,
            error("UNAUTHENTICATED", &[fcm_error("THIRD_PARTY_AUTH_ERROR")]),
            Must::StopCredential,
        ),
        (
            429,
            error("RESOURCE_EXHAUSTED", std::slice::from_ref(&quota)),
            wait(60, Scope::Account),
        ),
        (
            429,
            error("RESOURCE_EXHAUSTED", &[quota.clone(), project]),
            wait(60, Scope::Account),
        ),
        (
            429,
            error("RESOURCE_EXHAUSTED", &[quota, device]),
            wait(60, Scope::Token),
        ),
        (429, json!("busy"), wait(60, Scope::Account)),
        (
            500,
            error("INTERNAL", &[fcm_error("INTERNAL")]),
            wait(10, Scope::Token),
        ),
        (500, json!(null), wait(10, Scope::Token)),
        (502, json!(null), wait(10, Scope::Token)),
        (
            503,
            error("UNAVAILABLE", &[fcm_error("UNAVAILABLE")]),
            wait(10, Scope::Token),
        ),
        (504, json!(null), wait(10, Scope::Token)),
        (418, json!(null), wait(60, Scope::Account)),
        // A code under another status is not the known answer.
        (
            500,
            error("INTERNAL", &[fcm_error("UNREGISTERED")]),
            wait(10, Scope::Token),
        ),
    ];
    for (status, body, must) in &rows {
        assert_eq!(what(&verdict(*status, body)), *must, "{status} {body}");
    }
    for (status, code, _) in CODES {
        let tested = rows
            .iter()
            .any(|(of, body, _)| of == status && body.to_string().contains(code));
        assert!(tested, "no row tests {status} {code}");
    }
}

#[test]
fn what_google_did_not_write_kills_no_token_and_gives_up_no_push() {
    for body in [
        b"".as_slice(),
        b"<html>",
        b"[]",
        b"{\"error\":\"gone\"}",
        b"\xff",
    ] {
        for status in [400, 413] {
            let verdict = judge(&Answer {
                status,
                body,
                ..Answer::default()
            });
            assert!(
                matches!(verdict, Verdict::Done(Outcome::RetryLater { .. })),
                "{verdict:?}"
            );
        }
    }
}

#[test]
fn a_time_that_fcm_sets_holds_for_the_account_and_else_the_wait_grows_with_each_try() {
    let after = |retry_after, attempt| {
        let body = error("UNAVAILABLE", &[fcm_error("UNAVAILABLE")]).to_string();
        let verdict = judge(&Answer {
            status: 503,
            body: body.as_bytes(),
            retry_after,
            attempt,
        });
        match verdict {
            Verdict::Done(Outcome::RetryLater { after, scope, .. }) => (after.as_secs_f64(), scope),
            other => panic!("{other:?}"),
        }
    };
    let (wait, scope) = after(None, 2);
    assert!(
        (40.0..=60.0).contains(&wait) && scope == Scope::Token,
        "{wait}"
    );
    let (wait, scope) = after(Some(Duration::from_secs(5)), 2);
    assert!(
        (5.0..6.0).contains(&wait) && scope == Scope::Account,
        "{wait}"
    );
}

#[test]
fn an_operator_reads_what_fcm_said_and_what_to_do() {
    match verdict(403, &error("PERMISSION_DENIED", &[])) {
        Verdict::Done(Outcome::CredentialRefused { reason, .. }) => {
            assert!(
                reason.contains("PERMISSION_DENIED words; check"),
                "{reason}"
            );
        }
        other => panic!("{other:?}"),
    }
}
