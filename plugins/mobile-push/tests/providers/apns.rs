//! Pushes to the strict double of APNs: credentials and answers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use belfry_sandbox::{Effect, Fault, FaultAnswer, KeystoreFormat, TestCa};
use mobile_push::apns::ApnsRequest;
use mobile_push::clock::Clock;
use mobile_push::outcome::{Outcome, Scope};

use crate::accounts::*;

#[tokio::test]
async fn a_push_arrives_by_token_and_by_certificate() {
    let apple = Apple::start().await;
    for (number, account) in [apple.by_token(), apple.by_certificate()]
        .iter()
        .enumerate()
    {
        let push = push(number);
        assert_eq!(account.send(&push).await, Outcome::Delivered);
        let seen = apple.apns.as_device_sees(&push.token);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].apns_id, Some(push.apns_id.to_string()));
        assert_eq!(seen[0].collapse_id, push.collapse_id);
        assert_eq!(seen[0].topic.as_deref(), Some(TOPIC));
        assert_eq!(seen[0].headers["apns-push-type"], "alert");
        assert_eq!(seen[0].headers["apns-priority"], "10");
        assert_eq!(seen[0].headers["apns-expiration"], "4000000000");
    }
    assert!(apple.apns.violations().is_empty());
}

#[tokio::test]
async fn old_keystores_are_as_good_as_new_ones() {
    let apple = Apple::start().await;
    for format in [KeystoreFormat::Modern, KeystoreFormat::Legacy] {
        let ca = &apple.authority.ca;
        let keystore = ca.client_keystore_in(TOPIC, "hunter2", format).unwrap();
        let account = apple.account(apple.certificate_in(&keystore), quick());
        assert_eq!(
            account.send(&push(0)).await,
            Outcome::Delivered,
            "{format:?}"
        );
    }
}

#[tokio::test]
async fn nothing_stalls_when_every_token_is_dead() {
    let apple = Apple::start().await;
    let since = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let gone = FaultAnswer::new(410, "Unregistered").timestamp(since);
    apple.apns.faults().add(Fault::new(Effect::Answer(gone)));
    let account = Arc::new(apple.by_token());
    // More bodies than fit into the default window of a connection, 65,535 bytes.
    let outcomes = at_once(5000, 100, move |number| {
        let account = account.clone();
        async move { account.send(&push(number)).await }
    })
    .await;
    assert_eq!(outcomes.len(), 5000);
    for outcome in outcomes {
        assert_eq!(
            outcome,
            Outcome::TokenDead {
                since_ms: Some(1_700_000_000_123),
                reason: "Unregistered".to_owned(),
            }
        );
    }
    assert_eq!(apple.apns.counts().connections, 1);
}

#[tokio::test]
async fn retry_after_is_what_the_outcome_says() {
    let apple = Apple::start().await;
    let busy = FaultAnswer::new(429, "TooManyRequests").retry_after(Duration::from_secs(2));
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Answer(busy)).times(1));
    let account = apple.by_token();
    let (after, scope, reason, possibly_delivered) = wait(account.send(&push(0)).await);
    assert!(
        after >= Duration::from_secs(2) && after < Duration::from_secs(3),
        "{after:?}"
    );
    assert_eq!(scope, Scope::Token);
    assert!(
        reason.contains("TooManyRequests") && !possibly_delivered,
        "{reason}"
    );
    // Another device need not wait.
    assert_eq!(account.send(&push(1)).await, Outcome::Delivered);
}

/// A clock that is moved by hand.
#[derive(Debug)]
struct HandClock(Mutex<SystemTime>);

impl Clock for HandClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_over_a_fresh_connection() {
    let apple = Apple::start().await;
    let now = SystemTime::now();
    let clock = Arc::new(HandClock(Mutex::new(now - Duration::from_secs(30 * 60))));
    let account = Arc::new(apple.account(apple.token(&apple.key, clock.clone()), quick()));
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);

    *clock.0.lock().unwrap() = now;
    apple
        .apns
        .faults()
        .add(Fault::answer(403, "ExpiredProviderToken").times(1));
    let outcomes = at_once(64, 64, move |number| {
        let account = account.clone();
        async move { account.send(&push(number + 1)).await }
    })
    .await;
    assert_all_delivered(&outcomes);
    let counts = apple.apns.counts();
    assert_eq!(
        (counts.delivered, counts.connections),
        (65, 2),
        "{counts:?}"
    );
    assert!(
        apple.apns.violations().is_empty(),
        "{:?}",
        apple.apns.violations()
    );
}

#[tokio::test]
async fn a_wrong_key_stops_the_account_and_keeps_the_push() {
    let apple = Apple::start().await;
    let other = belfry_sandbox::ProviderKey::generate("TEAM123456").unwrap();
    let account = apple.account(
        apple.token(&other, Arc::new(mobile_push::clock::SystemClock)),
        quick(),
    );
    for _ in 0..5 {
        match account.send(&push(0)).await {
            Outcome::CredentialRefused { reason, .. } => {
                assert!(
                    reason.contains("InvalidProviderToken") && reason.contains("key id"),
                    "{reason}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(apple.apns.counts().requests, 1);
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_a_refused_credential() {
    let apple = Apple::start().await;
    let stranger = TestCa::new().unwrap();
    let account = apple.account(apple.certificate(&stranger), quick());
    match account.send(&push(0)).await {
        Outcome::CredentialRefused { reason, .. } => {
            assert!(reason.contains("client certificate"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_provider_that_is_not_trusted_is_told_apart_from_one_that_is_away() {
    let apple = Apple::start().await;
    let elsewhere = Apple::start().await;
    let account = mobile_push::apns::ApnsAccount::new(mobile_push::apns::ApnsSettings {
        endpoint: apple.apns.endpoint().parse().unwrap(),
        trust: elsewhere.authority.trust(),
        topic: Some(TOPIC.to_owned()),
        auth: apple.certificate(&apple.authority.ca),
        connections: quick(),
    })
    .unwrap();
    let (_, scope, reason, _) = wait(account.send(&push(0)).await);
    assert_eq!(scope, Scope::Account);
    assert!(reason.contains("trusted certificates"), "{reason}");
}

#[tokio::test]
async fn what_apns_rejects_is_not_tried_again() {
    let apple = Apple::start().await;
    let account = apple.by_token();
    let long = ApnsRequest {
        payload: vec![b'x'; 5000].into(),
        ..push(0)
    };
    assert!(matches!(
        account.send(&long).await,
        Outcome::Rejected { .. }
    ));
    let no_json = ApnsRequest {
        payload: "[]".into(),
        ..push(0)
    };
    match account.send(&no_json).await {
        Outcome::Rejected { reason } => assert!(reason.contains("PayloadEmpty"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(apple.apns.counts().requests, 1);
}
