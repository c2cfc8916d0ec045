//! Registrations and subscriptions, as every notification asks for them.

use std::sync::Arc;

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;

use super::cache::ReadThrough;
use crate::storage::{NewSubscription, Put, Registration, Storage, StorageError, Subscription};

/// How many users' registrations and devices are kept in memory: about 60 MB when full.
const CACHED_USERS: u64 = 100_000;

/// How many devices a user may have. Those who reinstall an app leave a dead token each time,
/// until a push to it tells.
const MAX_SUBSCRIPTIONS: u32 = 50;

/// The registrations and subscriptions, with those that are asked for most in memory.
pub(super) struct Registry {
    storage: Storage,
    registrations: ReadThrough<User, Arc<[Registration]>>,
    subscriptions: ReadThrough<User, Arc<[Subscription]>>,
}

impl Registry {
    pub(super) fn new(storage: Storage) -> Self {
        Self {
            storage,
            registrations: ReadThrough::new(CACHED_USERS),
            subscriptions: ReadThrough::new(CACHED_USERS),
        }
    }

    /// Whether the database answers.
    pub(super) async fn check(&self) -> Result<(), StorageError> {
        self.storage.check().await
    }

    /// A user's registrations, ending ones included.
    pub(super) async fn registrations(
        &self,
        user: User,
    ) -> Result<Arc<[Registration]>, StorageError> {
        let load = async { Ok(self.storage.registrations().of(user).await?.into()) };
        self.registrations.get(&user, load).await
    }

    pub(super) async fn subscriptions(
        &self,
        user: User,
    ) -> Result<Arc<[Subscription]>, StorageError> {
        let load = async { Ok(self.storage.subscriptions().of(user).await?.into()) };
        self.subscriptions.get(&user, load).await
    }

    pub(super) async fn subscribe(&self, new: &NewSubscription) -> Result<Put, StorageError> {
        let put = self
            .storage
            .subscriptions()
            .put(new, MAX_SUBSCRIPTIONS)
            .await;
        self.written(new.user).await;
        let put = put?;
        if let Some(previous) = put.moved_from {
            self.written(previous).await;
        }
        Ok(put)
    }

    pub(super) async fn unsubscribe(
        &self,
        user: User,
        transport: &str,
        token: &Secret,
    ) -> Result<bool, StorageError> {
        let subscriptions = self.storage.subscriptions();
        let removed = subscriptions.remove(user, transport, token).await;
        self.written(user).await;
        removed
    }

    /// Removes a subscription, only where it was confirmed before `before_ms` if that is given.
    /// Says whose it was.
    pub(super) async fn remove(
        &self,
        id: i64,
        before_ms: Option<i64>,
    ) -> Result<Option<User>, StorageError> {
        let subscriptions = self.storage.subscriptions();
        let owner = subscriptions.remove_by_id(id, before_ms).await?;
        if let Some(user) = owner {
            self.written(user).await;
        }
        Ok(owner)
    }

    /// Ends a user's registrations: all, or the one of a client. Says how many.
    pub(super) async fn end(&self, user: User, client: Option<&str>) -> Result<u64, StorageError> {
        let ended = self.storage.registrations().end(user, client).await;
        self.written(user).await;
        ended
    }

    /// Forgets the ending registrations of a user whose listener knows.
    pub(super) async fn forget_ended(&self, user: User) -> Result<(), StorageError> {
        let forgotten = self.storage.registrations().forget_ended(user).await;
        self.registrations.written(&user).await;
        forgotten
    }

    pub(super) async fn registered_users(&self) -> Result<Vec<User>, StorageError> {
        self.storage.registrations().users().await
    }

    pub(super) async fn all_registrations(&self) -> Result<Vec<Registration>, StorageError> {
        self.storage.registrations().list().await
    }

    pub(super) async fn all_subscriptions(&self) -> Result<Vec<Subscription>, StorageError> {
        self.storage.subscriptions().list().await
    }

    /// To be called after every change of what is stored for a user.
    pub(super) async fn written(&self, user: User) {
        self.registrations.written(&user).await;
        self.subscriptions.written(&user).await;
    }
}
