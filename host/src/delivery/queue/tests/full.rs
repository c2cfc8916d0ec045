//! No room left. A limit on the pages of the file stands for the full disk: SQLite reports both
//! in the same way.

use std::time::Instant;

use super::super::QueueError;
use super::super::filter::{Filter, Side};
use super::super::outbox::Finish;
use super::super::reserve::RESERVE_BYTES;
use super::grouping::{hold, until_waiting};
use super::*;

const ENTRY_BYTES: usize = 16 * 1024;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

async fn limit_pages(queue: &Queue, more: i64) {
    let pages = sql(queue, "PRAGMA page_count").await.expect("pages");
    sql(queue, format!("PRAGMA max_page_count = {}", pages + more)).await;
}

async fn try_accept(queue: &Queue) -> Result<i64, QueueError> {
    let payload = vec![7; ENTRY_BYTES];
    let accepted = queue.accept("push-dovecot", EntryKind::Report, payload);
    accepted.await.map(|it| it.id)
}

/// Accepts entries until there is no room, and answers their ids.
async fn fill(queue: &Queue) -> Vec<i64> {
    limit_pages(queue, 40).await;
    let mut ids = Vec::new();
    loop {
        match try_accept(queue).await {
            Ok(id) => ids.push(id),
            Err(QueueError::DiskFull { .. }) => return ids,
            Err(other) => panic!("not the right refusal: {other}"),
        }
    }
}

/// Tries until an entry is accepted, as a mail server would.
async fn accept_when_possible(queue: &Queue) -> i64 {
    soon(async {
        loop {
            match try_accept(queue).await {
                Ok(id) => return id,
                Err(QueueError::DiskFull { .. }) => tokio::time::sleep(BETWEEN_TRIES).await,
                Err(other) => panic!("not the right refusal: {other}"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_full_disk_refuses_quickly_keeps_what_it_has_and_recovers_by_itself() {
    let world = World::new();
    let mut ids = fill(&world.queue).await;
    assert!(!ids.is_empty());

    let asked = Instant::now();
    let refused = try_accept(&world.queue).await;
    let told = refused.expect_err("still full");
    assert!(matches!(told, QueueError::DiskFull { .. }), "{told}");
    assert!(told.to_string().contains("queue.db"), "{told}");
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!(world.inbox("push-dovecot").await, ids);

    limit_pages(&world.queue, 40).await;
    ids.push(accept_when_possible(&world.queue).await);
    assert_eq!(world.inbox("push-dovecot").await, ids);
}

#[tokio::test]
async fn a_full_queue_that_drains_accepts_again() {
    let world = World::new();
    let ids = fill(&world.queue).await;

    world.complete(ids, vec![]).await;

    let id = accept_when_possible(&world.queue).await;
    assert_eq!(world.inbox("push-dovecot").await, [id]);
}

#[tokio::test]
async fn without_room_what_frees_it_is_done_beside_what_is_refused() {
    let world = World::new();
    let deliveries = world.fan_out(1, "apns", &[10, 11]).await;
    let kept = fill(&world.queue).await;
    let queue = &world.queue;
    let (release, held) = hold(queue).await;
    let accepting = tokio::spawn({
        let queue = queue.clone();
        async move { try_accept(&queue).await }
    });
    until_waiting(queue, 1).await;
    let finishing = tokio::spawn({
        let queue = queue.clone();
        let finished = vec![(deliveries[0], Finish::Delivered)];
        async move { queue.finish(finished).await }
    });
    until_waiting(queue, 2).await;

    release.send(()).expect("held");
    held.await.expect("no panic").expect("done");

    let refused = soon(accepting).await.expect("no panic");
    assert!(matches!(refused, Err(QueueError::DiskFull { .. })));
    assert_eq!(soon(finishing).await.expect("no panic"), Ok(1));
    assert_eq!(world.outbox("apns", 0).await, [deliveries[1]]);
    assert_eq!(world.inbox("push-dovecot").await, kept);
}

#[tokio::test]
async fn a_purge_makes_room() {
    let world = World::new();
    let ids = fill(&world.queue).await;

    let purged = world.queue.purge(Filter::all(Side::Inbox)).await;

    assert_eq!(purged, Ok(ids.len()));
    accept_when_possible(&world.queue).await;
}

#[tokio::test]
async fn the_reserve_is_given_up_on_a_full_disk_and_set_aside_again_after_it() {
    let world = World::new();
    let reserve = world.folder.path().join("queue.db-reserve");
    let kept = |path: &Path| std::fs::metadata(path).map(|found| found.len()).ok();
    assert_eq!(kept(&reserve), Some(RESERVE_BYTES as u64));

    let ids = fill(&world.queue).await;
    assert_eq!(kept(&reserve), None);

    world.complete(ids, vec![]).await;
    accept_when_possible(&world.queue).await;
    assert_eq!(kept(&reserve), Some(RESERVE_BYTES as u64));
}

#[tokio::test]
async fn without_room_no_entry_is_accepted_that_would_use_up_the_reserve() {
    let world = World::new();
    fill(&world.queue).await;
    limit_pages(&world.queue, 40).await;

    let refused = try_accept(&world.queue).await;

    assert!(matches!(refused, Err(QueueError::DiskFull { .. })));
}

#[tokio::test]
async fn a_reserve_that_was_left_incomplete_is_completed() {
    let mut world = World::new();
    world.queue.close().await.expect("closes");
    let reserve = world.folder.path().join("queue.db-reserve");
    std::fs::write(&reserve, b"cut short").expect("written");

    world.queue = open(world.folder.path(), Durability::Power, &world.clock);

    let found = std::fs::metadata(&reserve).expect("there").len();
    assert_eq!(found, RESERVE_BYTES as u64);
}
