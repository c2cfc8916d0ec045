//! Who a text means.

use std::sync::Arc;

use belfry_plugin_api::user::User;

use super::cache::ReadThrough;
use crate::clock;
use crate::storage::{Login, MAX_LOGIN_BYTES, Storage, StorageError, UserRecord};

/// How many users, and how many logins, are kept in memory: about 30 MB when full.
const CACHED: u64 = 100_000;

/// The users, with those that are asked for most in memory; that somebody is not there is kept
/// as well.
pub(super) struct Directory {
    storage: Storage,
    by_login: ReadThrough<String, Option<User>>,
    by_numbers: ReadThrough<User, Option<Arc<UserRecord>>>,
}

impl Directory {
    pub(super) fn new(storage: Storage) -> Self {
        Self {
            storage,
            by_login: ReadThrough::new(CACHED),
            by_numbers: ReadThrough::new(CACHED),
        }
    }

    /// The user whom a mail server means by `USER@CONTEXT` or by a mail login.
    pub(super) async fn resolve(&self, text: &str) -> Result<Option<User>, StorageError> {
        if let Ok(user) = text.parse::<User>() {
            return match self.record(user).await {
                Ok(record) => Ok(record.map(|record| record.user)),
                // The numbers say who it is. Whether anybody is there is asked again before
                // anything is delivered.
                Err(error) if error.is_temporary() => Ok(Some(user)),
                Err(error) => Err(error),
            };
        }
        if text.is_empty() || text.len() > MAX_LOGIN_BYTES {
            return Ok(None);
        }
        self.find(&Login::key_of(text)).await
    }

    async fn find(&self, key: &str) -> Result<Option<User>, StorageError> {
        let load = async {
            let record = self.storage.users().find_by_login(key).await?;
            Ok(record.map(|record| record.user))
        };
        self.by_login.get(key, load).await
    }

    /// What is known of a user.
    pub(super) async fn record(&self, user: User) -> Result<Option<Arc<UserRecord>>, StorageError> {
        let load = async { Ok(self.storage.users().find(user).await?.map(Arc::new)) };
        self.by_numbers.get(&user, load).await
    }

    /// The user with this login; a new one of the context where there is none and one may be
    /// made.
    pub(super) async fn log_in(
        &self,
        login: &Login,
        new_in: Option<u32>,
    ) -> Result<Option<User>, StorageError> {
        let found = self.find(login.key()).await?;
        let (None, Some(context)) = (found, new_in) else {
            return Ok(found);
        };
        let users = self.storage.users();
        let record = users.provision(context, login, clock::now_ms()).await?;
        self.written(&record).await;
        tracing::info!(user = %record.user, "a user is known from its first login on");
        Ok(Some(record.user))
    }

    pub(super) async fn add(&self, user: User, login: &Login) -> Result<UserRecord, StorageError> {
        let users = self.storage.users();
        let record = users.add(user, login, clock::now_ms()).await?;
        self.written(&record).await;
        Ok(record)
    }

    pub(super) async fn remove(&self, user: User) -> Result<bool, StorageError> {
        let record = self.storage.users().find(user).await?;
        let removed = self.storage.users().remove(user).await?;
        match record {
            Some(record) => self.written(&record).await,
            None => self.by_numbers.written(&user).await,
        }
        Ok(removed)
    }

    pub(super) async fn list(&self) -> Result<Vec<UserRecord>, StorageError> {
        self.storage.users().list().await
    }

    async fn written(&self, record: &UserRecord) {
        self.by_login.written(record.login.key()).await;
        self.by_numbers.written(&record.user).await;
    }
}
