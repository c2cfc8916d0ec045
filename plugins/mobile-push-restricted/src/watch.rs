//! Notices that something in the folder changes, and that it has come to rest.

mod activity;
mod places;

use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

pub(crate) use activity::Activity;
pub(crate) use places::Places;

/// How often the folder is read though no change was noticed: a network file system tells of
/// none, nor does a link far away from the folder.
pub(crate) const RESCAN: Duration = Duration::from_secs(30);

/// Watches places for one folder.
pub(crate) struct Watch {
    activity: Arc<Activity>,
    places: Places,
    /// It stops when it is dropped.
    watcher: Option<RecommendedWatcher>,
    trouble: Option<String>,
}

impl Watch {
    pub(crate) fn new(activity: Arc<Activity>) -> Self {
        Self {
            activity,
            places: Places::default(),
            watcher: None,
            trouble: None,
        }
    }

    /// Watches these places and no others. True where that is new, so that something may have
    /// changed unseen before.
    ///
    /// Another inode at a path that was watched is another place; a watcher that knows the path
    /// already would go on with the old one, so a new one is made.
    pub(crate) fn follow(&mut self, places: Places) -> bool {
        if places == self.places && self.watcher.is_some() {
            return false;
        }
        self.places = places;
        match self.watcher() {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.trouble = None;
            }
            Err(error) => {
                self.watcher = None;
                self.trouble = Some(format!(
                    "changes of files are only noticed every {} s, since they cannot be watched: \
                     {error}",
                    RESCAN.as_secs()
                ));
            }
        }
        self.watcher.is_some()
    }

    /// Why nothing is noticed.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn watcher(&self) -> notify::Result<RecommendedWatcher> {
        let (activity, places) = (self.activity.clone(), self.places.clone());
        let mut watcher = notify::recommended_watcher(move |event| match event {
            Ok(event) if !places.concerns(&event) => {}
            Ok(event) => activity.heard(&event),
            // Something was missed.
            Err(_) => activity.stir(),
        })?;
        for path in self.places.paths() {
            match watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                // It went away since it was found; that was noticed by what is above it.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {
                    self.activity.stir();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(watcher)
    }
}
