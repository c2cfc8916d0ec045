//! What the pool knows of its connections, and the decisions that follow from it. No I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::error::{ConnectFault, Failure};
use super::pool::Slot;
use crate::backoff::exponential;

/// A connection gets a companion only when requests have waited this long for a stream of it.
const GROW_AFTER: Duration = Duration::from_millis(100);

/// The wait after the first failed attempt to connect.
const FIRST_CONNECT_WAIT: Duration = Duration::from_millis(500);

/// A provider that came back is found within this time.
const LONGEST_CONNECT_WAIT: Duration = Duration::from_secs(60);

/// This many requests in a row without a response, and a connection is given up for new ones.
const UNANSWERED_LIMIT: u32 = 3;

/// A connection that was idle for longer is checked with a PING beside the next request, so that
/// a path that went away in silence is found in seconds.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(60);

/// One connection. It is *open* and takes requests, or it is *draining*: it finishes the requests
/// that run, and goes when the last is done.
pub(super) struct Entry {
    pub(super) id: u64,
    send: SendRequest<Bytes>,
    /// Requests that run on it.
    pub(super) running: usize,
    /// How many the peer allows at once.
    pub(super) limit: usize,
    /// Whether the peer has accepted our credentials on it.
    accepted: bool,
    /// Whether any request was given to it.
    used: bool,
    /// Whether any request was answered on it.
    answered: bool,
    /// Requests without a response since the last response.
    unanswered: u32,
    pub(super) draining: bool,
    pub(super) last_used: Instant,
    /// How it ended, where a request saw that.
    pub(super) fault: Option<ConnectFault>,
    /// Asks the driver to make sure that the peer is still there. Dropped with the entry, which
    /// tells the driver to close.
    check: mpsc::Sender<()>,
    pub(super) driver: AbortHandle,
}

impl Entry {
    pub(super) fn new(
        id: u64,
        send: SendRequest<Bytes>,
        limit: usize,
        check: mpsc::Sender<()>,
        driver: AbortHandle,
    ) -> Self {
        Self {
            id,
            send,
            running: 0,
            limit,
            accepted: false,
            used: false,
            answered: false,
            unanswered: 0,
            draining: false,
            last_used: Instant::now(),
            fault: None,
            check,
            driver,
        }
    }

    fn room(&self, first_alone: bool) -> usize {
        let limit = match (self.draining, first_alone && !self.accepted) {
            (true, _) => 0,
            (false, true) => self.limit.min(1),
            (false, false) => self.limit,
        };
        limit.saturating_sub(self.running)
    }

    fn check(&self) {
        // Where the queue is full, a check that is as good has not begun yet.
        let _queued_already = self.check.try_send(());
    }
}

/// A request that waits for a stream.
pub(super) struct Waiter {
    pub(super) since: Instant,
    pub(super) reply: oneshot::Sender<Result<Slot, Failure>>,
}

/// What the pool should do next.
pub(super) enum Next {
    /// Nothing: a stream will come free, or nobody waits.
    Wait,
    /// Open a connection.
    Connect,
    /// Tell everybody who waits that there will be no connection for now.
    Fail(Failure),
}

/// The connections and those who wait for them, by ticket.
pub(super) struct State {
    pub(super) entries: Vec<Entry>,
    pub(super) waiters: BTreeMap<u64, Waiter>,
    pub(super) connecting: Option<AbortHandle>,
    pub(super) closed: bool,
    origin: String,
    last_id: u64,
    last_ticket: u64,
    failures: u32,
    hold_off: Option<(Instant, ConnectFault)>,
}

impl State {
    pub(super) fn new(origin: String) -> Self {
        Self {
            entries: Vec::new(),
            waiters: BTreeMap::new(),
            connecting: None,
            closed: false,
            origin,
            last_id: 0,
            last_ticket: 0,
            failures: 0,
            hold_off: None,
        }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn next_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    pub(super) fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }

    /// Matches the first who waits with the first connection that has a stream to spare; so the
    /// later connections may fall idle.
    pub(super) fn grant(
        &mut self,
        first_alone: bool,
        now: Instant,
    ) -> Option<(u64, SendRequest<Bytes>, Waiter)> {
        while self
            .waiters
            .first_key_value()
            .is_some_and(|(_, waiter)| waiter.reply.is_closed())
        {
            self.waiters.pop_first();
        }
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.room(first_alone) > 0)?;
        let (_, waiter) = self.waiters.pop_first()?;
        if now.saturating_duration_since(entry.last_used) > CHECK_AFTER_IDLE {
            entry.check();
        }
        entry.running += 1;
        entry.used = true;
        entry.last_used = now;
        Some((entry.id, entry.send.clone(), waiter))
    }

    /// Takes a grant back that nobody came for.
    pub(super) fn ungrant(&mut self, id: u64) {
        if let Some(entry) = self.entry(id) {
            entry.running = entry.running.saturating_sub(1);
        }
    }

    /// Stops giving a connection new requests; returns it where nothing runs on it any more.
    pub(super) fn drain(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entry(id)?;
        entry.draining = true;
        (entry.running == 0).then(|| self.remove(id)).flatten()
    }

    /// Ends a request; returns the connection where it was the last on a draining one.
    pub(super) fn release(&mut self, id: u64, now: Instant) -> Option<Entry> {
        let entry = self.entry(id)?;
        entry.running = entry.running.saturating_sub(1);
        entry.last_used = now;
        (entry.draining && entry.running == 0)
            .then(|| self.remove(id))
            .flatten()
    }

    /// Forgets a connection. One that was used in vain counts as a failed attempt to connect.
    pub(super) fn remove(&mut self, id: u64) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.id == id)?;
        let entry = self.entries.remove(index);
        if entry.used && !entry.answered {
            let fault = entry
                .fault
                .clone()
                .unwrap_or_else(|| ConnectFault::Unanswered {
                    origin: self.origin.clone(),
                    reason: "it was given up".to_owned(),
                });
            self.connect_failed(fault, Instant::now());
        }
        Some(entry)
    }

    /// A response came on a connection: connecting works.
    pub(super) fn answered(&mut self, id: u64, accepted: bool) {
        self.failures = 0;
        self.hold_off = None;
        if let Some(entry) = self.entry(id) {
            entry.answered = true;
            entry.unanswered = 0;
            entry.accepted |= accepted;
        }
    }

    /// A request got no response in time. True where the connection should take no more of them.
    pub(super) fn unanswered(&mut self, id: u64) -> bool {
        self.entry(id).is_some_and(|entry| {
            entry.check();
            entry.unanswered += 1;
            entry.unanswered >= UNANSWERED_LIMIT
        })
    }

    /// An attempt to connect failed: holds off the next, longer each time.
    pub(super) fn connect_failed(&mut self, fault: ConnectFault, now: Instant) {
        let wait = exponential(FIRST_CONNECT_WAIT, self.failures).min(LONGEST_CONNECT_WAIT);
        self.failures = self.failures.saturating_add(1);
        self.hold_off = Some((now + wait, fault));
    }

    fn held_off(&self, now: Instant) -> Option<Failure> {
        let (until, fault) = self.hold_off.as_ref()?;
        let retry_after = until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())?;
        Some(Failure::CannotConnect {
            fault: fault.clone(),
            retry_after,
        })
    }

    /// What to do once every stream to spare has been given away.
    pub(super) fn next(&self, max_connections: usize, first_alone: bool, now: Instant) -> Next {
        let Some((_, first)) = self.waiters.first_key_value() else {
            return Next::Wait;
        };
        if self.connecting.is_some() {
            return Next::Wait;
        }
        let open = || self.entries.iter().filter(|entry| !entry.draining);
        if open().next().is_none() {
            return match self.held_off(now) {
                None => Next::Connect,
                Some(failure) => Next::Fail(failure),
            };
        }
        let warming = first_alone && open().any(|entry| !entry.accepted);
        let just_came = now.saturating_duration_since(first.since) < GROW_AFTER;
        if warming || just_came || open().count() >= max_connections || self.held_off(now).is_some()
        {
            Next::Wait
        } else {
            Next::Connect
        }
    }
}
