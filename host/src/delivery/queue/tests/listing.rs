//! What operators see, retry and purge.

use super::super::filter::{Filter, Side};
use super::super::inbox::InboxFailure;
use super::super::listing::Count;
use super::super::model::State;
use super::super::outbox::Finish;
use super::super::upkeep::SLICE_ROWS;
use super::*;

async fn listed(world: &World, filter: Filter) -> Vec<i64> {
    let rows = world.queue.list(filter, 0, 100).await.expect("listed");
    rows.iter().map(|row| row.id).collect()
}

async fn kill_entry(world: &World, id: i64) {
    let dead = InboxFailure::Dead;
    let known = world.queue.fail_inbox(id, "malformed", dead).await;
    assert_eq!(known, Ok(true));
}

#[tokio::test]
async fn a_listing_shows_why_an_entry_died_and_how_large_it_is() {
    let world = World::new();
    world.clock.set(77);
    let id = world.accept("push-dovecot", b"12345").await;
    kill_entry(&world, id).await;

    let rows = world.queue.list(Filter::all(Side::Inbox), 0, 10).await;
    let row = rows.expect("listed").remove(0);

    assert_eq!((row.id, row.destination.as_str()), (id, "push-dovecot"));
    assert_eq!(row.state, State::Dead);
    assert_eq!(row.reason.as_deref(), Some("malformed"));
    assert_eq!((row.created_at, row.bytes, row.attempts), (77, 5, 1));
    assert_eq!(row.kind, Some(EntryKind::Report));
    assert_eq!(row.device, None);
}

#[tokio::test]
async fn a_listing_shows_whom_a_delivery_is_for_and_why_it_is_late() {
    let world = World::new();
    let ids = world.fan_out(9, "apns", &[10]).await;
    let retry = Finish::Retry {
        not_before: 500,
        attempts: 2,
        reason: Some("503".to_owned()),
    };
    world.queue.finish(vec![(ids[0], retry)]).await.expect("ok");

    let rows = world.queue.list(Filter::all(Side::Outbox), 0, 10).await;
    let row = rows.expect("listed").remove(0);

    let device = row.device.expect("a delivery has a device");
    assert_eq!(device.subscription, 10);
    assert_eq!((device.user_context, device.user_id), (1, 249));
    assert_eq!(device.expires_at, 1_000_000);
    assert_eq!(row.state, State::Waiting);
    assert_eq!((row.not_before, row.attempts), (500, 2));
    assert_eq!(row.reason.as_deref(), Some("503"));
    assert_eq!((row.created_at, row.kind), (9, None));
}

#[tokio::test]
async fn each_part_of_a_filter_narrows_what_is_listed() {
    let world = World::new();
    world.clock.set(10);
    let one = world.accept("push-dovecot", b"1").await;
    let two = world.accept("mobile-push", b"2").await;
    world.clock.set(20);
    let three = world.accept("push-dovecot", b"3").await;
    kill_entry(&world, three).await;

    let all = Filter::all(Side::Inbox);
    assert_eq!(listed(&world, all.clone()).await, [one, two, three]);
    let mut filter = all.clone();
    filter.destination = Some("push-dovecot".to_owned());
    assert_eq!(listed(&world, filter.clone()).await, [one, three]);
    filter.state = Some(State::Dead);
    assert_eq!(listed(&world, filter).await, [three]);
    let mut filter = all.clone();
    filter.ids = Some(vec![two, three, 999]);
    assert_eq!(listed(&world, filter).await, [two, three]);
    let mut filter = all.clone();
    filter.ids = Some(vec![]);
    assert!(listed(&world, filter).await.is_empty());
    let mut filter = all.clone();
    filter.created_before = Some(20);
    assert_eq!(listed(&world, filter).await, [one, two]);
    let mut filter = all;
    filter.destination = Some("' OR true --".to_owned());
    assert!(listed(&world, filter).await.is_empty());
}

#[tokio::test]
async fn a_listing_goes_on_after_an_id() {
    let world = World::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.accept("push-dovecot", b"").await);
    }
    let filter = Filter::all(Side::Inbox);
    let rows = world.queue.list(filter, ids[0], 1).await.expect("listed");
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[1]]);
}

#[tokio::test]
async fn a_count_tells_number_and_age_by_destination_and_state() {
    let world = World::new();
    for (at, target) in [(5, "push-dovecot"), (6, "mobile-push"), (7, "push-dovecot")] {
        world.clock.set(at);
        world.accept(target, b"").await;
    }
    world.clock.set(8);
    let dead = world.accept("push-dovecot", b"").await;
    kill_entry(&world, dead).await;
    world.fan_out(9, "apns", &[10, 11]).await;

    let count = |side, destination: &str, state, count, oldest| Count {
        side,
        destination: destination.to_owned(),
        state,
        count,
        oldest,
    };
    assert_eq!(
        world.queue.count().await.expect("counted"),
        [
            count(Side::Inbox, "mobile-push", State::Waiting, 1, 6),
            count(Side::Inbox, "push-dovecot", State::Waiting, 2, 5),
            count(Side::Inbox, "push-dovecot", State::Dead, 1, 8),
            count(Side::Outbox, "apns", State::Waiting, 2, 9),
        ]
    );
}

#[tokio::test]
async fn a_retried_entry_waits_as_if_it_had_never_failed() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;
    kill_entry(&world, id).await;

    let retried = world.queue.retry(Filter::all(Side::Inbox)).await;
    assert_eq!(retried, Ok(1));

    let page = world.queue.load_inbox("push-dovecot", 0, 10).await;
    let entry = page.expect("loaded").entries.remove(0);
    assert_eq!((entry.id, entry.attempts, entry.not_before), (id, 0, 0));
}

#[tokio::test]
async fn a_retry_leaves_those_alone_that_wait() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"report").await;
    let later = InboxFailure::Retry { not_before: 500 };
    let known = world.queue.fail_inbox(id, "away", later).await;
    assert_eq!(known, Ok(true));

    let retried = world.queue.retry(Filter::all(Side::Inbox)).await;

    assert_eq!(retried, Ok(0));
    let page = world.queue.load_inbox("push-dovecot", 0, 10).await;
    assert_eq!(page.expect("loaded").entries[0].not_before, 500);
}

#[tokio::test]
async fn a_purge_takes_what_matches_however_many_and_nothing_else() {
    let world = World::with(Durability::Process);
    let many = 2 * SLICE_ROWS as usize;
    world.fan_out(1, "apns", &vec![10; many]).await;
    let kept = world.fan_out(2, "fcm", &[11]).await;
    let entry = world.accept("apns", b"a plugin of the same name").await;

    let mut filter = Filter::all(Side::Outbox);
    filter.destination = Some("apns".to_owned());
    assert_eq!(world.queue.purge(filter).await, Ok(many));

    assert!(world.outbox("apns", 0).await.is_empty());
    assert_eq!(world.outbox("fcm", 0).await, kept);
    assert_eq!(world.inbox("apns").await, [entry]);
}
