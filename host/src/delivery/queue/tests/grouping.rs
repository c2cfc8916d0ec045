//! Many jobs, one commit: what they share, and what they do not.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::task::{JoinHandle, JoinSet};

use super::super::QueueError;
use super::super::writer::BATCH_JOBS;
use super::*;

/// Keeps the writer busy, so that what is sent meanwhile becomes one batch.
struct Hold {
    begun: Mutex<Option<tokio::sync::oneshot::Sender<()>>>,
    release: Mutex<Receiver<()>>,
}

impl Operation for Hold {
    type Output = ();
    const ROOM: Room = Room::Frees;

    fn run(&self, _: &Connection) -> rusqlite::Result<()> {
        if let Some(begun) = self.begun.lock().expect("unpoisoned").take() {
            begun.send(()).expect("the test waits for it");
        }
        let release = self.release.lock().expect("unpoisoned");
        release.recv_timeout(DEADLINE).expect("released");
        Ok(())
    }
}

/// Answers once the writer is held; it goes on when something is sent to the answer.
pub(super) async fn hold(queue: &Queue) -> (Sender<()>, JoinHandle<Result<(), QueueError>>) {
    let (release, wait) = channel();
    let (begin, begun) = tokio::sync::oneshot::channel();
    let hold = Hold {
        begun: Mutex::new(Some(begin)),
        release: Mutex::new(wait),
    };
    let held = tokio::spawn({
        let queue = queue.clone();
        async move { queue.submit(hold).await }
    });
    soon(begun).await.expect("the writer runs it");
    (release, held)
}

/// Waits until so many jobs stand in the channel.
pub(super) async fn until_waiting(queue: &Queue, jobs: usize) {
    soon(async {
        while queue.stats().waiting < jobs {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn accept_all_at_once(queue: &Queue, number: usize) -> JoinSet<Result<i64, QueueError>> {
    let mut callers = JoinSet::new();
    for _ in 0..number {
        let queue = queue.clone();
        callers.spawn(async move {
            let accepted = queue.accept("push-dovecot", EntryKind::Report, vec![1]);
            accepted.await.map(|it| it.id)
        });
    }
    until_waiting(queue, number).await;
    callers
}

#[tokio::test]
async fn callers_that_wait_together_share_one_flushed_commit() {
    let world = World::new();
    let (release, held) = hold(&world.queue).await;
    let before = world.queue.stats();
    let callers = accept_all_at_once(&world.queue, 500).await;

    release.send(()).expect("held");
    let answers = soon(callers.join_all()).await;
    held.await.expect("no panic").expect("done");

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let after = world.queue.stats();
    assert_eq!(after.jobs - before.jobs, 501);
    assert_eq!(after.commits - before.commits, 2, "the hold's and theirs");
    assert_eq!(after.flushed_commits - before.flushed_commits, 1);
}

#[tokio::test]
async fn a_batch_has_a_bound() {
    let world = World::with(Durability::Process);
    let (release, held) = hold(&world.queue).await;
    let before = world.queue.stats();
    let callers = accept_all_at_once(&world.queue, BATCH_JOBS + 1).await;

    release.send(()).expect("held");
    soon(callers.join_all()).await;
    held.await.expect("no panic").expect("done");

    let commits = world.queue.stats().commits - before.commits;
    assert_eq!(commits, 3, "the hold's and two of theirs");
}

/// Tells the `PRAGMA synchronous` in force inside the transaction: 1 is NORMAL, 2 is FULL.
struct Level<const DURABLE: bool>;

impl<const IS: bool> Operation for Level<IS> {
    type Output = i64;
    const ROOM: Room = Room::Frees;
    const DURABLE: bool = IS;

    fn run(&self, db: &Connection) -> rusqlite::Result<i64> {
        db.query_row("PRAGMA synchronous", [], |row| row.get(0))
    }
}

#[tokio::test]
async fn only_what_must_be_on_disk_is_flushed_and_only_against_power_loss() {
    let power = World::with(Durability::Power).queue;
    let process = World::with(Durability::Process).queue;
    for _ in 0..2 {
        assert_eq!(power.submit(Level::<true>).await, Ok(2));
        assert_eq!(power.submit(Level::<false>).await, Ok(1));
        assert_eq!(process.submit(Level::<true>).await, Ok(1));
        assert_eq!(process.submit(Level::<false>).await, Ok(1));
    }
}

#[tokio::test]
async fn a_job_at_fault_fails_alone() {
    let world = World::new();
    let (release, held) = hold(&world.queue).await;
    let good = accept_all_at_once(&world.queue, 20).await;
    let bad = tokio::spawn({
        let queue = world.queue.clone();
        let unheard_of = "INSERT INTO seen (key, at) VALUES (NULL, NULL)";
        async move { queue.submit(Sql(unheard_of.to_owned())).await }
    });
    until_waiting(&world.queue, 21).await;
    let more = accept_all_at_once(&world.queue, 20 + 21).await;

    release.send(()).expect("held");
    let failed = soon(bad).await.expect("no panic");
    let mut ids = Vec::new();
    for answer in soon(good.join_all()).await {
        ids.push(answer.expect("accepted"));
    }
    for answer in soon(more.join_all()).await {
        ids.push(answer.expect("accepted"));
    }
    held.await.expect("no panic").expect("done");

    let told = failed.expect_err("it breaks a rule of the table");
    assert!(matches!(told, QueueError::Other { .. }), "{told}");
    assert!(told.to_string().contains("NOT NULL"), "{told}");
    ids.sort_unstable();
    assert_eq!(world.inbox("push-dovecot").await, ids, "each is there once");
}

#[tokio::test]
async fn what_was_queued_before_the_close_is_done_and_what_comes_after_is_refused() {
    let mut world = World::new();
    let (release, held) = hold(&world.queue).await;
    let callers = accept_all_at_once(&world.queue, 50).await;
    let closing = tokio::spawn({
        let queue = world.queue.clone();
        async move { queue.close().await }
    });
    until_waiting(&world.queue, 51).await;

    release.send(()).expect("held");
    assert_eq!(soon(closing).await.expect("no panic"), Ok(()));
    let answers = soon(callers.join_all()).await;
    held.await.expect("no panic").expect("done");

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let late = world
        .queue
        .accept("push-dovecot", EntryKind::Report, vec![1]);
    assert_eq!(late.await, Err(QueueError::Closed));
    assert_eq!(soon(world.queue.close()).await, Ok(()), "closing again");
    world.queue = open(world.folder.path(), Durability::Power, &world.clock);
    assert_eq!(world.inbox("push-dovecot").await.len(), 50);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_back() {
    let world = World::new();
    let (release, held) = hold(&world.queue).await;
    let mut callers = accept_all_at_once(&world.queue, 3).await;
    callers.shutdown().await;

    release.send(()).expect("held");
    held.await.expect("no panic").expect("done");

    assert_eq!(world.inbox("push-dovecot").await.len(), 3);
}
