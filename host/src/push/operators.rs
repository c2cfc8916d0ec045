//! What operators ask.

use std::sync::Arc;

use belfry_plugin_api::user::User;

use super::uninterrupted::uninterrupted;
use super::{ListenerInfo, Push, SubscriptionInfo};
use crate::storage::{Login, Registration, StorageError, UserRecord};

impl Push {
    /// The listeners, by context and user.
    pub fn listeners(&self) -> Vec<ListenerInfo> {
        self.listeners.list()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// It does not; the error says why.
    pub async fn check_database(&self) -> Result<(), StorageError> {
        self.core.registry.check().await
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.core.sessions.len()
    }

    /// The registrations, by context, user and client.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn registrations(&self) -> Result<Vec<Registration>, StorageError> {
        self.core.registry.all_registrations().await
    }

    /// Ends a user's registrations: all, or the one of a client. Says how many. The devices stay
    /// subscribed, and the next one that an app confirms registers its client again.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn remove_registration(
        &self,
        user: User,
        client: Option<&str>,
    ) -> Result<u64, StorageError> {
        let (core, listeners) = self.parts();
        let client = client.map(str::to_owned);
        uninterrupted(async move {
            let ended = core.registry.end(user, client.as_deref()).await?;
            listeners.changed_and_settled(user).await;
            Ok(ended)
        })
        .await
    }

    /// The subscriptions, by context, user and id.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn subscriptions(&self) -> Result<Vec<SubscriptionInfo>, StorageError> {
        let all = self.core.registry.all_subscriptions().await?;
        Ok(all.into_iter().map(SubscriptionInfo::from).collect())
    }

    /// Removes a subscription; false where it is not there.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn remove_subscription(&self, id: i64) -> Result<bool, StorageError> {
        let (core, listeners) = self.parts();
        uninterrupted(async move {
            let owner = core.registry.remove(id, None).await?;
            if let Some(user) = owner {
                listeners.changed_and_settled(user).await;
            }
            Ok(owner.is_some())
        })
        .await
    }

    /// The users, by context and number.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn users(&self) -> Result<Vec<UserRecord>, StorageError> {
        self.core.directory.list().await
    }

    /// Makes a user known, with these numbers.
    ///
    /// # Errors
    ///
    /// [`StorageError::Refused`] where the numbers or the login are taken; the database is away.
    pub async fn add_user(&self, user: User, login: &Login) -> Result<UserRecord, StorageError> {
        let (core, login) = (Arc::clone(&self.core), login.clone());
        uninterrupted(async move { core.directory.add(user, &login).await }).await
    }

    /// Removes a user with its sessions, registrations and subscriptions; false where there is
    /// none. Where auto-provisioning is on and the mail server still knows the login, the next
    /// login makes a new user of it, with another number.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn remove_user(&self, user: User) -> Result<bool, StorageError> {
        // The listener is told first: it needs the login, and perhaps a session's password.
        self.remove_registration(user, None).await?;
        let (core, listeners) = self.parts();
        uninterrupted(async move {
            core.sessions.end_all_of(user);
            let removed = core.directory.remove(user).await;
            core.registry.written(user).await;
            listeners.changed(user);
            removed
        })
        .await
    }
}
