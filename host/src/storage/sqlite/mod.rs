//! SQLite.

mod fault;
mod registrations;
mod row;
mod subscriptions;
mod users;

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite as Driver, Transaction};

use super::{Answer, Lifetime, StorageError};

static MIGRATIONS: Migrator = sqlx::migrate!("src/storage/migrations/sqlite");

/// Reads beside each other and beside the one write; more would only wait for the disk.
const MAX_CONNECTIONS: u32 = 4;

/// How long a statement waits for another's lock, and a caller for a connection.
const WAIT: Duration = Duration::from_secs(5);

/// An open SQLite file.
pub(super) struct Sqlite {
    pool: SqlitePool,
    path: PathBuf,
}

impl Sqlite {
    /// Opens the file, makes it where it is not there, and brings its schema up to date.
    pub(super) async fn open(path: &Path) -> Result<Self, StorageError> {
        make_private(path).map_err(|error| {
            StorageError::Unavailable(format!(
                "{} cannot be opened: {error}; the host needs a folder that it may write to",
                path.display()
            ))
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // An app that was told 201 does not subscribe again: what is committed stays
            // through a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT);
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(WAIT)
            .connect_lazy_with(options);
        let database = Self {
            pool,
            path: path.to_owned(),
        };
        let ready = database.make_ready().await;
        if ready.is_err() {
            database.pool.close().await;
        }
        ready.map(|()| database)
    }

    async fn make_ready(&self) -> Result<(), StorageError> {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.fault(error))?;
        if found != "ok" {
            return Err(StorageError::Corrupt {
                path: self.path.clone(),
                reason: found,
            });
        }
        let migrated = MIGRATIONS.run(&self.pool).await;
        migrated.map_err(|error| fault::of_migration(error, &MIGRATIONS, &self.path))
    }

    /// A transaction that holds the write lock from its start: one that first reads and then
    /// writes would be refused where another wrote meanwhile.
    async fn write(&self) -> Result<Transaction<'static, Driver>, StorageError> {
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        begun.map_err(|error| self.fault(error))
    }

    async fn commit(&self, transaction: Transaction<'_, Driver>) -> Result<(), StorageError> {
        transaction
            .commit()
            .await
            .map_err(|error| self.fault(error))
    }

    fn fault(&self, error: sqlx::Error) -> StorageError {
        fault::of(error, &self.path)
    }
}

impl Lifetime for Sqlite {
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let asked = sqlx::query("SELECT 1 FROM contexts LIMIT 1")
                .fetch_optional(&self.pool)
                .await;
            asked.map(drop).map_err(|error| self.fault(error))
        })
    }
}

/// Only the host may read the file: it holds devices' tokens. SQLite gives its side files the
/// same mode.
fn make_private(path: &Path) -> io::Result<()> {
    const MODE: u32 = 0o600;
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(MODE))?;
    }
    Ok(())
}
