//! How an APNs double is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::ca::TestCa;
use crate::provider_key::AcceptedKey;
use crate::record::Record;

/// Apple: no oftener than every 20 minutes.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(20 * 60);
/// What APNs announces once it trusts a connection.
const STREAMS: u32 = 1000;

/// How often a key may bring a new provider token before `TooManyProviderTokenUpdates`.
///
/// Every token of another text counts as new, also one of a second process that shares the key. A token
/// that was accepted stays good. After `ExpiredProviderToken` the next one is never too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRenewal {
    /// As Apple's page has it: not oftener than this, over all connections and restarts.
    PerKey {
        /// The least time between two new tokens.
        every: Duration,
    },
    /// The same, but a provider that has closed all its connections starts afresh.
    WhileConnected {
        /// The least time between two new tokens.
        every: Duration,
    },
    /// As often as one likes.
    Unlimited,
}

impl Default for TokenRenewal {
    fn default() -> Self {
        Self::PerKey {
            every: RENEWAL_INTERVAL,
        }
    }
}

impl TokenRenewal {
    /// [`TokenRenewal::WhileConnected`] at Apple's interval.
    pub fn while_connected() -> Self {
        Self::WhileConnected {
            every: RENEWAL_INTERVAL,
        }
    }
}

/// How to set up an APNs double.
#[derive(Clone, Debug)]
pub struct ApnsOptions {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Issues the double's certificate, and is the only one whose client certificates are taken.
    pub ca: TestCa,
    /// The topics that exist; other ones are `TopicDisallowed`.
    pub topics: Vec<String>,
    /// Keys whose provider tokens are taken.
    pub keys: Vec<AcceptedKey>,
    /// Whether client certificates are taken.
    pub client_certificates: bool,
    /// How often provider tokens may be renewed.
    pub token_renewal: TokenRenewal,
    /// Streams at once that are announced to a trusted connection.
    pub streams: u32,
    /// Whether a connection without a client certificate has one stream only until a request with a
    /// valid provider token was seen. A second one is refused and listed as a violation.
    pub one_stream_at_first: bool,
    /// How much is kept of what is seen.
    pub record: Record,
}

impl ApnsOptions {
    /// A double for one topic on a free loopback port that takes client certificates of `ca`, keeps
    /// every push, and is as strict as Apple.
    pub fn new(ca: &TestCa, topic: &str) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ca: ca.clone(),
            topics: vec![topic.to_owned()],
            keys: Vec::new(),
            client_certificates: true,
            token_renewal: TokenRenewal::default(),
            streams: STREAMS,
            one_stream_at_first: true,
            record: Record::Full,
        }
    }

    /// Takes provider tokens of this key too.
    #[must_use]
    pub fn key(mut self, key: AcceptedKey) -> Self {
        self.keys.push(key);
        self
    }

    /// With another rule for new provider tokens.
    #[must_use]
    pub fn token_renewal(mut self, renewal: TokenRenewal) -> Self {
        self.token_renewal = renewal;
        self
    }

    /// With another record.
    #[must_use]
    pub fn record(mut self, record: Record) -> Self {
        self.record = record;
        self
    }
}
