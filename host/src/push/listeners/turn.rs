//! One comparison of what is wanted for a user with what is the case.

use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::Error;
use belfry_plugin_api::frame::Account;
use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::user::User;

use super::Inner;
use super::backoff::delay;
use super::slot::{Listener, ListenerState, Slot};
use crate::push::core::Wanted;
use crate::push::decide::{Candidate, Decision};

/// How long a plugin may take. A login at a mail server that holds back may take half of it.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a turn has to come again, in a sentence.
struct Again(String);

impl Inner {
    /// The user's turn. Turns of one user come one after the other.
    pub(super) async fn turn(self: &Arc<Self>, user: User) {
        if self.stopping.is_cancelled() {
            return;
        }
        let slot = Arc::clone(self.slots().entry(user).or_default());
        {
            let _turn = slot.turn.lock().await;
            slot.cancel_retry();
            match self.settle(user, &slot).await {
                Ok(()) => slot.succeeded(),
                Err(Again(reason)) => self.come_again(user, &slot, &reason),
            }
        }
        let mut slots = self.slots();
        // Whoever else waits for this slot got it from the map: one reference each.
        if Arc::strong_count(&slot) == 2 && slot.is_idle() {
            slots.remove(&user);
        }
    }

    fn come_again(self: &Arc<Self>, user: User, slot: &Slot, reason: &str) {
        let failures = slot.failed();
        if failures == 0 {
            tracing::warn!(%user, "the listener has to be told again later: {reason}");
        } else {
            tracing::debug!(%user, failures, "the listener has to be told again later: {reason}");
        }
        let inner = Arc::clone(self);
        let planned = self.tasks.spawn(async move {
            tokio::select! {
                () = inner.stopping.cancelled() => {}
                () = tokio::time::sleep(delay(failures)) => {
                    let turn = Arc::clone(&inner);
                    // A task of its own: the turn aborts the one that is planned, this one.
                    inner.tasks.spawn(async move { turn.turn(user).await });
                }
            }
        });
        slot.plan_retry(planned.abort_handle());
    }

    async fn settle(&self, user: User, slot: &Slot) -> Result<(), Again> {
        let wanted = self.core.wanted(user).await;
        let wanted = wanted.map_err(|error| Again(error.to_string()))?;
        // What a plugin that has gone was told, is told no more.
        let active = |listener: &Listener| is_active(&wanted.candidates, &listener.plugin);
        let before = slot.listener().filter(active);
        let told = match (&wanted.decision, &wanted.login) {
            (Decision::Permanent { plugin, .. }, Some(login)) => {
                Some((plugin, account(user, login.as_str(), &wanted, true)))
            }
            (Decision::SessionBound { plugin, .. }, Some(login)) => {
                Some((plugin, account(user, login.as_str(), &wanted, false)))
            }
            (Decision::None { reason }, _) => {
                tracing::debug!(%user, "no listener: {reason}");
                None
            }
            (_, None) => None,
        };
        match told {
            Some((plugin, account)) => self.begin(slot, before, plugin, account).await?,
            None => return self.end(user, slot, before, &wanted).await,
        }
        if wanted.ended {
            self.forget_ended(user).await?;
        }
        Ok(())
    }

    /// Has `plugin` listen, where it does not yet, and the one that did before cease to.
    async fn begin(
        &self,
        slot: &Slot,
        before: Option<Listener>,
        plugin: &PluginId,
        account: Account,
    ) -> Result<(), Again> {
        let generation = self.generation(plugin);
        if let Some(mut listener) = before.clone()
            && (&listener.plugin, listener.generation) == (plugin, generation)
            && listener.state == ListenerState::Running
            && is_content(&listener.account, &account)
        {
            // A password is kept as long as a session holds it, and no longer.
            listener.account.credentials = account.credentials;
            slot.set(Some(listener));
            return Ok(());
        }
        let user = account.user;
        let told = self.tell(plugin, &account, true).await;
        let state = match &told {
            Ok(()) => {
                tracing::debug!(%user, %plugin, permanent = account.permanent, "listening");
                ListenerState::Running
            }
            Err(error) if !error.is_permanent() => ListenerState::Retrying {
                reason: error.to_string(),
            },
            Err(error) if account.credentials.is_none() => {
                tracing::debug!(%user, %plugin, "waiting for the user's next login: {error}");
                ListenerState::WaitingForLogin
            }
            Err(error) => {
                tracing::warn!(%user, %plugin, "the listener was refused: {error}");
                ListenerState::Refused {
                    reason: error.to_string(),
                }
            }
        };
        let other = before.filter(|listener| listener.plugin != *plugin);
        let again = match &state {
            ListenerState::Retrying { reason } => Some(Again(format!("{plugin}: {reason}"))),
            _ => None,
        };
        if other.is_some() && again.is_some() {
            // Better the old listener than none.
            return Err(Again(format!("{plugin} could not take over")));
        }
        slot.set(Some(Listener {
            plugin: plugin.clone(),
            generation,
            account,
            state,
        }));
        if let Some(other) = other
            && let Err(error) = self.tell(&other.plugin, &other.account, false).await
        {
            let plugin = &other.plugin;
            tracing::warn!(%user, %plugin, "the replaced listener did not take leave: {error}");
        }
        again.map_or(Ok(()), Err)
    }

    /// Has the plugin that listens cease to. Where registrations ended and nobody knows which
    /// plugin listened - the host was restarted since - it is taken for the one that would today.
    async fn end(
        &self,
        user: User,
        slot: &Slot,
        before: Option<Listener>,
        wanted: &Wanted,
    ) -> Result<(), Again> {
        let listener = match (before, &wanted.login) {
            (Some(mut listener), _) => {
                let credentials = wanted.credentials.clone();
                listener.account.credentials = credentials.or(listener.account.credentials);
                listener
            }
            (None, Some(login)) if wanted.ended => {
                let Some(plugin) = most_likely(&wanted.candidates) else {
                    slot.set(None);
                    return Ok(());
                };
                Listener {
                    generation: self.generation(&plugin),
                    plugin,
                    account: account(user, login.as_str(), wanted, true),
                    state: ListenerState::Running,
                }
            }
            _ => {
                slot.set(None);
                return Ok(());
            }
        };
        let Listener {
            plugin, account, ..
        } = &listener;
        match self.tell(plugin, account, false).await {
            Ok(()) => {
                tracing::debug!(%user, %plugin, "not listening any more");
                slot.set(None);
                if wanted.ended {
                    self.forget_ended(user).await?;
                }
                Ok(())
            }
            Err(error) if !error.is_permanent() => {
                let reason = error.to_string();
                slot.set(Some(Listener {
                    state: ListenerState::Retrying {
                        reason: reason.clone(),
                    },
                    ..listener
                }));
                Err(Again(reason))
            }
            Err(error) => {
                if account.credentials.is_some() {
                    tracing::warn!(
                        %user, %plugin,
                        "the mail server may go on reporting, which is ignored; the listener is \
                         told again at the user's next login. It did not take leave: {error}"
                    );
                } else {
                    tracing::debug!(%user, %plugin, "taking leave at the next login: {error}");
                }
                slot.set(None);
                Ok(())
            }
        }
    }

    async fn tell(&self, plugin: &PluginId, account: &Account, begin: bool) -> Result<(), Error> {
        let Ok(_permit) = self.calls.acquire().await else {
            return Err(Error::temporary("the host is shutting down"));
        };
        let called = self.core.plugins.listen(plugin, account.clone(), begin);
        match tokio::time::timeout(CALL_TIMEOUT, called).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::temporary(format_args!(
                "plugin {plugin} gave no answer within {} s",
                CALL_TIMEOUT.as_secs()
            ))),
        }
    }

    async fn forget_ended(&self, user: User) -> Result<(), Again> {
        let forgotten = self.core.registry.forget_ended(user).await;
        forgotten.map_err(|error| Again(error.to_string()))
    }
}

fn account(user: User, login: &str, wanted: &Wanted, permanent: bool) -> Account {
    Account {
        user,
        login: login.to_owned(),
        credentials: wanted.credentials.clone(),
        permanent,
    }
}

/// Whether a plugin that was told `told` need not be told `wanted`: it is the same, or only the
/// credentials, which it had, are not at hand any more.
fn is_content(told: &Account, wanted: &Account) -> bool {
    let same_credentials = wanted.credentials.is_none() || told.credentials == wanted.credentials;
    same_credentials && told.login == wanted.login && told.permanent == wanted.permanent
}

fn is_active(candidates: &[Candidate], plugin: &PluginId) -> bool {
    candidates
        .iter()
        .any(|candidate| candidate.plugin == *plugin)
}

fn most_likely(candidates: &[Candidate]) -> Option<PluginId> {
    let permanent = candidates.iter().filter(|candidate| candidate.permanent);
    crate::push::decide::best(permanent)
}
