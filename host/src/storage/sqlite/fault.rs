//! What SQLite's and sqlx's errors mean to the host.

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};

use crate::storage::StorageError;

/// The primary result code of an error (<https://sqlite.org/rescode.html>); the extended one
/// holds it in its lowest byte.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<i32> {
    let code: i32 = error.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// What an error of a query means.
pub(super) fn of(error: sqlx::Error, path: &Path) -> StorageError {
    const SQLITE_BUSY: i32 = 5;
    const SQLITE_LOCKED: i32 = 6;
    const SQLITE_NOMEM: i32 = 7;
    const SQLITE_READONLY: i32 = 8;
    const SQLITE_IOERR: i32 = 10;
    const SQLITE_CORRUPT: i32 = 11;
    const SQLITE_FULL: i32 = 13;
    const SQLITE_CANTOPEN: i32 = 14;
    const SQLITE_CONSTRAINT: i32 = 19;
    const SQLITE_NOTADB: i32 = 26;

    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    match &error {
        sqlx::Error::Database(inner) => match primary_code(&**inner) {
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StorageError::Corrupt {
                path: path.to_owned(),
                reason: inner.message().to_owned(),
            },
            Some(SQLITE_CONSTRAINT) => StorageError::Refused(inner.message().to_owned()),
            Some(
                SQLITE_BUSY | SQLITE_LOCKED | SQLITE_NOMEM | SQLITE_READONLY | SQLITE_IOERR
                | SQLITE_FULL | SQLITE_CANTOPEN,
            ) => StorageError::Unavailable(at(&inner.message())),
            _ => StorageError::Fault(at(&inner.message())),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StorageError::Unavailable(at(&error)),
        _ => StorageError::Fault(at(&error)),
    }
}

/// What an error of a migration means.
pub(super) fn of_migration(error: MigrateError, known: &Migrator, path: &Path) -> StorageError {
    let newest = known.iter().map(|migration| migration.version).max();
    match error {
        MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) => of(inner, path),
        MigrateError::VersionMissing(found) if Some(found) > newest => StorageError::Newer {
            found,
            known: newest.unwrap_or_default(),
        },
        other => StorageError::Fault(format!("{}: {other}", path.display())),
    }
}
