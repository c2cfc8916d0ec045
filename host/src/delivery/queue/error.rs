//! Why the queue refused, in words for the operator.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;

/// Why a job was not done. Nothing of a refused job is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no room for more. Jobs are tried anew each time, so it passes by itself.
    #[error(
        "the delivery queue {} cannot grow: its file system is full; free space there, the queue \
         goes on by itself", .path.display()
    )]
    DiskFull {
        /// The queue's file.
        path: Arc<Path>,
    },
    /// The file or its folder may not be written.
    #[error(
        "the delivery queue {} cannot be written ({detail}); make the file and its folder \
         writable for the user that runs belfryd", .path.display()
    )]
    ReadOnly {
        /// The queue's file.
        path: Arc<Path>,
        /// What the system said.
        detail: String,
    },
    /// The file is no longer what was written.
    #[error(
        "the delivery queue {} is damaged ({detail}); stop belfryd, move the file and the one with \
         -wal after its name aside, and start belfryd with a new queue: what was accepted and \
         not yet delivered is in the old files, from which `sqlite3 FILE .recover` may save it",
        .path.display()
    )]
    Corrupt {
        /// The queue's file.
        path: Arc<Path>,
        /// What was found.
        detail: String,
    },
    /// A newer Belfry has written the file.
    #[error(
        "the delivery queue {} has format {found}, this belfryd knows up to {known}; run the \
         newer belfryd that wrote it, or let that one deliver everything and move the file aside",
        .path.display()
    )]
    Newer {
        /// The queue's file.
        path: Arc<Path>,
        /// The format of the file.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// Another process has the file.
    #[error(
        "the delivery queue {} is in use by another process; end the other belfryd that runs on \
         this state folder, or give this one a folder of its own (--state)", .path.display()
    )]
    InUse {
        /// The queue's file.
        path: Arc<Path>,
    },
    /// The queue has been closed.
    #[error("the delivery queue is closed: belfryd is shutting down; try again when it is back")]
    Closed,
    /// Anything else that SQLite or the system reported.
    #[error(
        "the delivery queue {} could not {action} ({detail}); look for errors of the disk in the \
         system's log, the queue tries anew with the next job", .path.display()
    )]
    Other {
        /// The queue's file.
        path: Arc<Path>,
        /// What was being done.
        action: &'static str,
        /// What SQLite or the system said.
        detail: String,
    },
}

impl QueueError {
    /// Classifies what SQLite reported while doing `action` on the file at `path`.
    pub(super) fn from_sqlite(
        path: &Arc<Path>,
        action: &'static str,
        error: &rusqlite::Error,
    ) -> Self {
        let path = Arc::clone(path);
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => QueueError::DiskFull { path },
            // A log that cannot be created beside the file is reported as "cannot open".
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                QueueError::ReadOnly { path, detail }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                QueueError::Corrupt { path, detail }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => QueueError::InUse { path },
            _ => QueueError::Other {
                path,
                action,
                detail,
            },
        }
    }

    /// Classifies what the system reported while doing `action` on the file at `path`.
    pub(super) fn from_io(path: &Arc<Path>, action: &'static str, error: &io::Error) -> Self {
        let path = Arc::clone(path);
        let detail = error.to_string();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                QueueError::DiskFull { path }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                QueueError::ReadOnly { path, detail }
            }
            _ => QueueError::Other {
                path,
                action,
                detail,
            },
        }
    }
}

/// How far a failed transaction reaches: what can be saved of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// One job is at fault; the others would have succeeded without it.
    Job,
    /// Room is lacking; jobs that need none may still succeed.
    Room,
    /// The disk failed; what the operating system still holds of earlier commits is in doubt.
    Disk,
    /// Nothing can be done with the file.
    File,
}

impl Reach {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Reach::Room,
            Some(ErrorCode::SystemIoFailure) => Reach::Disk,
            None
            | Some(
                ErrorCode::ConstraintViolation
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::Unknown,
            ) => Reach::Job,
            Some(_) => Reach::File,
        }
    }
}
