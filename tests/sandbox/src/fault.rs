//! Misbehaviour that a double shows on demand.

use std::time::{Duration, SystemTime};

/// What happens to a request, a connection, or the attempt to connect.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The request is refused with this answer instead of being taken in.
    Answer(FaultAnswer),
    /// The push is taken in; the answer comes this much later.
    Slow(Duration),
    /// No answer, ever; the stream stays open.
    Hang {
        /// Whether the push was taken in (and a device shows it) before the silence.
        delivered: bool,
    },
    /// `RST_STREAM` with `REFUSED_STREAM`: not processed, safe to send again (RFC 9113, section 8.7).
    RefuseStream,
    /// `RST_STREAM` with `INTERNAL_ERROR`: the client cannot know.
    ResetStream {
        /// Whether the push was taken in before the reset.
        delivered: bool,
    },
    /// A graceful GOAWAY after every so many requests of a connection. Its last stream is the request
    /// that set it off: that one and those before it are answered, later ones were not processed.
    GoAway {
        /// Requests on one connection from one GOAWAY to the next; a connection sees at most one.
        every: u64,
    },
    /// GOAWAY with `INTERNAL_ERROR`, then the connection ends at once: the request that set it off was
    /// taken in, its answer and those of all open streams are lost.
    AbruptGoAway {
        /// Requests on one connection before it happens.
        every: u64,
    },
    /// The TCP connection is reset: the request that set it off was taken in, its answer is lost.
    ResetConnection {
        /// Requests on one connection before it happens.
        every: u64,
    },
    /// New connections are reset before TLS starts; open ones go on.
    RefuseConnections,
}

impl Effect {
    /// How many requests of a connection set it off, for effects that end one.
    pub(crate) fn every(&self) -> Option<u64> {
        match self {
            Self::GoAway { every }
            | Self::AbruptGoAway { every }
            | Self::ResetConnection { every } => Some((*every).max(1)),
            _ => None,
        }
    }
}

/// An answer that a provider gives when it refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultAnswer {
    /// HTTP status.
    pub status: u16,
    /// For APNs the `reason`, for FCM the `errorCode` of its `FcmError`. Two more for FCM: `BadRequest`
    /// answers with a `BadRequest` and no `FcmError`, an empty reason without any details. For the token
    /// end-point the `error` of RFC 6749, section 5.2.
    pub reason: String,
    /// `timestamp` of a 410 answer; without one, the moment of the answer.
    pub timestamp: Option<SystemTime>,
    /// `Retry-After`, sent in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
}

impl FaultAnswer {
    /// A status and a reason.
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            timestamp: None,
            retry_after: None,
        }
    }

    /// With a `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// With the moment since which the device is gone (410).
    #[must_use]
    pub fn timestamp(mut self, since: SystemTime) -> Self {
        self.timestamp = Some(since);
        self
    }
}

/// Which requests a fault looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FaultTarget {
    /// Pushes to any device.
    #[default]
    AllPushes,
    /// Pushes to one device, named by its token (APNs: hexadecimal, any case).
    Device(String),
    /// Requests for an access token (FCM only).
    TokenEndpoint,
}

/// An effect, what it applies to, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub(crate) effect: Effect,
    pub(crate) target: FaultTarget,
    pub(crate) times: Option<u64>,
    pub(crate) chance: Option<Chance>,
}

/// A share of requests, drawn from a seed so that a run can be repeated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chance {
    pub(crate) per_mille: u64,
    state: u64,
}

impl Fault {
    /// An effect for all pushes until it is cleared.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            target: FaultTarget::AllPushes,
            times: None,
            chance: None,
        }
    }

    /// An answer for all pushes until it is cleared.
    pub fn answer(status: u16, reason: impl Into<String>) -> Self {
        Self::new(Effect::Answer(FaultAnswer::new(status, reason)))
    }

    /// Only for this target.
    #[must_use]
    pub fn at(mut self, target: FaultTarget) -> Self {
        self.target = target;
        self
    }

    /// Only for this device.
    #[must_use]
    pub fn for_device(self, token: &str) -> Self {
        self.at(FaultTarget::Device(token.to_owned()))
    }

    /// Only this many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only for a share of what it would apply to, in thousandths; the same seed draws the same
    /// sequence.
    #[must_use]
    pub fn per_mille(mut self, share: u64, seed: u64) -> Self {
        self.chance = Some(Chance {
            per_mille: share.min(1000),
            state: seed,
        });
        self
    }

    /// A bad day at the provider: about one request in ten meets one of eight faults, among them all
    /// that make a careless client lose a push or send it twice.
    pub fn mix(seed: u64) -> Vec<Self> {
        let busy = |status, reason: &str| {
            Effect::Answer(FaultAnswer::new(status, reason).retry_after(Duration::from_secs(1)))
        };
        [
            (20, busy(503, "")),
            (20, Effect::Answer(FaultAnswer::new(500, ""))),
            (10, busy(429, "")),
            (20, Effect::Slow(Duration::from_millis(50))),
            (10, Effect::RefuseStream),
            (10, Effect::ResetStream { delivered: true }),
            (5, Effect::GoAway { every: 1 }),
            (5, Effect::AbruptGoAway { every: 1 }),
        ]
        .into_iter()
        .zip(0_u64..)
        .map(|((share, effect), index)| {
            Self::new(effect).per_mille(share, seed.wrapping_add(index))
        })
        .collect()
    }
}

impl Chance {
    /// Draws once (SplitMix64).
    pub(crate) fn draw(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % 1000 < self.per_mille
    }
}
