//! What the queue counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the queue was opened, and how much waits for the writer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Jobs done and answered.
    pub jobs: u64,
    /// Jobs answered with an error.
    pub failed_jobs: u64,
    /// Transactions committed; far fewer than jobs under load.
    pub commits: u64,
    /// Those of `commits` that were flushed to disk before the answer.
    pub flushed_commits: u64,
    /// Jobs that wait for the writer.
    pub waiting: usize,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    jobs: AtomicU64,
    failed_jobs: AtomicU64,
    commits: AtomicU64,
    flushed_commits: AtomicU64,
}

impl Counters {
    pub(super) fn committed(&self, jobs: usize, flushed: bool) {
        self.jobs.fetch_add(jobs as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.flushed_commits
            .fetch_add(u64::from(flushed), Ordering::Relaxed);
    }

    pub(super) fn failed(&self, jobs: usize) {
        self.failed_jobs.fetch_add(jobs as u64, Ordering::Relaxed);
    }

    pub(super) fn read(&self, waiting: usize) -> Stats {
        Stats {
            jobs: self.jobs.load(Ordering::Relaxed),
            failed_jobs: self.failed_jobs.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            flushed_commits: self.flushed_commits.load(Ordering::Relaxed),
            waiting,
        }
    }
}
