//! Counters of a double.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of a double at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections, also those that ended before HTTP/2 began.
    pub connections: u64,
    /// Of those, open now.
    pub open_connections: u64,
    /// Connections that ended during the TLS or HTTP/2 handshake, or did not choose HTTP/2.
    pub failed_handshakes: u64,
    /// The most streams that were open at once on one connection.
    pub max_concurrent_streams: u64,
    /// Requests to push, whatever became of them.
    pub requests: u64,
    /// Pushes taken in ([`crate::Outcome::is_delivered`]).
    pub delivered: u64,
    /// Requests answered with an error.
    pub refused: u64,
    /// Requests neither taken in nor answered.
    pub dropped: u64,
    /// Requests for an access token (FCM).
    pub token_requests: u64,
    /// GOAWAY frames that faults sent.
    pub goaways: u64,
    /// Connections that faults reset or refused.
    pub resets: u64,
    /// Rules that were broken without an error for an answer ([`crate::Violation`]).
    pub violations: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) open_connections: AtomicU64,
    pub(crate) failed_handshakes: AtomicU64,
    pub(crate) max_concurrent_streams: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) token_requests: AtomicU64,
    pub(crate) goaways: AtomicU64,
    pub(crate) resets: AtomicU64,
    pub(crate) violations: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Counts {
        Counts {
            connections: self.connections.load(Relaxed),
            open_connections: self.open_connections.load(Relaxed),
            failed_handshakes: self.failed_handshakes.load(Relaxed),
            max_concurrent_streams: self.max_concurrent_streams.load(Relaxed),
            requests: self.requests.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            refused: self.refused.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            token_requests: self.token_requests.load(Relaxed),
            goaways: self.goaways.load(Relaxed),
            resets: self.resets.load(Relaxed),
            violations: self.violations.load(Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
