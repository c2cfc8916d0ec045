//! Things that are due later.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::clock::now_ms;

/// No wait is longer: after this the clock is asked again, which somebody may have set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Rows by the time at which they are due.
pub(super) struct Timers<T> {
    by_time: BTreeMap<(i64, i64), T>,
    times: HashMap<i64, i64>,
    wake_at: Option<i64>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            by_time: BTreeMap::new(),
            times: HashMap::new(),
            wake_at: None,
        }
    }
}

impl<T> Timers<T> {
    /// Makes a row due at a time, in milliseconds since the epoch.
    pub(super) fn set(&mut self, at: i64, id: i64, row: T) {
        if let Some(before) = self.times.insert(id, at) {
            self.by_time.remove(&(before, id));
        }
        self.by_time.insert((at, id), row);
    }

    /// Makes a row that waits here due at once.
    pub(super) fn hasten(&mut self, id: i64) {
        if let Some(at) = self.times.get_mut(&id)
            && let Some(row) = self.by_time.remove(&(*at, id))
        {
            *at = 0;
            self.by_time.insert((0, id), row);
        }
    }

    /// Has [`Timers::due`] resolve at a time, with no row.
    pub(super) fn wake_at(&mut self, at: i64) {
        self.wake_at = Some(self.wake_at.map_or(at, |before| before.min(at)));
    }

    /// Whether a row waits here.
    pub(super) fn contains(&self, id: i64) -> bool {
        self.times.contains_key(&id)
    }

    /// How many rows wait here.
    pub(super) fn len(&self) -> usize {
        self.by_time.len()
    }

    /// When the first thing is due, or it is worth looking again.
    pub(super) fn first(&self) -> Option<i64> {
        let first = self.by_time.keys().next().map(|(at, _)| *at);
        match (first, self.wake_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Resolves when something is due, or when it is worth looking again.
    pub(super) async fn due(&self) {
        until(self.first()).await;
    }

    /// Takes the rows that are due, in the order of their times.
    pub(super) fn take_due(&mut self) -> Vec<(i64, T)> {
        let now = now_ms();
        self.wake_at = self.wake_at.filter(|at| *at > now);
        let mut due = Vec::new();
        while let Some(first) = self.by_time.first_entry() {
            let (at, id) = *first.key();
            if at > now {
                break;
            }
            due.push((id, first.remove()));
            self.times.remove(&id);
        }
        due
    }
}

/// Resolves at a time, or a while before it: whoever waits looks at the clock again.
pub(super) async fn until(at: Option<i64>) {
    match at {
        Some(at) => {
            let wait = u64::try_from(at - now_ms()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait).min(LONGEST_WAIT)).await;
        }
        None => std::future::pending().await,
    }
}
