//! The tables, and how an older file becomes a current one.

use rusqlite::Connection;

/// Marks the file as a Belfry queue (`PRAGMA application_id`): "BfyQ".
pub(super) const APPLICATION_ID: i64 = 0x4266_7951;

/// Step n makes a file of format n one of format n + 1. Steps are never edited, only added.
const STEPS: &[&str] = &[
    // Payloads stand last: SQLite reads a row from the left, and a long value pushes all that
    // follows it to other pages. An index ends in the row's id without saying so.
    "CREATE TABLE inbox (
         id          INTEGER PRIMARY KEY AUTOINCREMENT,
         target      TEXT NOT NULL,
         kind        INTEGER NOT NULL,
         state       INTEGER NOT NULL DEFAULT 0,
         accepted_at INTEGER NOT NULL,
         attempts    INTEGER NOT NULL DEFAULT 0,
         not_before  INTEGER NOT NULL DEFAULT 0,
         reason      TEXT,
         payload     BLOB NOT NULL
     ) STRICT;
     CREATE INDEX inbox_target ON inbox (target, state);

     CREATE TABLE outbox (
         id           INTEGER PRIMARY KEY AUTOINCREMENT,
         transport    TEXT NOT NULL,
         subscription INTEGER NOT NULL,
         user_context INTEGER NOT NULL,
         user_id      INTEGER NOT NULL,
         state        INTEGER NOT NULL DEFAULT 0,
         created_at   INTEGER NOT NULL,
         expires_at   INTEGER NOT NULL,
         attempts     INTEGER NOT NULL DEFAULT 0,
         not_before   INTEGER NOT NULL DEFAULT 0,
         reason       TEXT,
         message_key  BLOB NOT NULL,
         payload      BLOB NOT NULL
     ) STRICT;
     CREATE INDEX outbox_transport ON outbox (transport, state);
     CREATE INDEX outbox_subscription ON outbox (subscription);
     CREATE INDEX outbox_expires ON outbox (expires_at);

     CREATE TABLE seen (
         key BLOB PRIMARY KEY,
         at  INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX seen_at ON seen (at);",
];

/// The newest format, `PRAGMA user_version` of a current file.
#[allow(clippy::cast_possible_wrap, reason = "a handful of steps")]
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// Brings a file of format `found` to the newest, all of it or nothing.
pub(super) fn migrate(db: &Connection, found: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(found).unwrap_or(0);
    if done >= STEPS.len() {
        return Ok(());
    }
    let transaction = db.unchecked_transaction()?;
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()
}
