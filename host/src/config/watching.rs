//! Following changes of the files on disk.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::folder;
use super::live::Config;

#[cfg(test)]
mod tests;

/// How long files have to be left alone before they are read: whoever writes one may be at it.
const QUIET: Duration = Duration::from_millis(100);

/// Files that never come to rest are read after this all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How often the folder is looked at without being told of a change: a link's file may lie where
/// nobody watches, and the kernel's watches may be used up.
const RESCAN: Duration = Duration::from_secs(2);

impl Config {
    /// Follows changes of the files on disk until the returned task is aborted or nobody else
    /// holds the configuration. Has to be called on a tokio runtime.
    pub fn watch(self: Arc<Self>) -> JoinHandle<()> {
        tokio::spawn(follow(Arc::downgrade(&self)))
    }
}

/// What the kernel tells.
#[derive(Default)]
struct Told {
    change: Notify,
    /// The folder itself was moved or removed, and the watch with it.
    folder_gone: AtomicBool,
}

async fn follow(config: Weak<Config>) {
    let told = Arc::new(Told::default());
    let mut watcher = None;
    let mut complained = false;
    let mut rescan = interval(RESCAN);
    rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let changed = tokio::select! {
            () = told.change.notified() => true,
            _ = rescan.tick() => false,
        };
        if changed {
            settle(&told.change).await;
        }
        let Some(config) = config.upgrade() else {
            return;
        };
        // Before the files are read, so that no change falls between the two.
        if watcher.is_none() || told.folder_gone.swap(false, Ordering::AcqRel) {
            watcher = match start(config.folder(), Arc::clone(&told)) {
                Ok(watcher) => {
                    complained = false;
                    Some(watcher)
                }
                Err(error) => {
                    if !std::mem::replace(&mut complained, true) {
                        tracing::warn!(
                            "{}: changes of the configuration take up to {} s to be seen, because \
                             the folder cannot be watched: {error}",
                            config.folder().display(),
                            RESCAN.as_secs(),
                        );
                    }
                    None
                }
            };
        }
        let replaced = spawn_blocking(move || look(&config, changed)).await;
        // An error here is the end of the runtime, or a panic that was already reported.
        if replaced.unwrap_or(false) {
            watcher = None;
        }
    }
}

/// Waits until nothing has changed for a while.
async fn settle(change: &Notify) {
    let end = Instant::now() + LONGEST_WAIT;
    while Instant::now() < end && timeout(QUIET, change.notified()).await.is_ok() {}
}

/// Reads the files if they changed; `true` where another folder stands in the place of the last.
fn look(config: &Config, changed: bool) -> bool {
    let (now, then) = config.fingerprints();
    if changed || now != then {
        // It logs what is wrong, and keeps it for whoever asks.
        let _ = config.reload();
    }
    !now.same_folder(&then)
}

fn start(folder: &Path, told: Arc<Told>) -> notify::Result<RecommendedWatcher> {
    let watched = folder.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let Ok(event) = event else {
            return told.change.notify_one();
        };
        // Listing the folder is an event of the folder.
        let accessed = matches!(event.kind, EventKind::Access(_));
        let of_folder = !accessed && event.paths.contains(&watched);
        if of_folder {
            told.folder_gone.store(true, Ordering::Release);
        }
        if of_folder || concerns_files(&event) {
            told.change.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Reading a file is an event, too, and must not lead to reading it.
fn concerns_files(event: &Event) -> bool {
    let written = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    event.need_rescan() || written && event.paths.iter().any(|path| folder::counts(path))
}
