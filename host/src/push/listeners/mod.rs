//! Which listeners run.
//!
//! Nothing here follows single events. Whatever may matter to a user's listener - a session
//! begins or ends, a device is subscribed or removed, a plugin comes or goes, the configuration
//! changes - has the user's [turn](turn) come: what is wanted is decided anew, compared with what
//! is the case, and the difference is told to the plugin. A turn that failed comes again by
//! itself, later and later. So nothing is forgotten, however the events interleave.

mod backoff;
mod plugins;
mod slot;
mod turn;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::user::User;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use plugins::ListenerPlugins;
pub use slot::{ListenerInfo, ListenerState};

use super::core::Core;
use backoff::delay;
use slot::Slot;

/// How many plugin calls run at once: each is a login at the mail server.
const CALLS_AT_ONCE: usize = 64;

/// How many of them for users nobody waits for, after a plugin has come: less, so that apps do
/// not queue behind them.
const SWEEP_AT_ONCE: usize = 32;

/// How long an app waits for its listener before it is told that its subscription is stored.
const PATIENCE: Duration = Duration::from_secs(3);

/// The listeners of all users.
#[derive(Clone)]
pub(super) struct Listeners(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    slots: Mutex<HashMap<User, Arc<Slot>>>,
    /// How often each plugin has come or gone: a listener that was begun before is none any more.
    generations: Mutex<HashMap<PluginId, u64>>,
    calls: Semaphore,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Listeners {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self(Arc::new(Inner {
            core,
            slots: Mutex::default(),
            generations: Mutex::default(),
            calls: Semaphore::new(CALLS_AT_ONCE),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// Something about the user changed.
    pub(super) fn changed(&self, user: User) {
        self.spawn_turn(user);
    }

    /// Something about the user changed, and somebody waits for the listener, but not for long.
    pub(super) async fn changed_and_settled(&self, user: User) {
        let turn = self.spawn_turn(user);
        let settled = tokio::time::timeout(PATIENCE, turn).await;
        if settled.is_err() {
            tracing::debug!(%user, "the listener takes its time; the app is not kept waiting");
        }
    }

    /// Something about everybody changed.
    pub(super) fn all_changed(&self) {
        let this = self.clone();
        self.0.tasks.spawn(async move { this.sweep_all().await });
    }

    /// A plugin has become active, for the first time or once more: it has no listeners yet.
    pub(super) fn plugin_active(&self, plugin: &PluginId) {
        self.new_generation(plugin);
        self.all_changed();
    }

    /// A plugin is not active any more, and its listeners are gone with it.
    pub(super) fn plugin_gone(&self, plugin: &PluginId) {
        self.new_generation(plugin);
        let has_lost = |slot: &Slot| slot.listener().is_some_and(|lost| lost.plugin == *plugin);
        let users: Vec<User> = {
            let slots = self.0.slots();
            let lost = slots.iter().filter(|(_, slot)| has_lost(slot));
            lost.map(|(user, _)| *user).collect()
        };
        let this = self.clone();
        self.0.tasks.spawn(async move { this.sweep(users).await });
    }

    /// Every listener, by context and user.
    pub(super) fn list(&self) -> Vec<ListenerInfo> {
        let slots = self.0.slots();
        let slots = slots.iter();
        let mut list: Vec<_> = slots.filter_map(|(user, slot)| slot.info(*user)).collect();
        list.sort_by_key(|info| info.user);
        list
    }

    /// Begins and ends no listener any more, and waits for what is being said to plugins.
    pub(super) async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    #[cfg(test)]
    pub(super) fn slot_count(&self) -> usize {
        self.0.slots().len()
    }

    fn new_generation(&self, plugin: &PluginId) {
        let mut generations = self.0.generations();
        *generations.entry(plugin.clone()).or_default() += 1;
    }

    /// The turn comes also where whoever waits for it does so no longer.
    fn spawn_turn(&self, user: User) -> tokio::task::JoinHandle<()> {
        let inner = Arc::clone(&self.0);
        self.0.tasks.spawn(async move { inner.turn(user).await })
    }

    async fn sweep_all(&self) {
        let mut failures = 0;
        let registered = loop {
            match self.0.core.registry.registered_users().await {
                Ok(users) => break users,
                Err(error) => {
                    tracing::warn!("listeners have to wait: {error}");
                    tokio::select! {
                        () = self.0.stopping.cancelled() => return,
                        () = tokio::time::sleep(delay(failures)) => failures += 1,
                    }
                }
            }
        };
        let mut users: BTreeSet<User> = registered.into_iter().collect();
        users.extend(self.0.core.sessions.users());
        users.extend(self.0.slots().keys());
        self.sweep(users).await;
    }

    async fn sweep(&self, users: impl IntoIterator<Item = User>) {
        let turns = stream::iter(users);
        turns
            .for_each_concurrent(SWEEP_AT_ONCE, |user| async move { self.0.turn(user).await })
            .await;
    }
}

impl Inner {
    fn slots(&self) -> MutexGuard<'_, HashMap<User, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn generations(&self) -> MutexGuard<'_, HashMap<PluginId, u64>> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn generation(&self, plugin: &PluginId) -> u64 {
        self.generations().get(plugin).copied().unwrap_or_default()
    }
}
