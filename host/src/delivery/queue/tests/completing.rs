//! From inbox to outbox: what belongs together happens together, and once.

use super::super::complete::{CompleteInbox, MessageOutcome, NewInboxEvent};
use super::super::model::EntryKind;
use super::*;

#[tokio::test]
async fn a_completed_entry_is_gone_and_its_message_waits_once_for_each_device() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;

    let fanned = message(1, vec![delivery("apns", 10), delivery("fcm", 11)]);
    let done = world.complete(vec![id], vec![fanned]).await;

    assert_eq!(done.closed, 1);
    let [MessageOutcome::Fanned(ids)] = &done.messages[..] else {
        panic!("not fanned out: {done:?}");
    };
    assert!(world.inbox("push-dovecot").await.is_empty());
    assert_eq!(world.outbox("apns", 0).await, [ids[0]]);
    assert_eq!(world.outbox("fcm", 0).await, [ids[1]]);
}

#[tokio::test]
async fn a_message_reported_twice_is_delivered_once() {
    let world = World::new();
    let first = world.accept("push-dovecot", b"report").await;
    let again = world.accept("push-dovecot", b"report").await;

    let same = || message(1, vec![delivery("apns", 10)]);
    world.complete(vec![first], vec![same()]).await;
    let done = world.complete(vec![again], vec![same()]).await;

    assert_eq!(done.messages, [MessageOutcome::Duplicate]);
    assert_eq!(done.closed, 1, "the second report is done with as well");
    assert_eq!(world.outbox("apns", 0).await.len(), 1);
}

#[tokio::test]
async fn a_message_twice_in_one_completion_is_delivered_once() {
    let world = World::new();
    let same = || message(1, vec![delivery("apns", 10)]);
    let other = message(2, vec![delivery("apns", 10)]);

    let done = world.complete(vec![], vec![same(), same(), other]).await;

    assert!(matches!(done.messages[0], MessageOutcome::Fanned(_)));
    assert_eq!(done.messages[1], MessageOutcome::Duplicate);
    assert!(matches!(done.messages[2], MessageOutcome::Fanned(_)));
    assert_eq!(world.outbox("apns", 0).await.len(), 2);
}

#[tokio::test]
async fn a_message_without_devices_is_still_remembered() {
    let world = World::new();
    world.complete(vec![], vec![message(1, vec![])]).await;

    let late = message(1, vec![delivery("apns", 10)]);
    let done = world.complete(vec![], vec![late]).await;

    assert_eq!(done.messages, [MessageOutcome::Duplicate]);
}

#[tokio::test]
async fn a_seen_message_is_recognised_after_a_restart() {
    let mut world = World::new();
    world.fan_out(1, "apns", &[10]).await;

    world.reopen().await;
    let again = message(1, vec![delivery("apns", 10)]);
    let done = world.complete(vec![], vec![again]).await;

    assert_eq!(done.messages, [MessageOutcome::Duplicate]);
}

#[tokio::test]
async fn parked_events_wait_as_entries_of_their_handlers() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;
    let event = |at| NewInboxEvent {
        target: "mobile-push".into(),
        payload: Payload::from(&b"event"[..]),
        at,
    };

    let done = world.queue.complete(CompleteInbox {
        close: vec![id],
        messages: vec![],
        park: vec![event(5), event(6)],
    });
    let parked = done.await.expect("completed").parked;

    let page = world.queue.load_inbox("mobile-push", 0, 10).await;
    let entries = page.expect("loaded").entries;
    let seen: Vec<_> = entries.iter().map(|it| (it.id, it.accepted_at)).collect();
    assert_eq!(seen, [(parked[0], 5), (parked[1], 6)]);
    assert_eq!(entries[0].kind, EntryKind::Event);
    assert_eq!(&*entries[0].payload, b"event");
}

#[tokio::test]
async fn closing_an_entry_twice_is_no_error() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;
    world.complete(vec![id], vec![]).await;

    let done = world.complete(vec![id], vec![]).await;

    assert_eq!(done.closed, 0);
}

#[tokio::test]
async fn a_completion_that_fails_half_way_leaves_nothing_behind() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;
    let pages = sql(&world.queue, "PRAGMA page_count").await.expect("pages");
    sql(
        &world.queue,
        format!("PRAGMA max_page_count = {}", pages + 8),
    )
    .await;

    let mut large = delivery("apns", 11);
    large.payload = vec![0; 1 << 20].into();
    let fanned = message(1, vec![delivery("apns", 10), large]);
    let failed = world.queue.complete(CompleteInbox {
        close: vec![id],
        messages: vec![fanned],
        park: vec![],
    });
    assert!(matches!(
        failed.await,
        Err(crate::delivery::queue::QueueError::DiskFull { .. })
    ));

    assert_eq!(world.inbox("push-dovecot").await, [id], "not closed");
    assert!(world.outbox("apns", 0).await.is_empty(), "not fanned out");
    let small = message(1, vec![delivery("apns", 10)]);
    let done = world.complete(vec![id], vec![small]).await;
    assert!(
        matches!(done.messages[..], [MessageOutcome::Fanned(_)]),
        "its key was not kept as seen"
    );
}
