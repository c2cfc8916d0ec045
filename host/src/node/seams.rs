//! How the parts of the host reach each other without knowing each other.

use std::sync::Arc;

use belfry_plugin_api::frame::{Account, Listen, Numbered, ToPlugin};
use belfry_plugin_api::manifest::{PluginId, ServiceKind};
use belfry_plugin_api::user::User;
use futures_util::future::BoxFuture;

use super::calls::{Calls, Reply};
use super::unfitting;
use crate::bundle::Bundles;
use crate::delivery::{Device, Recipients};
use crate::push::{Candidate, ListenerPlugins, Push};

/// The running plugins that listen for mail.
pub(super) struct RunningListeners {
    pub(super) bundles: Arc<Bundles>,
    pub(super) calls: Arc<Calls>,
}

impl ListenerPlugins for RunningListeners {
    fn candidates(&self) -> Vec<Candidate> {
        let offered = self.bundles.services().of_kind(ServiceKind::Listener);
        let candidates = offered.into_iter().map(|offered| Candidate {
            plugin: offered.plugin,
            permanent: offered.service.permanent,
            ranking: offered.service.ranking,
        });
        candidates.collect()
    }

    fn listen(
        &self,
        plugin: &PluginId,
        account: Account,
        begin: bool,
    ) -> BoxFuture<'_, belfry_plugin_api::Result<()>> {
        let plugin = plugin.clone();
        Box::pin(async move {
            let body = Listen { account, begin };
            match self
                .calls
                .ask(&plugin, |id| ToPlugin::Listen(Numbered { id, body }))
                .await?
            {
                Reply::Listened(result) => result,
                _ => Err(unfitting(&plugin)),
            }
        })
    }
}

/// The users and devices that the push framework knows.
pub(super) struct KnownRecipients {
    pub(super) push: Arc<Push>,
}

impl Recipients for KnownRecipients {
    fn registered<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<User>, String>> {
        Box::pin(async move {
            let text = |error: crate::storage::StorageError| error.to_string();
            match self.push.resolve(name).await.map_err(text)? {
                Some(user) if self.push.is_registered(user).await.map_err(text)? => Ok(Some(user)),
                _ => Ok(None),
            }
        })
    }

    fn devices(&self, user: User) -> BoxFuture<'_, Result<Arc<[Device]>, String>> {
        Box::pin(async move {
            let subscriptions = self
                .push
                .subscriptions_of(user)
                .await
                .map_err(|error| error.to_string())?;
            let devices = subscriptions.iter().map(|subscription| Device {
                subscription: subscription.id,
                transport: subscription.transport.as_str().into(),
                token: subscription.token.clone(),
                app: subscription.app.clone(),
            });
            Ok(devices.collect())
        })
    }

    fn has_device(&self, user: User, subscription: i64) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async move {
            let subscriptions = self.push.subscriptions_of(user).await;
            let subscriptions = subscriptions.map_err(|error| error.to_string())?;
            Ok(subscriptions.iter().any(|one| one.id == subscription))
        })
    }

    fn token_dead(
        &self,
        subscription: i64,
        since_ms: Option<i64>,
    ) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async move {
            self.push
                .token_dead(subscription, since_ms)
                .await
                .map_err(|error| error.to_string())
        })
    }
}
