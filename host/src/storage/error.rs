//! Why the database did not do what it was asked.

use std::path::PathBuf;

/// Why the database did not do what it was asked. No text holds a login, password or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// It cannot be reached or cannot work now. Later it may.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// What was asked contradicts what is stored. Asking again does not help.
    #[error("the database refused: {0}")]
    Refused(String),
    /// The file is damaged, or is no database.
    #[error(
        "the database {} is damaged ({reason}): stop the host and put a backup in its place; \
         without one, move the file away, and every user has to log in and subscribe again",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer release has written it.
    #[error(
        "the database was written by a newer release of Belfry (its schema has version {found}, \
         this release knows versions up to {known}): install that release or a newer one, or put \
         a backup from before the update in place"
    )]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest one that this release knows.
        known: i64,
    },
    /// The URL names a database that this build cannot use.
    #[error(
        "belfry.database.url begins with {scheme}:, and this build has SQLite only: write \
         sqlite:FILE, or leave the property out"
    )]
    Unsupported {
        /// What the URL begins with.
        scheme: String,
    },
    /// The URL is none.
    #[error("belfry.database.url cannot be used: {0}; write sqlite:FILE")]
    Url(String),
    /// A fault of Belfry's own.
    #[error("the database and this release of Belfry disagree, which is a fault of Belfry: {0}")]
    Fault(String),
}

impl StorageError {
    /// Whether the same may succeed later without anybody doing anything.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
