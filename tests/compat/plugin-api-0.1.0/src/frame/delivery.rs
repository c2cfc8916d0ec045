use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::Secret;
use crate::user::User;

/// A message to all devices of a user, rendered for each transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Whose devices.
    pub user: User,
    /// What the message is about, as text that is the same whenever the same thing is told again.
    /// The host delivers one message for each user and key.
    pub key: String,
    /// What to hand to which transport, by the transport's name.
    pub renditions: BTreeMap<String, Rendition>,
}

/// A message as one transport wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// The payload, opaque to the host.
    pub payload: Bytes,
    /// What a later message replaces on the device, where the provider can do that.
    #[serde(default)]
    pub collapse_key: Option<String>,
    /// How long the message is of use, in seconds from now.
    pub time_to_live_s: u32,
}

/// A message for one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The host's number for it, to be given back in [`DeliveryDone`].
    pub id: i64,
    /// The name of the transport in the manifest.
    pub transport: String,
    /// Whose device it is.
    pub user: User,
    /// The device's token at the provider.
    pub token: Secret,
    /// The app that the token belongs to, where the subscription named one.
    #[serde(default)]
    pub app: Option<String>,
    /// Identifies this message at this device; stays the same when it is tried again.
    pub message_id: Uuid,
    /// From the [`Rendition`].
    pub payload: Bytes,
    /// From the [`Rendition`].
    #[serde(default)]
    pub collapse_key: Option<String>,
    /// After which it is of no use, in seconds since the epoch.
    pub expires_at_s: i64,
    /// How often it was tried before.
    #[serde(default)]
    pub attempts: u32,
}

/// What became of a [`Delivery`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryDone {
    /// The delivery's number.
    pub id: i64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a [`Outcome::Retry`] holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// This device only.
    #[default]
    Device,
    /// Everything for this transport: the provider or our credential is in trouble.
    Transport,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// The provider took it.
    Delivered,
    /// To be tried again.
    Retry {
        /// Not before this many milliseconds; the host's own back-off where there is none.
        #[serde(default)]
        after_ms: Option<u64>,
        /// What is held back until then.
        #[serde(default)]
        scope: Scope,
        /// Why, in a sentence for the operator.
        reason: String,
    },
    /// The device's token is of no use any more.
    TokenDead {
        /// Since when, in milliseconds since the epoch, where the provider says so: a device that
        /// subscribed later is kept.
        #[serde(default)]
        since_ms: Option<i64>,
        /// Why, in a sentence for the operator.
        reason: String,
    },
    /// The provider will never take this message.
    Refused {
        /// Why, in a sentence for the operator.
        reason: String,
    },
}
