//! The thread that owns the file.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::error::{QueueError, Reach};
use super::job::{Job, Room};
use super::options::Durability;
use super::reserve::Reserve;
use super::stats::Counters;

/// Jobs that share a transaction at most; bounds how long the first one waits for its answer.
pub(super) const BATCH_JOBS: usize = 1024;
/// Pages in the log after which it is brought into the file: 8 MiB at 4 KiB a page.
const CHECKPOINT_PAGES: i64 = 2048;

pub(super) enum Message {
    Run(Box<dyn Job>),
    Close,
}

pub(super) struct Writer {
    db: Connection,
    path: Arc<Path>,
    durability: Durability,
    counters: Arc<Counters>,
    reserve: Reserve,
    /// Whether the connection flushes at commit, as it stands now.
    flushing: bool,
    /// There was no room in this batch: entries are refused for the sake of what frees it.
    short: bool,
    /// The disk failed: earlier commits that only the operating system held may be lost, and the
    /// log must not be built on until it has been brought into the file.
    in_doubt: bool,
    /// Whether the last transaction failed, so that the log tells beginning and end only.
    failing: bool,
    checkpoint_at: i64,
}

impl Writer {
    pub(super) fn new(
        db: Connection,
        path: Arc<Path>,
        durability: Durability,
        counters: Arc<Counters>,
    ) -> Self {
        Writer {
            reserve: Reserve::of(&path),
            db,
            path,
            durability,
            counters,
            flushing: true,
            short: false,
            in_doubt: false,
            failing: false,
            checkpoint_at: CHECKPOINT_PAGES,
        }
    }

    /// Works until it is told to close or every handle is gone; all that was queued is done.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Message>) -> Result<(), QueueError> {
        let mut messages = Vec::with_capacity(BATCH_JOBS);
        let mut jobs = Vec::with_capacity(BATCH_JOBS);
        while queue.blocking_recv_many(&mut messages, BATCH_JOBS) > 0 {
            for message in messages.drain(..) {
                match message {
                    Message::Run(job) => jobs.push(job),
                    Message::Close => queue.close(),
                }
            }
            if !jobs.is_empty() {
                self.batch(&mut jobs);
                jobs.clear();
            }
            self.checkpoint_when_due();
        }
        self.close()
    }

    fn batch(&mut self, jobs: &mut [Box<dyn Job>]) {
        self.reserve.recover();
        self.short = self.reserve.is_given_up();
        match self.short {
            true => self.settle_without_room(jobs),
            false => self.settle(jobs),
        }
    }

    /// Does all of `jobs` in one transaction, or saves what it can; every job is answered.
    fn settle(&mut self, jobs: &mut [Box<dyn Job>]) {
        let Err(error) = self.attempt(jobs) else {
            self.answer_done(jobs);
            return;
        };
        match Reach::of(&error) {
            Reach::Job if jobs.len() > 1 => {
                let (left, right) = jobs.split_at_mut(jobs.len() / 2);
                self.settle(left);
                self.settle(right);
            }
            Reach::Room if !self.short => {
                self.short = true;
                self.reserve.give_up();
                self.settle_without_room(jobs);
            }
            _ => {
                let told = QueueError::from_sqlite(&self.path, "work on its file", &error);
                self.answer_failed(jobs, &told);
            }
        }
    }

    /// Refuses what needs room, and does the rest: what frees room first.
    fn settle_without_room(&mut self, jobs: &mut [Box<dyn Job>]) {
        // A log that has been brought into the file is written from its beginning again. There
        // may be no room for that either; then nothing is lost by having tried.
        let _ = self.checkpoint("PRAGMA wal_checkpoint(RESTART)");
        jobs.sort_by_key(|job| job.room());
        for alike in jobs.chunk_by_mut(|a, b| a.room() == b.room()) {
            if alike.iter().any(|job| job.room() == Room::Takes) {
                let path = Arc::clone(&self.path);
                self.answer_failed(alike, &QueueError::DiskFull { path });
            } else {
                self.settle(alike);
            }
        }
    }

    /// One transaction. On an error nothing of it is left.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let flush = self.durability == Durability::Power && jobs.iter().any(|job| job.durable());
        let result = self.transaction(jobs, flush);
        match &result {
            Ok(()) => self.counters.committed(jobs.len(), flush),
            Err(error) => {
                if !self.db.is_autocommit() {
                    let _ = self.db.execute_batch("ROLLBACK");
                }
                self.in_doubt |= Reach::of(error) == Reach::Disk;
            }
        }
        result
    }

    fn transaction(&mut self, jobs: &mut [Box<dyn Job>], flush: bool) -> rusqlite::Result<()> {
        if self.in_doubt {
            self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")?;
            self.in_doubt = false;
        }
        if self.flushing != flush {
            self.db.execute_batch(match flush {
                true => "PRAGMA synchronous = FULL",
                false => "PRAGMA synchronous = NORMAL",
            })?;
            self.flushing = flush;
        }
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for job in jobs {
            job.run(&self.db)?;
        }
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn answer_done(&mut self, jobs: &mut [Box<dyn Job>]) {
        if self.failing && !self.reserve.is_given_up() {
            self.failing = false;
            tracing::info!(path = %self.path.display(), "the delivery queue works again");
        }
        for job in jobs {
            job.answer(Ok(()));
        }
    }

    fn answer_failed(&mut self, jobs: &mut [Box<dyn Job>], told: &QueueError) {
        self.counters.failed(jobs.len());
        if !self.failing {
            self.failing = true;
            tracing::error!("{told}");
        }
        for job in jobs {
            job.answer(Err(told.clone()));
        }
    }

    /// Runs after the answers, so that no caller waits for it.
    fn checkpoint_when_due(&mut self) {
        let pages = match self.checkpoint("PRAGMA wal_checkpoint(NOOP)") {
            Ok(pages) if pages >= self.checkpoint_at => pages,
            _ => return,
        };
        match self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)") {
            Ok(_) => self.checkpoint_at = CHECKPOINT_PAGES,
            // Everything is safe in the log; try again when that has grown as much once more.
            Err(error) => {
                self.in_doubt |= Reach::of(&error) == Reach::Disk;
                self.checkpoint_at = pages + CHECKPOINT_PAGES;
                let told = QueueError::from_sqlite(&self.path, "shorten its log", &error);
                tracing::warn!("{told}");
            }
        }
    }

    /// Runs a checkpoint and tells how many pages of the log are not in the file.
    fn checkpoint(&self, sql: &str) -> rusqlite::Result<i64> {
        self.db
            .prepare_cached(sql)?
            .query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
    }

    fn close(self) -> Result<(), QueueError> {
        let told =
            |error: &rusqlite::Error| QueueError::from_sqlite(&self.path, "close its file", error);
        // Closing would do it too, but keeps silent when it fails.
        let checkpointed = self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)");
        let closed = self.db.close();
        checkpointed.map_err(|error| told(&error))?;
        closed.map_err(|(_, error)| told(&error))
    }
}
