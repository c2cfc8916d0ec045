//! Holding back whoever guesses.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts tries by key, and refuses more than `limit` within `window` that were not taken back.
///
/// A try counts from its beginning: many at once are not all let in before the first has failed.
/// Memory is bounded: of more than twice [`CAPACITY`] keys the older ones are forgotten.
pub(in crate::push) struct Throttle<K> {
    limit: u32,
    window: Duration,
    counts: Mutex<Counts<K>>,
}

/// How many keys one generation holds.
const CAPACITY: usize = 50_000;

struct Counts<K> {
    young: HashMap<K, Count>,
    old: HashMap<K, Count>,
}

#[derive(Clone, Copy)]
struct Count {
    tries: u32,
    since: Instant,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    pub(in crate::push) fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window,
            counts: Mutex::new(Counts {
                young: HashMap::new(),
                old: HashMap::new(),
            }),
        }
    }

    /// Counts a try. The error says how long to wait until the next one is let in.
    pub(in crate::push) fn begin(&self, key: &K) -> Result<(), Duration> {
        let mut counts = self.lock();
        let now = Instant::now();
        let fresh = Count {
            tries: 0,
            since: now,
        };
        let found = counts.take(key).unwrap_or(fresh);
        let age = now.duration_since(found.since);
        let mut count = if age >= self.window { fresh } else { found };
        let allowed = count.tries < self.limit;
        if allowed {
            count.tries += 1;
        }
        counts.put(key, count);
        if allowed {
            Ok(())
        } else {
            Err(self.window.saturating_sub(age))
        }
    }

    /// Takes a try back: it was no failure.
    pub(in crate::push) fn take_back(&self, key: &K) {
        let mut counts = self.lock();
        if let Some(mut count) = counts.take(key) {
            count.tries = count.tries.saturating_sub(1);
            if count.tries > 0 {
                counts.put(key, count);
            }
        }
    }

    /// Forgets all tries of a key.
    pub(in crate::push) fn forgive(&self, key: &K) {
        self.lock().take(key);
    }

    fn lock(&self) -> MutexGuard<'_, Counts<K>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn take(&mut self, key: &K) -> Option<Count> {
        let young = self.young.remove(key);
        young.or_else(|| self.old.remove(key))
    }

    fn put(&mut self, key: &K, count: Count) {
        if self.young.len() >= CAPACITY {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key.clone(), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn throttle() -> Throttle<u32> {
        Throttle::new(3, WINDOW)
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_let_in_up_to_the_limit_and_again_after_the_window() {
        let throttle = throttle();
        for _ in 0..3 {
            assert_eq!(throttle.begin(&1), Ok(()));
        }
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(throttle.begin(&1), Err(Duration::from_secs(40)));
        assert_eq!(throttle.begin(&2), Ok(()));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(throttle.begin(&1), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_tries_do_not_prolong_the_wait() {
        let throttle = throttle();
        for _ in 0..3 {
            assert_eq!(throttle.begin(&1), Ok(()));
        }
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(10)).await;
            assert!(throttle.begin(&1).is_err());
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(throttle.begin(&1), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_no_failure_does_not_count() {
        let throttle = throttle();
        for _ in 0..10 {
            assert_eq!(throttle.begin(&1), Ok(()));
            throttle.take_back(&1);
        }
        for _ in 0..3 {
            assert_eq!(throttle.begin(&1), Ok(()));
        }
        assert!(throttle.begin(&1).is_err());
        throttle.forgive(&1);
        assert_eq!(throttle.begin(&1), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn many_keys_take_bounded_memory_and_the_latest_are_remembered() {
        let throttle = throttle();
        let keys = u32::try_from(CAPACITY).unwrap() * 3;
        for key in 0..keys {
            assert_eq!(throttle.begin(&key), Ok(()));
        }
        {
            let counts = throttle.lock();
            assert!(counts.young.len() + counts.old.len() <= 2 * CAPACITY);
        }
        let latest = keys - 1;
        assert!(throttle.begin(&latest).is_ok() && throttle.begin(&latest).is_ok());
        assert!(throttle.begin(&latest).is_err());
    }
}
