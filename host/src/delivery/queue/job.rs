//! What the writer knows of the work that it is given: run it, answer it.

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::QueueError;

/// What an operation does to the size of the file; when there is no room, operations are tried
/// in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// Reads, or makes the file emptier.
    Frees,
    /// Replaces rows by others.
    Moves,
    /// Adds to what is there.
    Takes,
}

/// One thing to do with the queue's file.
pub(super) trait Operation: Send + 'static {
    /// What the caller gets back.
    type Output: Send + 'static;

    /// What it does to the size of the file.
    const ROOM: Room;

    /// Whether the answer has to wait until the disk holds it.
    const DURABLE: bool = false;

    /// Works inside a transaction that other operations share. Must be able to run again after
    /// a rollback, and must not begin or end transactions.
    fn run(&self, db: &Connection) -> rusqlite::Result<Self::Output>;
}

/// An operation with the way back to its caller.
pub(super) trait Job: Send {
    fn room(&self) -> Room;
    fn durable(&self) -> bool;
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;
    /// `Ok` once the transaction of the last run is committed.
    fn answer(&mut self, outcome: Result<(), QueueError>);
}

pub(super) struct Task<O: Operation> {
    operation: O,
    output: Option<O::Output>,
    caller: Option<oneshot::Sender<Result<O::Output, QueueError>>>,
}

impl<O: Operation> Task<O> {
    pub(super) fn new(
        operation: O,
        caller: oneshot::Sender<Result<O::Output, QueueError>>,
    ) -> Self {
        Task {
            operation,
            output: None,
            caller: Some(caller),
        }
    }
}

impl<O: Operation> Job for Task<O> {
    fn room(&self) -> Room {
        O::ROOM
    }

    fn durable(&self) -> bool {
        O::DURABLE
    }

    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.output = Some(self.operation.run(db)?);
        Ok(())
    }

    fn answer(&mut self, outcome: Result<(), QueueError>) {
        let Some(caller) = self.caller.take() else {
            return;
        };
        let answer = outcome.and_then(|()| self.output.take().ok_or(QueueError::Closed));
        // A caller that went away does not undo what was committed.
        let _ = caller.send(answer);
    }
}
