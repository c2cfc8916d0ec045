//! From a message to the user's devices.

use std::sync::Arc;

use belfry_plugin_api::frame::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Recipients;
use super::outbox::OutboxItem;
use super::queue::{Fanout, MessageKey, NewDelivery};
use super::stored::{StoredDelivery, pack};
use crate::clock::now_ms;

/// The namespace of message ids: the UUIDs that a device's message keeps over all tries.
const MESSAGE_IDS: Uuid = Uuid::from_u128(0x5e0f_2c1a_9d43_4b7e_8a11_60f2_7c3d_b954);

/// A message and its deliveries, ready for the outbox.
pub(super) struct Fanned {
    row: Fanout,
    items: Vec<OutboxItem>,
}

impl Fanned {
    /// As the queue takes it.
    pub(super) fn row(&self) -> Fanout {
        self.row.clone()
    }

    /// The deliveries, each with its transport, once they have their ids.
    pub(super) fn with_ids(self, ids: Vec<i64>) -> impl Iterator<Item = (Arc<str>, OutboxItem)> {
        let transports = self
            .row
            .deliveries
            .into_iter()
            .map(|delivery| delivery.transport);
        let items = self
            .items
            .into_iter()
            .zip(ids)
            .map(|(item, id)| OutboxItem { id, ..item });
        transports.zip(items)
    }
}

/// Looks up the user's devices. `None` where there are none that the message was rendered for.
pub(super) async fn fan_out(
    recipients: &dyn Recipients,
    message: Message,
) -> Result<Option<Fanned>, String> {
    let devices = recipients.devices(message.user).await?;
    let key = key(&message);
    let now = now_ms();
    let mut row = Fanout {
        key,
        at: now,
        deliveries: Vec::new(),
    };
    let mut items = Vec::new();
    for device in devices.iter() {
        let Some(rendition) = message.renditions.get(&*device.transport) else {
            continue;
        };
        let stored = StoredDelivery {
            token: device.token.clone(),
            app: device.app.clone(),
            payload: rendition.payload.clone(),
            collapse_key: rendition.collapse_key.clone(),
        };
        let payload = pack(&stored).map_err(|error| error.to_string())?;
        let expires_at = now + i64::from(rendition.time_to_live_s) * 1_000;
        row.deliveries.push(NewDelivery {
            transport: device.transport.clone(),
            subscription: device.subscription,
            user_context: i64::from(message.user.context),
            user_id: i64::from(message.user.id),
            payload,
            expires_at,
        });
        items.push(OutboxItem {
            id: 0,
            subscription: device.subscription,
            user: message.user,
            message_id: message_id(&key, device.token.expose()),
            stored,
            expires_at,
            attempts: 0,
        });
    }
    Ok((!items.is_empty()).then_some(Fanned { row, items }))
}

fn key(message: &Message) -> MessageKey {
    let mut hash = Sha256::new();
    hash.update(message.user.context.to_be_bytes());
    hash.update(message.user.id.to_be_bytes());
    hash.update(message.key.as_bytes());
    let mut key = MessageKey::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// The id of a message at a device: the same whenever it is made.
pub(super) fn message_id(key: &MessageKey, token: &[u8]) -> Uuid {
    let mut name = key.to_vec();
    name.extend_from_slice(token);
    Uuid::new_v5(&MESSAGE_IDS, &name)
}
