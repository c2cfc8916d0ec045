//! Waiting for a condition, with a deadline.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

/// How long anything may take before the demo gives up, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long between two looks at a condition that tells nobody when it changes.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until a condition gives something, or cannot any more.
pub(crate) async fn until<T>(
    what: &str,
    mut condition: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The same for something that tells when it is there.
pub(crate) async fn within<T>(what: &str, event: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(result) => result,
        Err(_) => bail!("waited {} s in vain for {what}", PATIENCE.as_secs()),
    }
}
