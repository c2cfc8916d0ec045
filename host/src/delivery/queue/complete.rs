//! The step from inbox to outbox: one transaction closes entries and fans their messages out.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::inbox;
use super::job::{Operation, Room};
use super::model::{EntryKind, MessageKey};
use super::outbox;
use super::payload::Payload;

/// What the handling of inbox entries led to; done as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompleteInbox {
    /// Entries that are done with. One that is gone already is no error.
    pub close: Vec<i64>,
    /// Messages to deliver.
    pub messages: Vec<Fanout>,
    /// Events that wait for a handler that is away.
    pub park: Vec<NewInboxEvent>,
}

/// A message and the devices that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fanout {
    /// What makes it the same message when it is reported again.
    pub key: MessageKey,
    /// When it was fanned out, in milliseconds since the Unix epoch.
    pub at: i64,
    /// One a device; they are in order.
    pub deliveries: Vec<NewDelivery>,
}

/// A message for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The transport that carries it.
    pub transport: Arc<str>,
    /// The device's row id.
    pub subscription: i64,
    /// The context of the user.
    pub user_context: i64,
    /// The user within the context.
    pub user_id: i64,
    /// Opaque to the queue; devices of one transport may share it.
    pub payload: Payload,
    /// When it loses its worth, in milliseconds since the Unix epoch.
    pub expires_at: i64,
}

/// An event for one handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInboxEvent {
    /// The plugin whose handler it waits for.
    pub target: Arc<str>,
    /// Opaque to the queue.
    pub payload: Payload,
    /// When it happened, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// What a [`CompleteInbox`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completed {
    /// Entries closed; fewer than asked for when some were gone.
    pub closed: usize,
    /// For each message, in the order given.
    pub messages: Vec<MessageOutcome>,
    /// The ids of the parked events, in the order given.
    pub parked: Vec<i64>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageOutcome {
    /// Its key had been seen; nothing was done.
    Duplicate,
    /// The ids of its deliveries, in the order given.
    Fanned(Vec<i64>),
}

impl Operation for CompleteInbox {
    type Output = Completed;
    const ROOM: Room = Room::Moves;

    fn run(&self, db: &Connection) -> rusqlite::Result<Completed> {
        let mut done = Completed::default();
        // Closed first, so that what they occupied can be used for the rest.
        for id in &self.close {
            done.closed += inbox::delete(db, *id)?;
        }
        for message in &self.messages {
            done.messages.push(fan_out(db, message)?);
        }
        for event in &self.park {
            let id = inbox::insert(
                db,
                &event.target,
                EntryKind::Event,
                &event.payload,
                event.at,
            )?;
            done.parked.push(id);
        }
        Ok(done)
    }
}

fn fan_out(db: &Connection, message: &Fanout) -> rusqlite::Result<MessageOutcome> {
    let new = db
        .prepare_cached("INSERT INTO seen (key, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![message.key, message.at])?;
    if new == 0 {
        return Ok(MessageOutcome::Duplicate);
    }
    let mut ids = Vec::with_capacity(message.deliveries.len());
    for delivery in &message.deliveries {
        ids.push(outbox::insert(db, message, delivery)?);
    }
    Ok(MessageOutcome::Fanned(ids))
}
