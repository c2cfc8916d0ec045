//! What both doubles have in common: address, faults, record, and waiting for what it will hold.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use crate::ca::CaError;
use crate::counts::{Counters, Counts, count};
use crate::device;
use crate::fault_set::Faults;
use crate::record::{Outcome, Provider, Push, Record, Violation};

/// How long after a `Retry-After` answer a request may still have been under way when it was given.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// Why a double does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("the double cannot listen on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The authority cannot make the double's certificate.
    #[error(transparent)]
    Ca(#[from] CaError),
}

/// What was waited for did not come in time.
#[derive(Debug, thiserror::Error)]
#[error("the {provider} double waited {waited:?} for {wanted}; it saw {seen:?}; last: {last}")]
pub struct WaitError {
    provider: Provider,
    waited: Duration,
    wanted: String,
    /// What had been seen by the deadline.
    pub seen: Box<Counts>,
    last: String,
}

/// A running double; [`crate::Apns`] and [`crate::Fcm`] dereference to it.
#[derive(Debug)]
pub struct Double {
    provider: Provider,
    address: SocketAddr,
    record: Record,
    faults: Faults,
    pub(crate) counters: Counters,
    pushes: Mutex<Vec<Push>>,
    violations: Mutex<Vec<Violation>>,
    /// Devices that were answered with `Retry-After`, when, and until when they are to be left alone.
    left_alone: Mutex<HashMap<String, (Instant, Instant)>>,
    any_left_alone: AtomicBool,
    changed: Notify,
    pub(crate) hang_up: Notify,
}

impl Double {
    pub(crate) fn new(provider: Provider, address: SocketAddr, record: Record) -> Self {
        Self {
            provider,
            address,
            record,
            faults: Faults::default(),
            counters: Counters::default(),
            pushes: Mutex::default(),
            violations: Mutex::default(),
            left_alone: Mutex::default(),
            any_left_alone: AtomicBool::new(false),
            changed: Notify::new(),
            hang_up: Notify::new(),
        }
    }

    /// Where the double listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The double's URL, without a trailing slash: `https://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The faults in force.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Closes all connections at once, as a provider's machine that goes down does; new ones are
    /// welcome.
    pub fn hang_up(&self) {
        self.hang_up.notify_one();
    }

    /// The counters now.
    pub fn counts(&self) -> Counts {
        self.counters.snapshot()
    }

    /// All pushes, in the order they came. Empty unless the double records in [`Record::Full`], as are
    /// the other listings of pushes.
    pub fn pushes(&self) -> Vec<Push> {
        lock(&self.pushes).clone()
    }

    /// The pushes that were taken in, in the order they came.
    pub fn delivered(&self) -> Vec<Push> {
        lock(&self.pushes)
            .iter()
            .filter(|push| push.outcome.is_delivered())
            .cloned()
            .collect()
    }

    /// The notifications that a device shows, oldest first, after the rules by which it shows one
    /// message once (see the crate's page).
    pub fn as_device_sees(&self, token: &str) -> Vec<Push> {
        device::as_device_sees(lock(&self.pushes).iter(), token)
    }

    /// Forgets pushes and violations; counters go on.
    pub fn forget(&self) {
        lock(&self.pushes).clear();
        lock(&self.violations).clear();
    }

    /// Rules that were broken without an error for an answer.
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    /// Waits until this many requests to push came, whatever became of them, and returns the pushes.
    ///
    /// # Errors
    ///
    /// Fewer came within the time.
    pub async fn wait_for(&self, requests: u64, within: Duration) -> Result<Vec<Push>, WaitError> {
        self.wait_until_counts(&format!("{requests} requests"), within, |seen| {
            seen.requests >= requests
        })
        .await?;
        Ok(self.pushes())
    }

    /// Waits until this many pushes were taken in, and returns those.
    ///
    /// # Errors
    ///
    /// Fewer were within the time.
    pub async fn wait_for_delivered(
        &self,
        pushes: u64,
        within: Duration,
    ) -> Result<Vec<Push>, WaitError> {
        let wanted = format!("{pushes} pushes taken in");
        self.wait_until_counts(&wanted, within, |seen| seen.delivered >= pushes)
            .await?;
        Ok(self.delivered())
    }

    /// Waits until the pushes are as wanted; `wanted` says how in the error.
    ///
    /// # Errors
    ///
    /// They were not within the time.
    pub async fn wait_until(
        &self,
        wanted: &str,
        within: Duration,
        mut is_so: impl FnMut(&[Push]) -> bool,
    ) -> Result<(), WaitError> {
        self.wait(wanted, within, || is_so(&lock(&self.pushes)))
            .await
    }

    /// Waits until the counters are as wanted.
    ///
    /// # Errors
    ///
    /// They were not within the time.
    pub async fn wait_until_counts(
        &self,
        wanted: &str,
        within: Duration,
        mut are_so: impl FnMut(&Counts) -> bool,
    ) -> Result<(), WaitError> {
        self.wait(wanted, within, || are_so(&self.counts())).await
    }

    async fn wait(
        &self,
        wanted: &str,
        within: Duration,
        mut is_so: impl FnMut() -> bool,
    ) -> Result<(), WaitError> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so() {
                return Ok(());
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() && !is_so() {
                return Err(self.wait_error(wanted, within));
            }
        }
    }

    fn wait_error(&self, wanted: &str, waited: Duration) -> WaitError {
        let last = lock(&self.pushes).last().map_or_else(
            || "none".to_owned(),
            |push| {
                format!(
                    "{:?} to {} on connection {}",
                    push.outcome, push.token, push.connection
                )
            },
        );
        WaitError {
            provider: self.provider,
            waited,
            wanted: wanted.to_owned(),
            seen: Box::new(self.counts()),
            last,
        }
    }

    /// Writes a push down; `push` is only called when the record wants it whole.
    pub(crate) fn record(&self, outcome: Outcome, push: impl FnOnce(Outcome) -> Push) {
        count(&self.counters.requests);
        match &outcome {
            outcome if outcome.is_delivered() => count(&self.counters.delivered),
            Outcome::Refused { .. } => count(&self.counters.refused),
            Outcome::Dropped => count(&self.counters.dropped),
            _ => {}
        }
        match &self.record {
            Record::Full => lock(&self.pushes).push(push(outcome)),
            Record::CountsOnly => {}
            // A receiver that went away wants no more pushes.
            Record::Feed(feed) => drop(feed.send(push(outcome))),
        }
        self.changed.notify_waiters();
    }

    pub(crate) fn notify(&self) {
        self.changed.notify_waiters();
    }

    pub(crate) fn violation(&self, connection: u64, what: impl Into<String>) {
        lock(&self.violations).push(Violation {
            at: SystemTime::now(),
            connection,
            what: what.into(),
        });
        count(&self.counters.violations);
        self.notify();
    }

    /// Notes that a device is to be left alone for a while.
    pub(crate) fn leave_alone(&self, token: &str, retry_after: Duration) {
        let now = Instant::now();
        lock(&self.left_alone).insert(token.to_owned(), (now + UNDER_WAY, now + retry_after));
        self.any_left_alone.store(true, Ordering::Release);
    }

    /// Lists a violation when a device is tried again before its `Retry-After` is over.
    pub(crate) fn check_left_alone(&self, connection: u64, token: &str, now: Instant) {
        if !self.any_left_alone.load(Ordering::Acquire) {
            return;
        }
        let span = lock(&self.left_alone).get(token).copied();
        if let Some((from, until)) = span
            && (from..until).contains(&now)
        {
            let early = until - now;
            self.violation(
                connection,
                format!("a device was tried {early:?} before its Retry-After was over"),
            );
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
