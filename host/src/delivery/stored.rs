//! What the queue keeps for us: the payloads of its rows.

use belfry_plugin_api::event::Event;
use belfry_plugin_api::secret::Secret;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::queue::Payload;

/// A request that was accepted for a listener's route.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredReport {
    /// The route's name.
    pub(super) route: String,
    /// What the route's user field said.
    pub(super) user: Option<String>,
    /// The body.
    pub(super) body: Bytes,
}

/// An event for a handler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredEvent {
    pub(super) event: Event,
}

/// A message for a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredDelivery {
    pub(super) token: Secret,
    pub(super) app: Option<String>,
    pub(super) payload: Bytes,
    pub(super) collapse_key: Option<String>,
}

/// MessagePack with named fields, so that a queue outlives an upgrade of the host.
pub(super) fn pack<T: Serialize>(what: &T) -> Result<Payload, rmp_serde::encode::Error> {
    Ok(rmp_serde::to_vec_named(what)?.into())
}

pub(super) fn unpack<T: DeserializeOwned>(
    payload: &Payload,
) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(payload)
}
