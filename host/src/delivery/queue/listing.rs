//! What operators see of the queue, and what they do to it.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::filter::{Filter, Side};
use super::job::{Operation, Room};
use super::model::{EntryKind, State};
use super::upkeep::SLICE_ROWS;

/// An entry or delivery as listings show it, without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which half of the queue it is in.
    pub side: Side,
    /// Its id there.
    pub id: i64,
    /// The target plugin or the transport.
    pub destination: String,
    /// Waiting or dead.
    pub state: State,
    /// When it came, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Not to be tried before, in milliseconds since the Unix epoch; 0 for any time.
    pub not_before: i64,
    /// How often it has failed.
    pub attempts: u32,
    /// Why it failed last.
    pub reason: Option<String>,
    /// The size of its payload in bytes.
    pub bytes: i64,
    /// What an inbox entry carries.
    pub kind: Option<EntryKind>,
    /// Whom and what a delivery is for.
    pub device: Option<ListedDevice>,
}

/// Whom and what a listed delivery is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedDevice {
    /// The device's row id.
    pub subscription: i64,
    /// The context of the user.
    pub user_context: i64,
    /// The user within the context.
    pub user_id: i64,
    /// When the delivery loses its worth, in milliseconds since the Unix epoch.
    pub expires_at: i64,
}

/// The columns of [`Listed`] from the fourth on.
fn details(side: Side) -> &'static str {
    match side {
        Side::Inbox => "accepted_at, not_before, attempts, reason, length(payload), kind",
        Side::Outbox => {
            "created_at, not_before, attempts, reason, length(payload), NULL, subscription,
             user_context, user_id, expires_at"
        }
    }
}

impl Listed {
    fn from_row(side: Side, row: &Row<'_>) -> rusqlite::Result<Self> {
        let device = match side {
            Side::Inbox => None,
            Side::Outbox => Some(ListedDevice {
                subscription: row.get(9)?,
                user_context: row.get(10)?,
                user_id: row.get(11)?,
                expires_at: row.get(12)?,
            }),
        };
        Ok(Listed {
            side,
            id: row.get(0)?,
            destination: row.get(1)?,
            state: row.get(2)?,
            created_at: row.get(3)?,
            not_before: row.get(4)?,
            attempts: row.get(5)?,
            reason: row.get(6)?,
            bytes: row.get(7)?,
            kind: row.get(8)?,
            device,
        })
    }
}

/// How many there are of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Which half of the queue.
    pub side: Side,
    /// The target plugin or the transport.
    pub destination: String,
    /// Waiting or dead.
    pub state: State,
    /// How many.
    pub count: u64,
    /// When the first of them came, in milliseconds since the Unix epoch.
    pub oldest: i64,
}

pub(super) struct List {
    pub(super) filter: Filter,
    pub(super) after: i64,
    pub(super) limit: u32,
}

impl Operation for List {
    type Output = Vec<Listed>;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<Vec<Listed>> {
        let side = self.filter.side;
        let (condition, mut values) = self.filter.condition();
        values.push(Value::from(self.after));
        values.push(Value::from(i64::from(self.limit)));
        let sql = format!(
            "SELECT id, {}, state, {} FROM {} WHERE {condition} AND id > ? ORDER BY id LIMIT ?",
            side.destination(),
            details(side),
            side.table(),
        );
        let mut statement = db.prepare(&sql)?;
        statement
            .query_map(params_from_iter(values), |row| Listed::from_row(side, row))?
            .collect()
    }
}

pub(super) struct CountAll;

impl Operation for CountAll {
    type Output = Vec<Count>;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<Vec<Count>> {
        let mut counts = Vec::new();
        for side in [Side::Inbox, Side::Outbox] {
            // The index answers everything but the age; ids and ages grow together.
            let sql = format!(
                "SELECT g.destination, g.state, g.count, t.{created} FROM
                     (SELECT {destination} AS destination, state, count(*) AS count, min(id) AS id
                      FROM {table} GROUP BY {destination}, state) AS g
                 JOIN {table} AS t ON t.id = g.id ORDER BY g.destination, g.state",
                created = side.created(),
                destination = side.destination(),
                table = side.table(),
            );
            let mut statement = db.prepare(&sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Count {
                    side,
                    destination: row.get(0)?,
                    state: row.get(1)?,
                    count: row.get::<_, i64>(2)?.unsigned_abs(),
                    oldest: row.get(3)?,
                })
            })?;
            for row in rows {
                counts.push(row?);
            }
        }
        Ok(counts)
    }
}

pub(super) struct Purge(pub(super) Filter);

impl Operation for Purge {
    type Output = usize;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<usize> {
        let table = self.0.side.table();
        let (condition, values) = self.0.condition();
        let sql = format!(
            "DELETE FROM {table} WHERE id IN
                 (SELECT id FROM {table} WHERE {condition} LIMIT {SLICE_ROWS})"
        );
        db.execute(&sql, params_from_iter(values))
    }
}

/// Dead ones only: what waits is tried anyway.
pub(super) struct Retry(pub(super) Filter);

impl Operation for Retry {
    type Output = usize;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<usize> {
        let table = self.0.side.table();
        let (condition, values) = self.0.condition();
        let sql = format!(
            "UPDATE {table} SET state = 0, attempts = 0, not_before = 0, reason = NULL WHERE id IN
                 (SELECT id FROM {table} WHERE {condition} AND state = 1 LIMIT {SLICE_ROWS})"
        );
        db.execute(&sql, params_from_iter(values))
    }
}
