//! The handle through which the host uses the queue.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot, watch};

use super::complete::{CompleteInbox, Completed};
use super::error::QueueError;
use super::file;
use super::filter::Filter;
use super::inbox::{Accept, Accepted, FailInbox, InboxFailure, InboxPage, LoadInbox};
use super::job::{Operation, Task};
use super::listing::{Count, CountAll, List, Listed, Purge, Retry};
use super::model::EntryKind;
use super::options::{Clock, Options};
use super::outbox::{Finish, FinishDeliveries, LoadOutbox, OutboxPage};
use super::payload::Payload;
use super::stats::{Counters, Stats};
use super::upkeep::{DeleteForSubscription, Expire, ForgetSeen, SLICE_ROWS};
use super::writer::{Message, Writer};

/// Jobs that may wait for the writer; who comes later waits for a place.
const WAITING_JOBS: usize = 8192;

/// The queue. Clones share the one writer.
///
/// Every method waits for the answer of the writer, and for a place while many others wait. A call
/// that is dropped half-way may still be carried out. All of them fail with
/// [`QueueError::Closed`] once the queue is closed, and with the other errors as they befall the
/// file.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    jobs: mpsc::Sender<Message>,
    ended: watch::Receiver<Option<Result<(), QueueError>>>,
    counters: Arc<Counters>,
    clock: Clock,
}

impl Queue {
    /// Opens the file, creating it when there is none, and starts the writer. Blocks for as long
    /// as the disk takes.
    ///
    /// # Errors
    ///
    /// Whatever keeps the file from being used, as a sentence for the operator.
    pub fn open(options: Options) -> Result<Self, QueueError> {
        let path: Arc<Path> = options.path.into();
        let db = file::open(&path)?;
        let counters = Arc::new(Counters::default());
        let (jobs, waiting) = mpsc::channel(WAITING_JOBS);
        let (end, ended) = watch::channel(None);
        let writer = Writer::new(
            db,
            Arc::clone(&path),
            options.durability,
            Arc::clone(&counters),
        );
        thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || end.send_replace(Some(writer.run(waiting))))
            .map_err(|error| QueueError::from_io(&path, "start its writer", &error))?;
        Ok(Queue(Arc::new(Shared {
            jobs,
            ended,
            counters,
            clock: options.clock,
        })))
    }

    /// Does all that waits, brings the log into the file and closes it. Later calls fail with
    /// [`QueueError::Closed`]; closing again waits for the same end.
    ///
    /// A queue whose handles are all dropped ends in the same way, with nobody to wait for it.
    ///
    /// # Errors
    ///
    /// The log could not be brought into the file. Nothing is lost by that: the next opening
    /// does it.
    pub async fn close(&self) -> Result<(), QueueError> {
        // It fails when the queue is closed already.
        let _ = self.0.jobs.send(Message::Close).await;
        let mut ended = self.0.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(Ok(())),
            Err(_) => Err(QueueError::Closed),
        }
    }

    /// What the queue has done so far.
    pub fn stats(&self) -> Stats {
        let waiting = self.0.jobs.max_capacity() - self.0.jobs.capacity();
        self.0.counters.read(waiting)
    }

    /// Keeps an entry for the plugin `target`. Once answered, it survives what
    /// [`Options::durability`] says.
    pub async fn accept(
        &self,
        target: impl Into<Arc<str>>,
        kind: EntryKind,
        payload: impl Into<Payload>,
    ) -> Result<Accepted, QueueError> {
        self.submit(Accept {
            target: target.into(),
            kind,
            payload: payload.into(),
            at: self.0.clock.now(),
        })
        .await
    }

    /// Closes entries, fans their messages out and parks events, as a whole or not at all.
    pub async fn complete(&self, what: CompleteInbox) -> Result<Completed, QueueError> {
        self.submit(what).await
    }

    /// Records that an entry could not be handled. `false` when there is no such entry.
    pub async fn fail_inbox(
        &self,
        id: i64,
        reason: impl Into<String>,
        failure: InboxFailure,
    ) -> Result<bool, QueueError> {
        self.submit(FailInbox {
            id,
            reason: reason.into(),
            failure,
        })
        .await
    }

    /// Records how deliveries went, all of them or none. Answers how many of them there were.
    pub async fn finish(&self, deliveries: Vec<(i64, Finish)>) -> Result<usize, QueueError> {
        self.submit(FinishDeliveries(deliveries)).await
    }

    /// The waiting entries of a plugin with ids above `after`, in order: `limit` at most, fewer
    /// when they are large.
    pub async fn load_inbox(
        &self,
        target: impl Into<Arc<str>>,
        after: i64,
        limit: u32,
    ) -> Result<InboxPage, QueueError> {
        self.submit(LoadInbox {
            target: target.into(),
            after,
            limit,
        })
        .await
    }

    /// The waiting deliveries of a transport with ids above `after`, in order: `limit` at most,
    /// fewer when they are large. Those with a time after `now` are told without their payload.
    pub async fn load_outbox(
        &self,
        transport: impl Into<Arc<str>>,
        after: i64,
        limit: u32,
        now: i64,
    ) -> Result<OutboxPage, QueueError> {
        self.submit(LoadOutbox {
            transport: transport.into(),
            after,
            limit,
            now,
        })
        .await
    }

    /// Entries or deliveries that match, with ids above `after`, in order, `limit` at most.
    pub async fn list(
        &self,
        filter: Filter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Listed>, QueueError> {
        self.submit(List {
            filter,
            after,
            limit,
        })
        .await
    }

    /// How many there are by side, destination and state, in that order. Reads an index of all
    /// there is: some 50 ms for a million.
    pub async fn count(&self) -> Result<Vec<Count>, QueueError> {
        self.submit(CountAll).await
    }

    /// Deletes what matches and tells how many that were. On an error, some may be deleted.
    pub async fn purge(&self, filter: Filter) -> Result<usize, QueueError> {
        self.in_slices(|| Purge(filter.clone())).await
    }

    /// Makes the dead that match wait again as if they had never failed, and tells how many
    /// that were. On an error, some may wait again.
    pub async fn retry(&self, filter: Filter) -> Result<usize, QueueError> {
        self.in_slices(|| Retry(filter.clone())).await
    }

    /// Deletes all deliveries for a device and tells how many that were. On an error, some may
    /// be deleted.
    pub async fn delete_for_subscription(&self, subscription: i64) -> Result<usize, QueueError> {
        self.in_slices(|| DeleteForSubscription { subscription })
            .await
    }

    /// Deletes deliveries whose expiry is `now` or earlier, the first to expire first, and tells
    /// how many that were: fewer than `limit` when no more are left.
    pub async fn expire(&self, now: i64, limit: u32) -> Result<usize, QueueError> {
        self.submit(Expire { now, limit }).await
    }

    /// Forgets keys seen before a time, the oldest first, and tells how many that were: fewer
    /// than `limit` when no more are left. A message with a forgotten key is new again.
    pub async fn forget_seen(&self, before: i64, limit: u32) -> Result<usize, QueueError> {
        self.submit(ForgetSeen { before, limit }).await
    }

    /// Repeats a job that does a slice until a slice is not full.
    async fn in_slices<O>(&self, slice: impl Fn() -> O) -> Result<usize, QueueError>
    where
        O: Operation<Output = usize>,
    {
        let mut total = 0;
        loop {
            let done = self.submit(slice()).await?;
            total += done;
            if done < SLICE_ROWS as usize {
                return Ok(total);
            }
        }
    }

    pub(super) async fn submit<O: Operation>(&self, operation: O) -> Result<O::Output, QueueError> {
        let (caller, answer) = oneshot::channel();
        let job = Message::Run(Box::new(Task::new(operation, caller)));
        let sent = self.0.jobs.send(job).await;
        sent.map_err(|_| QueueError::Closed)?;
        answer.await.unwrap_or(Err(QueueError::Closed))
    }
}
