use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

/// How long nothing may happen before the folder is read: files that belong together are mostly
/// replaced in one go.
const QUIET: Duration = Duration::from_millis(200);

/// How long a file that is being written is waited for.
const LONGEST_WRITE: Duration = Duration::from_secs(2);

/// What is going on in the watched places.
#[derive(Default)]
pub(crate) struct Activity {
    stirred: Notify,
    /// Files that were written to and not closed since: what they hold is half of something.
    writing: Mutex<HashSet<PathBuf>>,
}

impl Activity {
    /// Something has changed.
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Takes note of an event.
    pub(crate) fn heard(&self, event: &notify::Event) {
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                self.writing().extend(event.paths.iter().cloned());
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => {
                let mut writing = self.writing();
                for path in &event.paths {
                    writing.remove(path);
                }
            }
            // Our own reading, among others.
            EventKind::Access(_) => return,
            _ => {}
        }
        self.stir();
    }

    /// Waits until something has changed and come to rest again, or for a time in which nothing
    /// does.
    pub(crate) async fn settled(&self, at_most: Duration) {
        if timeout(at_most, self.stirred.notified()).await.is_err() {
            return;
        }
        let deadline = Instant::now() + LONGEST_WRITE;
        loop {
            let rest = if self.writing().is_empty() {
                deadline.min(Instant::now() + QUIET)
            } else {
                deadline
            };
            if timeout_at(rest, self.stirred.notified()).await.is_err() {
                break;
            }
        }
        self.writing().clear();
    }

    fn writing(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use notify::Event;
    use notify::event::DataChange;

    use super::*;

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const OPENED: EventKind = EventKind::Access(AccessKind::Open(AccessMode::Any));
    const LONG: Duration = Duration::from_secs(60);

    fn heard(activity: &Activity, kind: EventKind) {
        activity.heard(&Event::new(kind).add_path("/x/push.p12".into()));
    }

    async fn wait(activity: &Activity) -> Duration {
        let start = Instant::now();
        activity.settled(LONG).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_reported_when_it_has_been_quiet() {
        let activity = Activity::default();
        heard(&activity, EventKind::Any);
        assert_eq!(wait(&activity).await, QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_waited_for_until_its_writer_closes_it() {
        let activity = Activity::default();
        heard(&activity, WRITTEN);
        let close = async {
            tokio::time::sleep(LONGEST_WRITE / 2).await;
            heard(&activity, CLOSED);
        };
        let (waited, ()) = tokio::join!(wait(&activity), close);
        assert_eq!(waited, LONGEST_WRITE / 2 + QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_stays_open_is_not_waited_for_without_end() {
        let activity = Activity::default();
        heard(&activity, WRITTEN);
        assert_eq!(wait(&activity).await, LONGEST_WRITE);
    }

    #[tokio::test(start_paused = true)]
    async fn changes_without_end_are_reported_meanwhile() {
        let activity = Activity::default();
        let noise = async {
            loop {
                activity.stir();
                tokio::time::sleep(QUIET / 2).await;
            }
        };
        tokio::select! {
            waited = wait(&activity) => assert_eq!(waited, LONGEST_WRITE),
            () = noise => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn opening_a_file_is_no_change() {
        let activity = Activity::default();
        heard(&activity, OPENED);
        assert_eq!(wait(&activity).await, LONG);
    }
}
