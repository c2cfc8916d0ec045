//! What a double saw.

use std::fmt;
use std::time::{Instant, SystemTime};

use http::HeaderMap;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

/// A push provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Apple Push Notification service.
    Apns,
    /// Firebase Cloud Messaging, HTTP v1.
    Fcm,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apns => "apns",
            Self::Fcm => "fcm",
        })
    }
}

/// How much a double keeps of what it sees.
#[derive(Clone, Debug, Default)]
pub enum Record {
    /// Every push, whole.
    #[default]
    Full,
    /// Only [`crate::Counts`] and violations: for benchmarks, and for runs without an end.
    CountsOnly,
    /// Counts and violations; each push is sent on and not kept.
    Feed(UnboundedSender<Push>),
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken in and answered so.
    Accepted,
    /// Taken in; the answer was withheld or lost on purpose.
    AcceptedUnanswered,
    /// In order, and by the sender's wish not delivered (`validate_only` of FCM).
    Validated,
    /// Answered with an error.
    Refused {
        /// HTTP status.
        status: u16,
        /// APNs: `reason`. FCM: `errorCode` where there is one, else `status` of the error.
        reason: String,
    },
    /// Not taken in and not answered.
    Dropped,
}

impl Outcome {
    /// Whether the provider goes on to deliver the push to the device.
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Accepted | Self::AcceptedUnanswered)
    }
}

/// One request to push something, as it came.
#[derive(Clone, Debug)]
pub struct Push {
    /// When its last byte had come.
    pub at: SystemTime,
    /// The same moment for measuring.
    pub instant: Instant,
    /// Which double saw it.
    pub provider: Provider,
    /// The connection that it came on, counted from 1 at each double.
    pub connection: u64,
    /// The device; empty when the request named none.
    pub token: String,
    /// `apns-id`, the sender's or the double's.
    pub apns_id: Option<String>,
    /// `apns-collapse-id`, or `android.collapse_key`.
    pub collapse_id: Option<String>,
    /// `apns-topic`.
    pub topic: Option<String>,
    /// All headers but `authorization`.
    pub headers: HeaderMap,
    /// The body; `null` where it was no JSON.
    pub payload: Value,
    /// What became of it.
    pub outcome: Outcome,
}

impl Push {
    /// The message's own id: `cid` of an APNs payload, or of the data of an FCM message.
    pub fn cid(&self) -> Option<&str> {
        match self.provider {
            Provider::Apns => self.payload.get("cid")?.as_str(),
            Provider::Fcm => self.fcm_data("cid"),
        }
    }

    /// Who wrote the mail: title of the alert, or `sender` of the data.
    pub fn sender(&self) -> Option<&str> {
        match self.provider {
            Provider::Apns => self.payload.pointer("/aps/alert/title")?.as_str(),
            Provider::Fcm => self.fcm_data("sender"),
        }
    }

    /// The subject: body of the alert, or `subject` of the data.
    pub fn subject(&self) -> Option<&str> {
        match self.provider {
            Provider::Apns => self.payload.pointer("/aps/alert/body")?.as_str(),
            Provider::Fcm => self.fcm_data("subject"),
        }
    }

    /// How many mails are unread: the badge, or `unread` of the data.
    pub fn unread(&self) -> Option<u64> {
        match self.provider {
            Provider::Apns => self.payload.pointer("/aps/badge")?.as_u64(),
            Provider::Fcm => self.fcm_data("unread")?.parse().ok(),
        }
    }

    fn fcm_data(&self, key: &str) -> Option<&str> {
        self.payload.get("message")?.get("data")?.get(key)?.as_str()
    }
}

/// Something that a provider's rules forbid and that the provider does not answer with an error.
#[derive(Clone, Debug)]
pub struct Violation {
    /// When it was seen.
    pub at: SystemTime,
    /// On which connection.
    pub connection: u64,
    /// What the rule is and how it was broken.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}: {}", self.connection, self.what)
    }
}
