//! Messages to the strict double of FCM.

use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::mail::NewMail;
use belfry_sandbox::{Effect, Fault, FaultAnswer, FaultTarget};
use mobile_push::fcm::FcmRequest;
use mobile_push::outcome::{Outcome, Scope};
use mobile_push::render;

use crate::accounts::*;

#[tokio::test]
async fn a_message_arrives_with_its_data() {
    let google = Google::start().await;
    let account = google.account();
    let mail = NewMail {
        folder: "INBOX".to_owned(),
        uid_validity: 1,
        uid: 42,
        sender: Some("Alice".to_owned()),
        subject: Some("x".repeat(10_000)),
        snippet: None,
        unread: Some(3),
    };
    let message = FcmRequest {
        data: render::fcm_data(&mail),
        ttl: Duration::from_secs(u64::MAX),
        ..message(1)
    };
    assert_eq!(account.send(&message).await, Outcome::Delivered);
    let seen = google.fcm.as_device_sees(&message.token);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].cid(), Some("default0/INBOX:42"));
    assert_eq!(
        (seen[0].sender(), seen[0].unread()),
        (Some("Alice"), Some(3))
    );
    assert_eq!(seen[0].payload["message"]["android"]["priority"], "HIGH");
    assert_eq!(seen[0].payload["message"]["android"]["ttl"], "2419200s");
    assert!(google.fcm.violations().is_empty());
}

#[tokio::test]
async fn a_hundred_tasks_at_a_cold_start_ask_for_one_access_token() {
    let google = Google::start().await;
    let account = Arc::new(google.account());
    let outcomes = at_once(300, 100, move |number| {
        let account = account.clone();
        async move { account.send(&message(number)).await }
    })
    .await;
    assert_all_delivered(&outcomes);
    let counts = google.fcm.counts();
    assert_eq!(
        (counts.delivered, counts.token_requests),
        (300, 1),
        "{counts:?}"
    );
    // One for the token, one for the messages.
    assert_eq!(counts.connections, 2, "{counts:?}");
    assert!(
        google.fcm.violations().is_empty(),
        "{:?}",
        google.fcm.violations()
    );
}

#[tokio::test]
async fn a_void_access_token_is_renewed_once() {
    let google = Google::start().await;
    let account = Arc::new(google.account());
    assert_eq!(account.send(&message(0)).await, Outcome::Delivered);
    google.fcm.revoke_access_tokens();
    let outcomes = at_once(50, 50, move |number| {
        let account = account.clone();
        async move { account.send(&message(number + 1)).await }
    })
    .await;
    assert_all_delivered(&outcomes);
    assert_eq!(google.fcm.counts().token_requests, 2);
}

#[tokio::test]
async fn an_access_token_is_renewed_ahead_of_time() {
    // A fifth of the life of a token is the time in which it is renewed.
    let google =
        Google::start_with(|options| options.access_token_lifetime = Duration::from_secs(2)).await;
    let account = google.account();
    let renewed = async {
        let mut number = 0;
        while google.fcm.counts().token_requests < 3 {
            assert_eq!(account.send(&message(number)).await, Outcome::Delivered);
            number += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, renewed).await.unwrap();
    assert_eq!(google.fcm.counts().refused, 0);
}

#[tokio::test]
async fn an_account_without_an_access_token_asks_once_and_keeps_the_messages() {
    let google = Google::start().await;
    let denied = FaultAnswer::new(400, "invalid_grant");
    let fault = Fault::new(Effect::Answer(denied)).at(FaultTarget::TokenEndpoint);
    google.fcm.faults().add(fault);
    let account = Arc::new(google.account());
    let outcomes = at_once(50, 50, move |number| {
        let account = account.clone();
        async move { account.send(&message(number)).await }
    })
    .await;
    for outcome in outcomes {
        match outcome {
            Outcome::CredentialRefused { reason, .. } => {
                assert!(reason.contains("invalid_grant"), "{reason}")
            }
            other => panic!("{other:?}"),
        }
    }
    let counts = google.fcm.counts();
    assert_eq!(
        (counts.token_requests, counts.requests),
        (1, 0),
        "{counts:?}"
    );
}

#[tokio::test]
async fn a_token_end_point_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    let google = Google::start().await;
    let busy = FaultAnswer::new(503, "").retry_after(Duration::from_secs(1));
    let fault = Fault::new(Effect::Answer(busy))
        .at(FaultTarget::TokenEndpoint)
        .times(1);
    google.fcm.faults().add(fault);
    let account = google.account();
    let (after, scope, ..) = wait(account.send(&message(0)).await);
    assert!(
        after >= Duration::from_secs(1) && after < Duration::from_secs(2),
        "{after:?}"
    );
    assert_eq!(scope, Scope::Account);
    wait(account.send(&message(0)).await);
    assert_eq!(google.fcm.counts().token_requests, 1);
    tokio::time::sleep(after).await;
    assert_eq!(account.send(&message(0)).await, Outcome::Delivered);
}

#[tokio::test]
async fn a_device_dies_of_an_error_of_fcm_only() {
    let google = Google::start().await;
    let account = google.account();
    for (status, reason, dead) in [
        (404, "UNREGISTERED", true),
        (403, "SENDER_ID_MISMATCH", true),
        (400, "INVALID_ARGUMENT", true),
        (400, "BadRequest", false),
    ] {
        google
            .fcm
            .faults()
            .add(Fault::answer(status, reason).times(1));
        let outcome = account.send(&message(1)).await;
        assert_eq!(
            matches!(outcome, Outcome::TokenDead { .. }),
            dead,
            "{reason}: {outcome:?}"
        );
        assert_eq!(
            matches!(outcome, Outcome::Rejected { .. }),
            !dead,
            "{reason}: {outcome:?}"
        );
    }
    assert_eq!(account.send(&message(1)).await, Outcome::Delivered);
}

#[tokio::test]
async fn a_used_up_quota_stops_the_account_for_as_long_as_fcm_says() {
    let google = Google::start().await;
    let busy = FaultAnswer::new(429, "QUOTA_EXCEEDED").retry_after(Duration::from_secs(2));
    google
        .fcm
        .faults()
        .add(Fault::new(Effect::Answer(busy)).times(1));
    let account = google.account();
    let (after, scope, ..) = wait(account.send(&message(0)).await);
    assert!(
        after >= Duration::from_secs(2) && after < Duration::from_secs(3),
        "{after:?}"
    );
    assert_eq!(scope, Scope::Account);
    for number in 0..200 {
        let (left, ..) = wait(account.send(&message(number)).await);
        assert!(left <= after);
    }
    assert_eq!(google.fcm.counts().requests, 1);
    assert!(google.fcm.violations().is_empty());
}

#[tokio::test]
async fn goaway_costs_no_message_and_doubles_none() {
    let google = Google::start().await;
    google
        .fcm
        .faults()
        .add(Fault::new(Effect::GoAway { every: 100 }));
    let account = Arc::new(google.account());
    let outcomes = at_once(1000, 64, move |number| {
        let account = account.clone();
        async move { account.send(&message(number)).await }
    })
    .await;
    assert_all_delivered(&outcomes);
    assert_eq!(google.fcm.counts().delivered, 1000);
}
