//! What dispatchers load, and what they report back.

use super::super::inbox::InboxFailure;
use super::super::outbox::{Finish, Later, PAGE_BYTES};
use super::super::upkeep::{DeleteForSubscription, Expire, ForgetSeen};
use super::super::{inbox::LoadInbox, outbox::LoadOutbox};
use super::*;

#[tokio::test]
async fn an_accepted_entry_is_handed_out_as_it_came() {
    let world = World::new();
    world.clock.set(1_700_000_000_123);

    let accepted = world
        .queue
        .accept("push-dovecot", EntryKind::Event, vec![0, 1, 255])
        .await
        .expect("accepted");

    assert_eq!(accepted.at, 1_700_000_000_123);
    let page = world.queue.load_inbox("push-dovecot", 0, 10).await;
    let page = page.expect("loaded");
    assert_eq!(page.next, None);
    let [entry] = &page.entries[..] else {
        panic!("one entry expected: {page:?}");
    };
    assert_eq!(entry.id, accepted.id);
    assert_eq!(entry.kind, EntryKind::Event);
    assert_eq!(&*entry.payload, [0, 1, 255]);
    assert_eq!(entry.accepted_at, accepted.at);
    assert_eq!((entry.attempts, entry.not_before), (0, 0));
}

#[tokio::test]
async fn entries_come_in_order_page_by_page_and_for_their_target_alone() {
    let world = World::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.accept("push-dovecot", b"mine").await);
        world.accept("mobile-push", b"another's").await;
    }

    let mut loaded = Vec::new();
    let mut after = Some(0);
    while let Some(id) = after {
        let page = world.queue.load_inbox("push-dovecot", id, 2).await;
        let page = page.expect("loaded");
        assert!(page.entries.len() <= 2);
        loaded.extend(page.entries.iter().map(|entry| entry.id));
        after = page.next;
    }

    assert_eq!(loaded, ids);
}

#[tokio::test]
async fn a_page_ends_early_when_its_payloads_are_large() {
    let world = World::with(Durability::Process);
    for _ in 0..3 {
        world.accept("push-dovecot", &vec![7; PAGE_BYTES / 2]).await;
    }

    let first = world.queue.load_inbox("push-dovecot", 0, 100).await;
    let first = first.expect("loaded");
    assert_eq!(first.entries.len(), 2);
    let rest = world
        .queue
        .load_inbox("push-dovecot", first.next.expect("more"), 100)
        .await
        .expect("loaded");
    assert_eq!((rest.entries.len(), rest.next), (1, None));
}

#[tokio::test]
async fn a_failed_entry_waits_for_its_time_and_counts_its_attempts() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;

    let retry = InboxFailure::Retry { not_before: 5_000 };
    let known = world.queue.fail_inbox(id, "plugin is away", retry).await;
    assert_eq!(known, Ok(true));

    let page = world.queue.load_inbox("push-dovecot", 0, 10).await;
    let entry = page.expect("loaded").entries.remove(0);
    assert_eq!((entry.attempts, entry.not_before), (1, 5_000));
}

#[tokio::test]
async fn a_dead_entry_is_handed_out_no_more() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;

    let dead = world
        .queue
        .fail_inbox(id, "malformed", InboxFailure::Dead)
        .await;

    assert_eq!(dead, Ok(true));
    assert!(world.inbox("push-dovecot").await.is_empty());
}

#[tokio::test]
async fn a_failure_of_an_entry_that_is_gone_is_told() {
    let world = World::new();
    let told = world.queue.fail_inbox(7, "late", InboxFailure::Dead).await;
    assert_eq!(told, Ok(false));
}

#[tokio::test]
async fn a_delivery_is_handed_out_as_it_was_fanned_out() {
    let world = World::new();
    let mut new = delivery("apns", 10);
    new.expires_at = 99;
    let mut fanned = message(3, vec![new]);
    fanned.at = 42;
    world.complete(vec![], vec![fanned]).await;

    let page = world.queue.load_outbox("apns", 0, 10, 0).await;
    let found = page.expect("loaded").ready.remove(0);

    assert_eq!(found.subscription, 10);
    assert_eq!((found.user_context, found.user_id), (1, 249));
    assert_eq!(&*found.payload, b"hello");
    assert_eq!(found.message_key, key(3));
    assert_eq!((found.created_at, found.expires_at), (42, 99));
    assert_eq!(found.attempts, 0);
}

#[tokio::test]
async fn each_end_of_a_delivery_does_what_it_says() {
    let world = World::new();
    let ids = world.fan_out(1, "apns", &[10, 11, 12, 13]).await;

    let retry = Finish::Retry {
        not_before: 500,
        attempts: 3,
        reason: Some("429 TooManyRequests".to_owned()),
    };
    let dead = Finish::Dead {
        reason: "400 BadTopic".to_owned(),
    };
    let found = world.queue.finish(vec![
        (ids[0], Finish::Delivered),
        (ids[1], Finish::Dropped),
        (ids[2], retry),
        (ids[3], dead),
        (999, Finish::Delivered),
    ]);
    assert_eq!(found.await, Ok(4), "one of them never existed");

    let early = world.queue.load_outbox("apns", 0, 10, 499).await;
    let early = early.expect("loaded");
    assert!(early.ready.is_empty());
    let later = Later {
        id: ids[2],
        not_before: 500,
    };
    assert_eq!(early.later, [later]);

    let due = world.queue.load_outbox("apns", ids[2] - 1, 1, 500).await;
    let due = due.expect("loaded");
    assert_eq!((due.ready[0].id, due.ready[0].attempts), (ids[2], 3));
}

#[tokio::test]
async fn no_hot_query_reads_a_whole_table() {
    let world = World::new();
    let lookups = [
        LoadInbox::SQL,
        LoadOutbox::SQL,
        ForgetSeen::SQL,
        Expire::SQL,
        DeleteForSubscription::SQL,
    ];
    for lookup in lookups {
        let plan = world.queue.submit(Plan(lookup)).await.expect("a plan");
        assert!(!plan.contains("SCAN"), "{lookup}\nis run as\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{lookup}\nsorts:\n{plan}");
    }
}

struct Plan(&'static str);

impl Operation for Plan {
    type Output = String;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<String> {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", self.0))?;
        let unset = vec![None::<i64>; statement.parameter_count()];
        let steps = statement
            .query_map(rusqlite::params_from_iter(unset), |row| {
                row.get::<_, String>(3)
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(steps.join("\n"))
    }
}
