//! What survives restarts and is the same on every node: users, registrations, subscriptions.
//!
//! Callers see the repositories of [`repository`](Users) only; each kind of database implements
//! them in a folder of its own, with its own migrations.

mod error;
mod login;
mod model;
mod repository;
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;

pub use error::StorageError;
pub use login::{Login, MAX_LOGIN_BYTES, ParseLoginError};
pub use model::{NewSubscription, Put, Registration, Subscription, UserRecord};
pub use repository::{Answer, FIRST_USER, Registrations, Subscriptions, Users};

use sqlite::Sqlite;

/// An open database.
#[derive(Clone)]
pub struct Storage {
    users: Arc<dyn Users>,
    registrations: Arc<dyn Registrations>,
    subscriptions: Arc<dyn Subscriptions>,
    lifetime: Arc<dyn Lifetime>,
}

/// What is done to a database as a whole.
trait Lifetime: Send + Sync {
    fn close(&self) -> BoxFuture<'_, ()>;
    fn check(&self) -> Answer<'_, ()>;
}

impl Storage {
    /// Opens the database that `belfry.database.url` names, makes it where it is not there, and
    /// brings its schema up to date. A relative file lies in the state folder.
    ///
    /// # Errors
    ///
    /// The URL is wrong or names a kind of database that is not built in; the file cannot be
    /// opened, is damaged, or comes from a newer release.
    pub async fn open(url: &str, state_folder: &Path) -> Result<Self, StorageError> {
        let (scheme, _) = url
            .split_once(':')
            .ok_or_else(|| StorageError::Url("it has no scheme".to_owned()))?;
        match scheme {
            "sqlite" => {
                let database = Arc::new(Sqlite::open(&sqlite_path(url, state_folder)?).await?);
                Ok(Self {
                    users: Arc::clone(&database) as _,
                    registrations: Arc::clone(&database) as _,
                    subscriptions: Arc::clone(&database) as _,
                    lifetime: database,
                })
            }
            "postgres" | "postgresql" | "mysql" | "mariadb" => Err(StorageError::Unsupported {
                scheme: scheme.to_owned(),
            }),
            // What stands before the first colon may be anything, a password included.
            _ => Err(StorageError::Url("its scheme is not known".to_owned())),
        }
    }

    /// Who is known.
    pub fn users(&self) -> &dyn Users {
        &*self.users
    }

    /// Who wants permanent listeners.
    pub fn registrations(&self) -> &dyn Registrations {
        &*self.registrations
    }

    /// Users' devices.
    pub fn subscriptions(&self) -> &dyn Subscriptions {
        &*self.subscriptions
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// It does not; the error says why.
    pub async fn check(&self) -> Result<(), StorageError> {
        self.lifetime.check().await
    }

    /// Finishes what is running and closes the database. Everything fails after that, with
    /// [`StorageError::Unavailable`].
    pub async fn close(&self) {
        self.lifetime.close().await;
    }
}

fn sqlite_path(url: &str, state_folder: &Path) -> Result<PathBuf, StorageError> {
    let refuse = |why: String| Err(StorageError::Url(why));
    if url.contains(":memory:") {
        return refuse("a database in memory would forget every user at a restart".to_owned());
    }
    if url.contains('?') {
        return refuse("options after '?' are not known here".to_owned());
    }
    match SqliteConnectOptions::from_str(url) {
        Ok(options) if options.get_filename().as_os_str().is_empty() => {
            refuse("it names no file".to_owned())
        }
        Ok(options) => Ok(state_folder.join(options.get_filename())),
        Err(error) => refuse(error.to_string()),
    }
}
