//! What grows old in the queue is taken out of it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Context;
use super::queue::{Queue, QueueError};
use crate::clock::now_ms;

/// How often it is looked for.
const INTERVAL: Duration = Duration::from_secs(30);

/// Rows of one transaction: little enough not to be noticed between two commits.
const SLICE: u32 = 500;

/// How long a message is recognised when it is told again, in milliseconds: a day, in which a
/// second listener or a mail server that was away has caught up.
const SEEN_FOR_MS: i64 = 24 * 60 * 60 * 1_000;

/// Runs until the dispatchers' context is dropped.
pub(super) fn spawn(queue: Queue, context: &Arc<Context>) {
    let context: Weak<Context> = Arc::downgrade(context);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        while context.strong_count() > 0 {
            ticks.tick().await;
            if let Err(error) = sweep(&queue).await {
                if matches!(error, QueueError::Closed) {
                    return;
                }
                tracing::warn!(%error, "old rows of the queue stay for now");
            }
        }
    });
}

async fn sweep(queue: &Queue) -> Result<(), QueueError> {
    let full = usize::try_from(SLICE).unwrap_or(usize::MAX);
    let now = now_ms();
    while queue.forget_seen(now - SEEN_FOR_MS, SLICE).await? >= full {}
    while queue.expire(now, SLICE).await? >= full {}
    Ok(())
}
