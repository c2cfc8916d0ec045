//! Who is given nothing at the moment, for operators.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use belfry_plugin_api::manifest::PluginId;

use crate::clock::now_ms;

/// Who is given nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldUp {
    /// A transport pauses: its provider or our credential is in trouble.
    Transport(Arc<str>),
    /// A plugin's event handlers are deny-listed.
    EventHandlers(PluginId),
}

/// Why, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldUp {
    /// Who is given nothing.
    pub who: HeldUp,
    /// When it is tried again, in milliseconds since the Unix epoch.
    pub until_ms: i64,
    /// Why, in a sentence.
    pub reason: String,
}

/// All that is held up.
#[derive(Default)]
pub(super) struct HoldUps(Mutex<BTreeMap<HeldUp, (i64, String)>>);

impl HoldUps {
    pub(super) fn begin(&self, who: HeldUp, until_ms: i64, reason: &str) {
        self.lock().insert(who, (until_ms, reason.to_owned()));
    }

    pub(super) fn end(&self, who: &HeldUp) {
        self.lock().remove(who);
    }

    /// Those whose time is not over.
    pub(super) fn list(&self) -> Vec<HoldUp> {
        let now = now_ms();
        let mut all = self.lock();
        all.retain(|_, (until_ms, _)| *until_ms > now);
        let held = all.iter().map(|(who, (until_ms, reason))| HoldUp {
            who: who.clone(),
            until_ms: *until_ms,
            reason: reason.clone(),
        });
        held.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HeldUp, (i64, String)>> {
        // Changes are single inserts and removes; a panic leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
