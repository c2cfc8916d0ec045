//! Handing deliveries out and recording how they ended.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::complete::{Fanout, NewDelivery};
use super::job::{Operation, Room};
use super::model::{Delivery, State};
use super::payload::Payload;

/// A page of entries or deliveries ends when its payloads reach this size: however large a
/// backlog is, it comes through memory in pieces.
pub(super) const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The provider has it.
    Delivered,
    /// It is not wanted any more: expired, or its device is gone.
    Dropped,
    /// It is tried again.
    Retry {
        /// Not before this time, in milliseconds since the Unix epoch.
        not_before: i64,
        /// How often it has failed, this time included.
        attempts: u32,
        /// Why, for the operator's listing.
        reason: Option<String>,
    },
    /// It is left to the operator.
    Dead {
        /// Why, for the operator's listing.
        reason: String,
    },
}

/// A waiting delivery whose time is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// The delivery's id; loading one delivery after `id - 1` gets it when its time has come.
    pub id: i64,
    /// Its time, in milliseconds since the Unix epoch.
    pub not_before: i64,
}

/// Waiting deliveries of a transport in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboxPage {
    /// Those whose time has come.
    pub ready: Vec<Delivery>,
    /// Those whose time is still to come.
    pub later: Vec<Later>,
    /// The id to load after for those that follow; `None` when these were the last.
    pub next: Option<i64>,
}

pub(super) fn insert(
    db: &Connection,
    message: &Fanout,
    delivery: &NewDelivery,
) -> rusqlite::Result<i64> {
    db.prepare_cached(
        "INSERT INTO outbox (transport, subscription, user_context, user_id, created_at,
                             expires_at, message_key, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .insert(params![
        delivery.transport,
        delivery.subscription,
        delivery.user_context,
        delivery.user_id,
        message.at,
        delivery.expires_at,
        message.key,
        delivery.payload,
    ])
}

pub(super) struct FinishDeliveries(pub(super) Vec<(i64, Finish)>);

impl Operation for FinishDeliveries {
    type Output = usize;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<usize> {
        let mut found = 0;
        for (id, finish) in &self.0 {
            found += match finish {
                Finish::Delivered | Finish::Dropped => db
                    .prepare_cached("DELETE FROM outbox WHERE id = ?1")?
                    .execute([id])?,
                Finish::Retry {
                    not_before,
                    attempts,
                    reason,
                } => db
                    .prepare_cached(
                        "UPDATE outbox SET not_before = ?2, attempts = ?3, reason = ?4
                         WHERE id = ?1",
                    )?
                    .execute(params![id, not_before, attempts, reason])?,
                Finish::Dead { reason } => db
                    .prepare_cached(
                        "UPDATE outbox SET state = ?2, attempts = attempts + 1, reason = ?3
                         WHERE id = ?1",
                    )?
                    .execute(params![id, State::Dead, reason])?,
            };
        }
        Ok(found)
    }
}

pub(super) struct LoadOutbox {
    pub(super) transport: Arc<str>,
    pub(super) after: i64,
    pub(super) limit: u32,
    pub(super) now: i64,
}

impl LoadOutbox {
    pub(super) const SQL: &str = "SELECT id, not_before, subscription, user_context, user_id,
                created_at, expires_at, attempts, message_key, payload
         FROM outbox WHERE transport = ?1 AND state = 0 AND id > ?2 ORDER BY id LIMIT ?3";
}

impl Operation for LoadOutbox {
    type Output = OutboxPage;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<OutboxPage> {
        let mut statement = db.prepare_cached(Self::SQL)?;
        let mut rows = statement.query(params![self.transport, self.after, self.limit])?;
        let mut page = OutboxPage::default();
        let mut last = self.after;
        let mut bytes = 0;
        let mut cut = self.limit == 0;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            let not_before = row.get(1)?;
            last = id;
            if not_before > self.now {
                page.later.push(Later { id, not_before });
            } else {
                let payload: Payload = row.get(9)?;
                bytes += payload.len();
                page.ready.push(Delivery {
                    id,
                    subscription: row.get(2)?,
                    user_context: row.get(3)?,
                    user_id: row.get(4)?,
                    created_at: row.get(5)?,
                    expires_at: row.get(6)?,
                    attempts: row.get(7)?,
                    message_key: row.get(8)?,
                    payload,
                });
            }
            cut = page.ready.len() + page.later.len() == self.limit as usize || bytes >= PAGE_BYTES;
            if cut {
                break;
            }
        }
        page.next = cut.then_some(last);
        Ok(page)
    }
}
