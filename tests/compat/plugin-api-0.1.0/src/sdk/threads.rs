//! Which plugin a thread works for.
//!
//! An artifact has one plugin and could keep what follows in statics; a test process has many, at
//! once, and each is to hear of its own logs and panics only.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use super::outbound::Outbound;
use crate::frame::Failed;

thread_local! {
    static CURRENT: RefCell<Option<Threads>> = const { RefCell::new(None) };
}

/// What the threads of one plugin share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Threads {
    outbound: Outbound,
    panicked: Arc<Mutex<Option<Failed>>>,
}

impl Threads {
    pub(super) fn new(outbound: Outbound) -> Self {
        Self {
            outbound,
            panicked: Arc::default(),
        }
    }

    /// Counts the calling thread among the plugin's, until it ends.
    pub(super) fn enter(&self) {
        CURRENT.set(Some(self.clone()));
    }

    pub(super) fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// What the last panic on one of these threads said; it is told once.
    pub(super) fn take_panic(&self) -> Option<Failed> {
        self.lock().take()
    }

    pub(super) fn keep_panic(&self, failed: Failed) {
        *self.lock() = Some(failed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Failed>> {
        self.panicked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the plugin that the calling thread works for; `None` on a thread that no SDK started, or
/// one that is at its very end.
pub(super) fn current<T>(ask: impl FnOnce(&Threads) -> T) -> Option<T> {
    CURRENT
        .try_with(|current| current.borrow().as_ref().map(ask))
        .ok()
        .flatten()
}
