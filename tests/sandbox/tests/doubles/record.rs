//! What is kept of what was seen, and waiting for it.

use std::time::Duration;

use belfry_sandbox::{Outcome, Record};
use http::Request;

use crate::support::{Apple, Google, SOON, alert, device, message, with};

fn identified(apple: &Apple, id: u8, collapse_id: &str) -> Request<()> {
    let id = format!("00000000-0000-4000-8000-0000000000{id:02x}");
    with(
        with(apple.push(&device(1)), "apns-id", Some(&id)),
        "apns-collapse-id",
        Some(collapse_id),
    )
}

async fn subjects_after(apple: &Apple, pushes: Vec<(Request<()>, &str)>) -> Vec<String> {
    let mut client = apple.client().await;
    for (request, subject) in pushes {
        assert_eq!(
            client.send(request, alert(subject)).await.unwrap().status,
            200
        );
    }
    let seen = apple.apns.as_device_sees(&device(1).to_uppercase());
    seen.iter()
        .map(|push| push.subject().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_device_shows_a_collapse_id_once_with_the_newest_content() {
    let apple = Apple::new().await;
    let pushes = vec![
        (identified(&apple, 1, "mail-1"), "first"),
        (identified(&apple, 2, "mail-2"), "other"),
        (identified(&apple, 3, "mail-1"), "first again"),
    ];
    assert_eq!(
        subjects_after(&apple, pushes).await,
        ["other", "first again"]
    );
    assert_eq!(apple.apns.delivered().len(), 3);
}

#[tokio::test]
async fn a_device_shows_an_apns_id_once() {
    let apple = Apple::new().await;
    let pushes = vec![
        (identified(&apple, 1, "mail-1"), "first"),
        (identified(&apple, 1, "mail-9"), "same id"),
    ];
    assert_eq!(subjects_after(&apple, pushes).await, ["same id"]);
}

#[tokio::test]
async fn a_device_shows_nothing_that_was_refused_or_sent_to_another() {
    let apple = Apple::new().await;
    let mut client = apple.client().await;
    client
        .send(apple.push(&device(2)), alert("for another"))
        .await
        .unwrap();
    client
        .send(
            with(apple.push(&device(1)), "apns-priority", Some("3")),
            alert("refused"),
        )
        .await
        .unwrap();
    assert!(apple.apns.as_device_sees(&device(1)).is_empty());
    assert_eq!(apple.apns.as_device_sees(&device(2)).len(), 1);
}

#[tokio::test]
async fn an_app_shows_a_cid_once_as_it_came_first() {
    let google = Google::new().await;
    let mut client = google.client().await;
    for (cid, subject) in [
        ("INBOX:1", "first"),
        ("INBOX:2", "second"),
        ("INBOX:1", "first again"),
    ] {
        let mut message = message("device-1", cid);
        message["message"]["data"]["subject"] = subject.into();
        assert_eq!(
            client
                .send(google.push(), message.to_string())
                .await
                .unwrap()
                .status,
            200
        );
    }
    let seen = google.fcm.as_device_sees("device-1");
    let subjects: Vec<_> = seen.iter().filter_map(|push| push.subject()).collect();
    assert_eq!(subjects, ["first", "second"]);
}

#[tokio::test]
async fn waiting_ends_when_the_push_comes_and_says_what_was_missing_when_it_does_not() {
    let apple = Apple::new().await;
    let mut client = apple.client().await;
    let sending = async {
        client
            .send(apple.push(&device(1)), alert("one"))
            .await
            .unwrap();
        client
            .send(
                with(apple.push(&device(1)), "apns-topic", None),
                alert("two"),
            )
            .await
            .unwrap();
    };
    let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { status: 400, .. });
    let (both, refused, ()) = tokio::join!(
        apple.apns.wait_for(2, SOON),
        apple.apns.wait_until("a refusal", SOON, |pushes| pushes
            .iter()
            .any(|push| is_refused(&push.outcome))),
        sending,
    );
    assert_eq!(both.unwrap().len(), 2);
    refused.unwrap();

    let missing = apple
        .apns
        .wait_for_delivered(2, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert_eq!(missing.seen.delivered, 1);
    let text = missing.to_string();
    assert!(
        text.contains("2 pushes taken in") && text.contains("MissingTopic"),
        "{text}"
    );
}

#[tokio::test]
async fn a_double_that_only_counts_keeps_no_pushes() {
    let apple = Apple::with(|options| options.record(Record::CountsOnly)).await;
    let mut client = apple.client().await;
    client
        .send(apple.push(&device(1)), alert("one"))
        .await
        .unwrap();
    client.send(apple.push("00"), alert("two")).await.unwrap();
    apple.apns.wait_for(2, SOON).await.unwrap();
    assert!(apple.apns.pushes().is_empty());
    let counts = apple.apns.counts();
    assert_eq!(
        (counts.requests, counts.delivered, counts.refused),
        (2, 1, 1)
    );
    assert_eq!(
        (
            counts.connections,
            counts.open_connections,
            counts.max_concurrent_streams
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_fed_channel_gets_what_is_not_kept() {
    let (feed, mut pushes) = tokio::sync::mpsc::unbounded_channel();
    let apple = Apple::with(|options| options.record(Record::Feed(feed))).await;
    apple
        .client()
        .await
        .send(apple.push(&device(1)), alert("one"))
        .await
        .unwrap();
    let push = tokio::time::timeout(SOON, pushes.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(push.subject(), Some("one"));
    assert!(apple.apns.pushes().is_empty());
}
