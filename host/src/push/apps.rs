//! What apps ask.

use std::sync::Arc;

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;

use super::clients::is_allowed;
use super::uninterrupted::uninterrupted;
use super::{LoginAttempt, LoginError, Push, Session, SessionToken};
use crate::clock;
use crate::storage::{NewSubscription, StorageError, Subscription};

/// The capability without which nobody may log in.
const MOBILE_MAIL_APP: &str = "mobile_mail_app";

/// A device that a client subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The transport's name: `apns`, `fcm`.
    pub transport: String,
    /// The device's token at the provider.
    pub token: Secret,
    /// The app that the token belongs to, where the client names one.
    pub app: Option<String>,
}

/// Whether a subscription is one that the user did not have before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribed {
    /// It is.
    New,
    /// The user had it already; it counts as confirmed now.
    Known,
}

/// Why a device is not subscribed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The operator does not allow the client.
    #[error(
        "the client {0:?} may not be notified; com.openexchange.push.allowedClient does not \
         cover it"
    )]
    ClientNotAllowed(Arc<str>),
    /// The user may not use the mobile mail app any more.
    #[error("this account may not use the mobile mail app")]
    NoCapability,
    /// The database did not take it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Push {
    /// Begins a session, where the mail server confirms the password.
    ///
    /// # Errors
    ///
    /// See [`LoginError`].
    pub async fn log_in(
        &self,
        attempt: LoginAttempt,
    ) -> Result<(SessionToken, Arc<Session>), LoginError> {
        let (token, session) = self.door.log_in(attempt).await?;
        self.listeners.changed(session.user);
        Ok((token, session))
    }

    /// The session with this token, where there is one; it counts as used.
    pub fn session(&self, token: &str) -> Option<Arc<Session>> {
        self.core.sessions.find(token, self.core.limits())
    }

    /// Ends a session, and the listener that lived with it.
    pub async fn log_out(&self, session: &Session) {
        if self.core.sessions.end(session.id) {
            self.listeners.changed_and_settled(session.user).await;
        }
    }

    /// What a user may do.
    pub fn capabilities(&self, _user: User) -> Vec<&'static str> {
        let settings = self.core.settings.current();
        settings
            .mobile_mail_app
            .then_some(MOBILE_MAIL_APP)
            .into_iter()
            .collect()
    }

    /// Subscribes a device and registers its client for a permanent listener. A token that
    /// another user had moves to this one. The listener usually runs when this returns; one that
    /// takes longer is not waited for.
    ///
    /// # Errors
    ///
    /// See [`SubscribeError`].
    pub async fn subscribe(
        &self,
        session: &Session,
        device: Device,
    ) -> Result<Subscribed, SubscribeError> {
        let settings = self.core.settings.current();
        if !settings.mobile_mail_app {
            return Err(SubscribeError::NoCapability);
        }
        if !is_allowed(&settings.allowed_clients, &session.client) {
            return Err(SubscribeError::ClientNotAllowed(Arc::clone(
                &session.client,
            )));
        }
        let new = NewSubscription {
            user: session.user,
            client: session.client.to_string(),
            transport: device.transport,
            token: device.token,
            app: device.app,
            subscribed_ms: clock::now_ms(),
        };
        let (core, listeners) = self.parts();
        uninterrupted(async move {
            let put = core.registry.subscribe(&new).await?;
            if let Some(previous) = put.moved_from {
                tracing::info!(from = %previous, to = %new.user, "a device changed hands");
                listeners.changed(previous);
            }
            listeners.changed_and_settled(new.user).await;
            Ok(if put.known {
                Subscribed::Known
            } else {
                Subscribed::New
            })
        })
        .await
    }

    /// All devices of the session's user, also those of other clients.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub async fn devices(&self, session: &Session) -> Result<Arc<[Subscription]>, StorageError> {
        self.core.registry.subscriptions(session.user).await
    }

    /// Removes a device of the session's user; false where it is not there.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn unsubscribe(
        &self,
        session: &Session,
        transport: &str,
        token: &Secret,
    ) -> Result<bool, StorageError> {
        let (core, listeners) = self.parts();
        let (user, transport, token) = (session.user, transport.to_owned(), token.clone());
        uninterrupted(async move {
            let removed = core.registry.unsubscribe(user, &transport, &token).await?;
            if removed {
                listeners.changed_and_settled(user).await;
            }
            Ok(removed)
        })
        .await
    }
}
