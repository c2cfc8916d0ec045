//! Order for each user, concurrency over users.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;

use tokio::sync::mpsc;

use crate::user::User;

/// How many users' events are dealt with at once.
const LANES: usize = 64;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the tasks of one user one after the other.
///
/// The host hands out at most the manifest's `window` at a time, so the queues need no bound of
/// their own.
pub(super) struct Lanes {
    queues: Vec<mpsc::UnboundedSender<Task>>,
    workers: tokio::task::JoinSet<()>,
    next: usize,
}

impl Lanes {
    pub(super) fn start() -> Self {
        let mut workers = tokio::task::JoinSet::new();
        let queues = (0..LANES)
            .map(|_| {
                let (queue, mut tasks) = mpsc::unbounded_channel::<Task>();
                workers.spawn(async move {
                    while let Some(task) = tasks.recv().await {
                        task.await;
                    }
                });
                queue
            })
            .collect();
        Self {
            queues,
            workers,
            next: 0,
        }
    }

    /// What belongs to no user goes to any lane.
    pub(super) fn run(
        &mut self,
        user: Option<User>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let lane = match user {
            Some(user) => {
                let mut hasher = DefaultHasher::new();
                user.hash(&mut hasher);
                usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
            }
            None => {
                self.next = (self.next + 1) % LANES;
                self.next
            }
        };
        // A lane ends only by a panic of its task, which ends the plugin.
        let _ = self.queues[lane].send(Box::pin(task));
    }

    /// Waits for everything in hand. Returns the first panic.
    pub(super) async fn drain(mut self) -> Result<(), tokio::task::JoinError> {
        self.queues.clear();
        while let Some(ended) = self.workers.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Resolves when a lane has ended by a panic.
    pub(super) async fn failed(&mut self) -> tokio::task::JoinError {
        loop {
            match self.workers.join_next().await {
                Some(Err(error)) => return error,
                Some(Ok(())) => {}
                None => std::future::pending().await,
            }
        }
    }
}
