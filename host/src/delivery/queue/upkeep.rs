//! Clearing away what has lost its worth, in slices that hold nobody up for long.

use rusqlite::{Connection, params};

use super::job::{Operation, Room};

/// Rows that one job clears at most; a long clearing gives way to others in between.
pub(super) const SLICE_ROWS: u32 = 1000;

pub(super) struct ForgetSeen {
    pub(super) before: i64,
    pub(super) limit: u32,
}

impl ForgetSeen {
    pub(super) const SQL: &str = "DELETE FROM seen WHERE key IN
         (SELECT key FROM seen WHERE at < ?1 ORDER BY at LIMIT ?2)";
}

impl Operation for ForgetSeen {
    type Output = usize;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<usize> {
        db.prepare_cached(Self::SQL)?
            .execute(params![self.before, self.limit])
    }
}

pub(super) struct Expire {
    pub(super) now: i64,
    pub(super) limit: u32,
}

impl Expire {
    pub(super) const SQL: &str = "DELETE FROM outbox WHERE id IN
         (SELECT id FROM outbox WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
}

impl Operation for Expire {
    type Output = usize;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<usize> {
        db.prepare_cached(Self::SQL)?
            .execute(params![self.now, self.limit])
    }
}

pub(super) struct DeleteForSubscription {
    pub(super) subscription: i64,
}

impl DeleteForSubscription {
    pub(super) const SQL: &str = "DELETE FROM outbox WHERE id IN
         (SELECT id FROM outbox WHERE subscription = ?1 LIMIT ?2)";
}

impl Operation for DeleteForSubscription {
    type Output = usize;
    const ROOM: Room = Room::Frees;

    fn run(&self, db: &Connection) -> rusqlite::Result<usize> {
        db.prepare_cached(Self::SQL)?
            .execute(params![self.subscription, SLICE_ROWS])
    }
}
