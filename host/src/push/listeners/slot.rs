//! One user's listener.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use belfry_plugin_api::frame::Account;
use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::user::User;
use tokio::task::AbortHandle;

/// How a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerState {
    /// The plugin listens.
    Running,
    /// The plugin needs the user's password, which comes with the next login. A mail server that
    /// was told before goes on reporting meanwhile.
    WaitingForLogin,
    /// The plugin could not do what it was told, and is told again later.
    Retrying {
        /// Why, in a sentence.
        reason: String,
    },
    /// The plugin will not do it before something changes.
    Refused {
        /// Why, in a sentence.
        reason: String,
    },
}

impl fmt::Display for ListenerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::WaitingForLogin => f.write_str("waiting for the user's next login"),
            Self::Retrying { reason } => write!(f, "trying again: {reason}"),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
        }
    }
}

/// A listener, for operators. Its text is the line of `listpushusers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerInfo {
    /// Whose mail it hears of.
    pub user: User,
    /// Whether it outlives the user's sessions.
    pub permanent: bool,
    /// The plugin that listens.
    pub plugin: PluginId,
    /// How it is.
    pub state: ListenerState,
}

impl ListenerInfo {
    /// Whether new mail is heard of: the plugin listens, or a mail server that was told before
    /// goes on reporting.
    pub fn hears(&self) -> bool {
        matches!(
            self.state,
            ListenerState::Running | ListenerState::WaitingForLogin
        )
    }
}

impl fmt::Display for ListenerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let User { context, id } = self.user;
        let permanent = self.permanent;
        write!(f, "user={id}, context={context}, permanent={permanent}")
    }
}

/// What a plugin was told about a user.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) plugin: PluginId,
    /// The plugin's generation that was told.
    pub(super) generation: u64,
    pub(super) account: Account,
    pub(super) state: ListenerState,
}

/// The place of one user's listener.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by the user's turn.
    pub(super) turn: tokio::sync::Mutex<()>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    listener: Option<Listener>,
    failures: u32,
    retry: Option<AbortHandle>,
}

impl Slot {
    pub(super) fn listener(&self) -> Option<Listener> {
        self.now().listener.clone()
    }

    pub(super) fn set(&self, listener: Option<Listener>) {
        self.now().listener = listener;
    }

    /// A turn begins: none that was planned is needed any more.
    pub(super) fn cancel_retry(&self) {
        if let Some(planned) = self.now().retry.take() {
            planned.abort();
        }
    }

    /// A turn failed. Says how many had failed before it since the last success.
    pub(super) fn failed(&self) -> u32 {
        let mut now = self.now();
        let before = now.failures;
        now.failures = before.saturating_add(1);
        before
    }

    pub(super) fn succeeded(&self) {
        self.now().failures = 0;
    }

    pub(super) fn plan_retry(&self, planned: AbortHandle) {
        self.now().retry = Some(planned);
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        let now = self.now();
        now.listener.is_none() && now.retry.is_none()
    }

    pub(super) fn info(&self, user: User) -> Option<ListenerInfo> {
        let now = self.now();
        let listener = now.listener.as_ref()?;
        Some(ListenerInfo {
            user,
            permanent: listener.account.permanent,
            plugin: listener.plugin.clone(),
            state: listener.state.clone(),
        })
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
