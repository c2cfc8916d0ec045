//! Opening the queue's file: private, ours alone, whole, and of a format that we know.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::QueueError;
use super::schema;

/// Mail is quoted in the queue; nobody else reads it.
const MODE: u32 = 0o600;
/// How long to wait for a predecessor that is still closing the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Page cache of the connection, in KiB.
const CACHE_KIB: i64 = 4096;
/// The log is cut to this size after a checkpoint, so that a burst does not keep the disk.
const LOG_KEPT_BYTES: i64 = 32 * 1024 * 1024;
/// Larger files are not read as a whole at start-up; SQLite checks each page as it meets it.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;
/// Every statement of the module has a place.
const STATEMENTS: usize = 64;

/// Opens the file at `path`, creating it when there is none.
pub(super) fn open(path: &Arc<Path>) -> Result<Connection, QueueError> {
    let io_error = |error: io::Error| QueueError::from_io(path, "open its file", &error);
    let sqlite_error =
        |error: rusqlite::Error| QueueError::from_sqlite(path, "open its file", &error);

    refuse_log_without_file(path)?;
    create_private(path).map_err(io_error)?;
    let size = fs::metadata(path).map_err(io_error)?.len();

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(sqlite_error)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.busy_timeout(BUSY_TIMEOUT).map_err(sqlite_error)?;
    // Before the first access: then the index of the log lives in our memory instead of a file
    // shared with others, and no transaction spends system calls on locks.
    db.execute_batch("PRAGMA locking_mode = EXCLUSIVE;")
        .map_err(sqlite_error)?;
    // Read before anything is written: a file that is not ours is left as it was.
    let version = known_version(&db, path)?;
    tune(&db).map_err(sqlite_error)?;
    schema::migrate(&db, version).map_err(sqlite_error)?;
    if size <= CHECKED_BYTES {
        check(&db, path)?;
    }
    Ok(db)
}

/// SQLite silently throws away a log whose file is empty; its content was accepted mail.
fn refuse_log_without_file(path: &Arc<Path>) -> Result<(), QueueError> {
    let empty = |path: &Path| fs::metadata(path).map_or(true, |found| found.len() == 0);
    let log = log_of(path);
    if empty(path) && !empty(&log) {
        return Err(QueueError::Corrupt {
            path: Arc::clone(path),
            detail: format!(
                "the file is missing or empty while its log {} is there",
                log.display()
            ),
        });
    }
    Ok(())
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// Makes sure that the file exists and is private; SQLite gives its log the same mode.
///
/// A file that exists is never opened here: closing it would drop the locks of a queue that this
/// process already has on it.
fn create_private(path: &Path) -> io::Result<()> {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path);
    match created {
        Ok(file) => {
            file.sync_all()?;
            match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
                _ => File::open(".")?.sync_all(),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut permissions = fs::metadata(path)?.permissions();
            if permissions.mode() & 0o077 != 0 {
                permissions.set_mode(MODE);
                fs::set_permissions(path, permissions)?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The format of the file, 0 for a new one.
fn known_version(db: &Connection, path: &Arc<Path>) -> Result<i64, QueueError> {
    let read = |sql| {
        db.query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|error| QueueError::from_sqlite(path, "read its file", &error))
    };
    let version = read("SELECT user_version FROM pragma_user_version")?;
    let application = read("SELECT application_id FROM pragma_application_id")?;
    let objects = read("SELECT count(*) FROM sqlite_schema")?;
    let new = version == 0 && application == 0 && objects == 0;
    if !new && application != schema::APPLICATION_ID {
        return Err(QueueError::Corrupt {
            path: Arc::clone(path),
            detail: "it is a database of another program".to_owned(),
        });
    }
    if version > schema::NEWEST {
        return Err(QueueError::Newer {
            path: Arc::clone(path),
            found: version,
            known: schema::NEWEST,
        });
    }
    Ok(version)
}

fn tune(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;
         PRAGMA cache_size = -{CACHE_KIB};
         PRAGMA journal_size_limit = {LOG_KEPT_BYTES};
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;"
    ))?;
    // The writer checkpoints by itself, after it has answered.
    db.execute_batch("PRAGMA wal_autocheckpoint = 0;")
}

fn check(db: &Connection, path: &Arc<Path>) -> Result<(), QueueError> {
    let verdict: String = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| QueueError::from_sqlite(path, "check its file", &error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(QueueError::Corrupt {
        path: Arc::clone(path),
        detail: verdict,
    })
}
