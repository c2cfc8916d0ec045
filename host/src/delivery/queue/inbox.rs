//! Accepting inbox entries, handing them out, and giving them another time.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::job::{Operation, Room};
use super::model::{EntryKind, InboxEntry, State};
use super::outbox::PAGE_BYTES;
use super::payload::Payload;

/// The receipt of an accepted entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The entry's id.
    pub id: i64,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// What becomes of an entry that could not be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxFailure {
    /// It is handled again.
    Retry {
        /// Not before this time, in milliseconds since the Unix epoch.
        not_before: i64,
    },
    /// It is left to the operator.
    Dead,
}

/// Waiting entries in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InboxPage {
    /// The entries, those with a time to come among them.
    pub entries: Vec<InboxEntry>,
    /// The id to load after for those that follow; `None` when these were the last.
    pub next: Option<i64>,
}

pub(super) struct Accept {
    pub(super) target: Arc<str>,
    pub(super) kind: EntryKind,
    pub(super) payload: Payload,
    pub(super) at: i64,
}

impl Operation for Accept {
    type Output = Accepted;
    const ROOM: Room = Room::Takes;
    const DURABLE: bool = true;

    fn run(&self, db: &Connection) -> rusqlite::Result<Accepted> {
        let id = insert(db, &self.target, self.kind, &self.payload, self.at)?;
        Ok(Accepted { id, at: self.at })
    }
}

pub(super) fn insert(
    db: &Connection,
    target: &str,
    kind: EntryKind,
    payload: &Payload,
    at: i64,
) -> rusqlite::Result<i64> {
    db.prepare_cached(
        "INSERT INTO inbox (target, kind, accepted_at, payload) VALUES (?1, ?2, ?3, ?4)",
    )?
    .insert(params![target, kind, at, payload])
}

pub(super) fn delete(db: &Connection, id: i64) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM inbox WHERE id = ?1")?
        .execute([id])
}

pub(super) struct FailInbox {
    pub(super) id: i64,
    pub(super) reason: String,
    pub(super) failure: InboxFailure,
}

impl Operation for FailInbox {
    type Output = bool;
    const ROOM: Room = Room::Moves;

    fn run(&self, db: &Connection) -> rusqlite::Result<bool> {
        let (state, not_before) = match self.failure {
            InboxFailure::Retry { not_before } => (State::Waiting, not_before),
            InboxFailure::Dead => (State::Dead, 0),
        };
        let changed = db
            .prepare_cached(
                "UPDATE inbox SET state = ?2, not_before = ?3, reason = ?4, attempts = attempts + 1
                 WHERE id = ?1",
            )?
            .execute(params![self.id, state, not_before, self.reason])?;
        Ok(changed > 0)
    }
}

pub(super) struct LoadInbox {
    pub(super) target: Arc<str>,
    pub(super) after: i64,
    pub(super) limit: u32,
}

impl LoadInbox {
    pub(super) const SQL: &str = "SELECT id, kind, accepted_at, attempts, not_before, payload
         FROM inbox WHERE target = ?1 AND state = 0 AND id > ?2 ORDER BY id LIMIT ?3";
}

impl Operation for LoadInbox {
    type Output = InboxPage;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<InboxPage> {
        let mut statement = db.prepare_cached(Self::SQL)?;
        let mut rows = statement.query(params![self.target, self.after, self.limit])?;
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut cut = self.limit == 0;
        while let Some(row) = rows.next()? {
            let entry = InboxEntry {
                id: row.get(0)?,
                kind: row.get(1)?,
                accepted_at: row.get(2)?,
                attempts: row.get(3)?,
                not_before: row.get(4)?,
                payload: row.get(5)?,
            };
            bytes += entry.payload.len();
            entries.push(entry);
            cut = entries.len() == self.limit as usize || bytes >= PAGE_BYTES;
            if cut {
                break;
            }
        }
        let last = entries.last().map_or(self.after, |entry| entry.id);
        Ok(InboxPage {
            entries,
            next: cut.then_some(last),
        })
    }
}
