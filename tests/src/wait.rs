//! Waiting for conditions, with a deadline.

use std::time::{Duration, Instant};

/// How long anything may take before a scenario fails: far more than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long between two looks at a condition that tells nobody when it changes.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until a condition gives something.
///
/// # Panics
///
/// It does not do so within [`PATIENCE`].
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(LOOK).await;
    }
}
