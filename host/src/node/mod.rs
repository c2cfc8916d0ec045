//! One host: the parts, put together.
//!
//! [`Node`] is what the parts see of each other: plugins' lives report to it as their
//! [`Counterpart`](crate::bundle::Counterpart), HTTP serves it, and the operator's commands end
//! here.

mod calls;
mod counterpart;
mod flood;
mod logs;
mod routes;
mod seams;
mod start;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use belfry_plugin_api::event::{Event, Properties};
use belfry_plugin_api::frame::{
    CredentialQuestion, HttpCall, HttpReply, Level, LogLevel, Numbered, ProviderCredential,
    ToPlugin,
};
use belfry_plugin_api::manifest::{Manifest, PluginId, ServiceKind};
use belfry_plugin_api::{Error, Result};

use self::calls::{Calls, Reply};
use self::logs::LogLevels;
pub use self::routes::{Lookup, Routed, Routes};
pub use self::start::{Running, StartError, Startup, check, log_format};
use crate::bundle::{Bundles, State, Status};
use crate::config::Config;
use crate::delivery::Delivery;
use crate::http::Penalties;
use crate::metrics::Metrics;
use crate::push::Push;

/// How long a plugin may leave a ping unanswered unless the operator says otherwise, in
/// milliseconds.
const HANG_TIMEOUT_MS: u64 = 15_000;

/// Events that a plugin may publish each second, on average over some seconds, unless the operator
/// says otherwise.
const EVENTS_PER_SECOND: u32 = 5_000;

/// Log records that are taken from one plugin each second, on average over some seconds.
const RECORDS_PER_SECOND: u32 = 500;

/// A host.
pub struct Node {
    config: Arc<Config>,
    bundles: Arc<Bundles>,
    delivery: Delivery,
    push: Arc<Push>,
    metrics: Arc<Metrics>,
    routes: Routes,
    calls: Arc<Calls>,
    penalties: Penalties,
    log_levels: LogLevels,
    manifests: Mutex<BTreeMap<PluginId, Arc<Manifest>>>,
    buckets: Mutex<HashMap<PluginId, Buckets>>,
    ready: AtomicBool,
    myself: Weak<Node>,
}

#[derive(Default)]
struct Buckets {
    events: flood::Bucket,
    log: flood::Bucket,
    dropped_records: u64,
}

impl Node {
    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The plugins.
    pub fn bundles(&self) -> &Arc<Bundles> {
        &self.bundles
    }

    /// Inbox and outbox.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Who is notified.
    pub fn push(&self) -> &Arc<Push> {
        &self.push
    }

    /// What the host counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The routes of plugins.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// What keeps those who guess credentials busy.
    pub fn penalties(&self) -> &Penalties {
        &self.penalties
    }

    /// Logs what a plugin says from this level on, until the host ends; without one, from the
    /// usual one on. Plugins that cannot be told keep to what they say, and the rest is dropped.
    pub fn set_log_level(&self, plugin: &PluginId, level: Option<Level>) {
        self.log_levels.set(plugin, level);
        let level = self.log_levels.of(plugin);
        self.calls
            .tell(plugin, ToPlugin::LogLevel(LogLevel { level }));
    }

    /// Whether the host has started and is not ending.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The names of the transports that installed plugins offer, each once.
    pub fn transports(&self) -> Vec<String> {
        let manifests = self.manifests();
        let services = manifests.values().flat_map(|manifest| &manifest.services);
        let mut names: Vec<_> = services
            .filter(|service| service.kind == ServiceKind::Transport)
            .map(|service| service.name.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Has a plugin answer an HTTP request.
    ///
    /// # Errors
    ///
    /// It does not run, does not answer in time, or failed.
    pub async fn http(&self, plugin: &PluginId, body: HttpCall) -> Result<HttpReply> {
        match self
            .calls
            .ask(plugin, |id| ToPlugin::Http(Numbered { id, body }))
            .await?
        {
            Reply::Http(result) => result,
            _ => Err(unfitting(plugin)),
        }
    }

    /// Hands an event to the handlers that run, and collects what they answer.
    pub async fn request(&self, event: &Event) -> Vec<Properties> {
        self.delivery.request(event).await
    }

    /// The credential for a push provider, from the first backend that has it.
    ///
    /// # Errors
    ///
    /// A backend that offers this provider's credential failed, and no other has it.
    pub async fn provider_credential(&self, provider: &str) -> Result<Option<ProviderCredential>> {
        let backends = self
            .bundles
            .services()
            .of_kind(ServiceKind::CredentialBackend);
        let mut failed = None;
        for backend in backends
            .into_iter()
            .filter(|backend| backend.service.name == provider)
        {
            let body = CredentialQuestion {
                provider: provider.to_owned(),
            };
            let asked = self.calls.ask(&backend.plugin, |id| {
                ToPlugin::Credential(Numbered { id, body })
            });
            match asked.await {
                Ok(Reply::Credential(Ok(Some(credential)))) => return Ok(Some(credential)),
                Ok(Reply::Credential(Ok(None))) => {}
                Ok(Reply::Credential(Err(error))) | Err(error) => failed = Some(error),
                Ok(_) => failed = Some(unfitting(&backend.plugin)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Tells the handlers that run; nobody waits for them.
    fn tell_handlers(&self, event: Event) {
        let Some(node) = self.myself.upgrade() else {
            return;
        };
        tokio::spawn(async move { node.delivery.request(&event).await });
    }

    /// Tells the listeners' bookkeeping when a listener comes or goes.
    fn push_of_plugin(&self, status: &Status) {
        if status
            .services
            .iter()
            .any(|service| service.kind == ServiceKind::Listener)
        {
            if status.state == State::Active {
                self.push.plugin_active(&status.id);
            } else {
                self.push.plugin_gone(&status.id);
            }
        }
    }

    fn manifests(&self) -> MutexGuard<'_, BTreeMap<PluginId, Arc<Manifest>>> {
        // Changes are single inserts and removes; a panic leaves the map whole.
        self.manifests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn buckets<T>(&self, with: impl FnOnce(&mut HashMap<PluginId, Buckets>) -> T) -> T {
        with(&mut self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn unfitting(plugin: &PluginId) -> Error {
    Error::temporary(format_args!(
        "plugin {plugin} gave an answer that does not fit the question"
    ))
}
