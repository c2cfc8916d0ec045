//! The queue on real files.

mod completing;
mod disk;
mod files;
mod full;
mod grouping;
mod handing_out;
mod kill;
mod listing;
mod model;
mod reference;
mod upkeep;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::Queue;
use super::complete::{CompleteInbox, Completed, Fanout, MessageOutcome, NewDelivery};
use super::job::{Operation, Room};
use super::model::{EntryKind, MessageKey};
use super::options::{Clock, Durability, Options};
use super::payload::Payload;

const DEADLINE: Duration = Duration::from_secs(30);

/// A clock that shows what it was set to.
#[derive(Clone, Default)]
struct SetClock(Arc<AtomicI64>);

impl SetClock {
    fn set(&self, now: i64) {
        self.0.store(now, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Clock::new(move || time.load(Ordering::Relaxed))
    }
}

/// A queue in a folder of its own, which goes with it.
struct World {
    queue: Queue,
    clock: SetClock,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        World::with(Durability::Power)
    }

    fn with(durability: Durability) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = SetClock::default();
        let queue = open(folder.path(), durability, &clock);
        World {
            queue,
            clock,
            folder,
        }
    }

    /// Closes the queue and opens it again.
    async fn reopen(&mut self) {
        self.queue.close().await.expect("closes");
        self.queue = open(self.folder.path(), Durability::Process, &self.clock);
    }

    async fn accept(&self, target: &str, payload: &[u8]) -> i64 {
        let accepted = self.queue.accept(target, EntryKind::Report, payload).await;
        accepted.expect("accepted").id
    }

    /// Fans one message out to one device for each of `subscriptions`.
    async fn fan_out(&self, key: u8, transport: &str, subscriptions: &[i64]) -> Vec<i64> {
        let deliveries = subscriptions.iter().map(|it| delivery(transport, *it));
        let done = self.complete(vec![], vec![message(key, deliveries.collect())]);
        match &done.await.messages[..] {
            [MessageOutcome::Fanned(ids)] => ids.clone(),
            other => panic!("not fanned out: {other:?}"),
        }
    }

    async fn complete(&self, close: Vec<i64>, messages: Vec<Fanout>) -> Completed {
        let park = vec![];
        let done = self.queue.complete(CompleteInbox {
            close,
            messages,
            park,
        });
        done.await.expect("completed")
    }

    /// The ids of all waiting entries of a target.
    async fn inbox(&self, target: &str) -> Vec<i64> {
        let page = self.queue.load_inbox(target, 0, 10_000).await;
        let entries = page.expect("loaded").entries;
        entries.iter().map(|entry| entry.id).collect()
    }

    /// The ids of all waiting deliveries of a transport that are ready at `now`.
    async fn outbox(&self, transport: &str, now: i64) -> Vec<i64> {
        let page = self.queue.load_outbox(transport, 0, 10_000, now).await;
        let ready = page.expect("loaded").ready;
        ready.iter().map(|delivery| delivery.id).collect()
    }
}

fn open(folder: &Path, durability: Durability, clock: &SetClock) -> Queue {
    let mut options = Options::new(folder.join("queue.db"));
    options.durability = durability;
    options.clock = clock.clock();
    Queue::open(options).expect("opens")
}

fn key(number: u8) -> MessageKey {
    [number; 16]
}

fn message(number: u8, deliveries: Vec<NewDelivery>) -> Fanout {
    Fanout {
        key: key(number),
        at: i64::from(number),
        deliveries,
    }
}

fn delivery(transport: &str, subscription: i64) -> NewDelivery {
    NewDelivery {
        transport: transport.into(),
        subscription,
        user_context: 1,
        user_id: 249,
        payload: Payload::from(&b"hello"[..]),
        expires_at: 1_000_000,
    }
}

/// Lets no test hang.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("within the deadline")
}

/// Runs one statement as a job and answers the first column of its first row, if any.
struct Sql(String);

impl Operation for Sql {
    type Output = Option<i64>;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<Option<i64>> {
        let mut statement = db.prepare(&self.0)?;
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| row.get(0)).transpose()
    }
}

async fn sql(queue: &Queue, text: impl Into<String>) -> Option<i64> {
    queue.submit(Sql(text.into())).await.expect("it runs")
}

/// The name by which the test program knows a test.
fn own_name(module: &str, test: &str) -> String {
    let (_crate, path) = module.split_once("::").expect("inside a crate");
    format!("{path}::{test}")
}
