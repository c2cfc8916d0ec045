//! Who is notified: users, their sessions, registrations and subscriptions, and the listeners
//! that hear of their mail. It knows no HTTP and no push provider.
//!
//! ```text
//! apps ─── Push ─┬─ Door ──────── password check, throttle
//!                ├─ Listeners ─── one slot a user ─── listener plugins
//! notifications ─┤
//!                └─ Core ─┬─ settings    what the operator wants
//!                         ├─ Directory ─ users            ┐
//!                         ├─ Registry ── registrations,   ├ memory before the database
//!                         │              subscriptions    ┘
//!                         └─ sessions    memory only
//! ```
//!
//! Invariants: what a notification asks ([`Push::resolve`], [`Push::is_registered`],
//! [`Push::subscriptions_of`]) is answered from memory once it was asked, also while the database
//! is away. Who gets which listener is decided in one pure function, [`decide`].

mod apps;
mod cache;
mod clients;
mod core;
mod decide;
mod directory;
mod listeners;
mod listing;
mod login;
mod operators;
mod password;
mod registry;
mod sessions;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod uninterrupted;

use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::user::User;
use tokio::task::AbortHandle;

pub use apps::{Device, SubscribeError, Subscribed};
pub use clients::is_allowed;
pub use decide::{Candidate, Circumstances, CredentialSource, Decision, Reason, decide};
pub use listeners::{ListenerInfo, ListenerPlugins, ListenerState};
pub use listing::SubscriptionInfo;
pub use login::{LoginAttempt, LoginError};
pub use password::{CheckError, ImapPasswordCheck, PasswordCheck};
pub use sessions::{Session, SessionId, SessionToken};
pub use settings::Settings;

use self::core::Core;
use crate::config::{Config, ValueError};
use crate::storage::{Storage, StorageError, Subscription};
use directory::Directory;
use listeners::Listeners;
use login::Door;
use registry::Registry;
use sessions::Table;
use settings::LiveSettings;
use uninterrupted::uninterrupted;

/// How often idle sessions are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);

/// Who is notified, and who listens for them.
pub struct Push {
    core: Arc<Core>,
    door: Door,
    listeners: Listeners,
    upkeep: std::sync::Mutex<Vec<AbortHandle>>,
}

impl Push {
    /// Nothing runs yet; see [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// The configuration contradicts itself; the error says how.
    pub fn new(
        config: Arc<Config>,
        storage: Storage,
        checks: Arc<dyn PasswordCheck>,
        plugins: Arc<dyn ListenerPlugins>,
    ) -> Result<Arc<Self>, ValueError> {
        let core = Arc::new(Core {
            settings: LiveSettings::new(config)?,
            directory: Directory::new(storage.clone()),
            registry: Registry::new(storage),
            sessions: Table::default(),
            plugins,
        });
        Ok(Arc::new(Self {
            door: Door::new(Arc::clone(&core), checks),
            listeners: Listeners::new(Arc::clone(&core)),
            core,
            upkeep: std::sync::Mutex::default(),
        }))
    }

    /// Begins to end idle sessions and to follow the configuration. Permanent listeners begin
    /// when their plugins do: see [`plugin_active`](Self::plugin_active).
    pub fn start(self: &Arc<Self>) {
        let (sessions, changes) = (Arc::clone(self), Arc::clone(self));
        let tasks = [
            tokio::spawn(async move { sessions.expire_sessions().await }),
            tokio::spawn(async move { changes.follow_configuration().await }),
        ];
        self.upkeep().extend(tasks.map(|task| task.abort_handle()));
    }

    /// Begins and ends no listener any more, and waits for what is being said to plugins. What
    /// is asked here is answered until the end.
    pub async fn stop(&self) {
        for task in self.upkeep().drain(..) {
            task.abort();
        }
        self.listeners.stop().await;
    }

    /// The user whom a mail server means by `USER@CONTEXT` or by a mail login; none where nobody
    /// is known by it.
    ///
    /// # Errors
    ///
    /// Nobody asked for it before, and the database is away.
    pub async fn resolve(&self, text: &str) -> Result<Option<User>, StorageError> {
        self.core.directory.resolve(text).await
    }

    /// Whether anybody waits for this user's mail.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub async fn is_registered(&self, user: User) -> Result<bool, StorageError> {
        self.core.is_registered(user).await
    }

    /// The devices that a user's mail goes to: those whose clients are allowed.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub async fn subscriptions_of(&self, user: User) -> Result<Arc<[Subscription]>, StorageError> {
        let subscriptions = self.core.registry.subscriptions(user).await?;
        let settings = self.core.settings.current();
        let allowed = |subscription: &&Subscription| {
            is_allowed(&settings.allowed_clients, &subscription.client)
        };
        if subscriptions
            .iter()
            .all(|subscription| allowed(&subscription))
        {
            return Ok(subscriptions);
        }
        Ok(subscriptions.iter().filter(allowed).cloned().collect())
    }

    /// A push provider says that a device's token is of no use any more. A device that subscribed
    /// at `since_ms` (milliseconds since the Unix epoch) or later is kept. Says whether it went.
    ///
    /// # Errors
    ///
    /// The database is away.
    pub async fn token_dead(&self, id: i64, since_ms: Option<i64>) -> Result<bool, StorageError> {
        let (core, listeners) = self.parts();
        uninterrupted(async move {
            let owner = core.registry.remove(id, since_ms).await?;
            if let Some(user) = owner {
                tracing::info!(%user, subscription = id, "a device is gone, its provider says");
                listeners.changed(user);
            }
            Ok(owner.is_some())
        })
        .await
    }

    /// A listener plugin has become active: for the first time, again, or in a new generation.
    /// It is told of everybody it is to listen for.
    pub fn plugin_active(&self, plugin: &PluginId) {
        self.listeners.plugin_active(plugin);
    }

    /// A listener plugin is not active any more. To be called when it is no candidate any more.
    pub fn plugin_gone(&self, plugin: &PluginId) {
        self.listeners.plugin_gone(plugin);
    }

    fn parts(&self) -> (Arc<Core>, Listeners) {
        (Arc::clone(&self.core), self.listeners.clone())
    }

    async fn expire_sessions(&self) {
        loop {
            tokio::time::sleep(EXPIRY_INTERVAL).await;
            self.end_idle_sessions();
        }
    }

    pub(crate) fn end_idle_sessions(&self) {
        for user in self.core.sessions.expire(self.core.limits()) {
            self.listeners.changed(user);
        }
    }

    async fn follow_configuration(&self) {
        let mut snapshots = self.core.settings.config().subscribe();
        let mut before = self.core.settings.current();
        while snapshots.changed().await.is_ok() {
            let now = self.core.settings.current();
            if now != before {
                self.listeners.all_changed();
                before = now;
            }
        }
    }

    fn upkeep(&self) -> std::sync::MutexGuard<'_, Vec<AbortHandle>> {
        self.upkeep
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
