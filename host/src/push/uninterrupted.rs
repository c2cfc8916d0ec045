//! Writing to the end.

use std::panic::resume_unwind;

/// Runs a future to its end, also where whoever waits for it is gone: an app that hangs up takes
/// its request's future along, and what is in the database by then has to reach the memory in
/// front of it and the listeners, too.
pub(super) async fn uninterrupted<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        // Nobody aborts the task: it panicked, or the runtime is ending and with it this one.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}
