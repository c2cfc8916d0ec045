//! Questions to plugins that are answered by a frame with the same number.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use belfry_plugin_api::frame::{HttpReply, ProviderCredential, ToPlugin};
use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::{Error, Result};
use tokio::sync::{mpsc, oneshot};

/// How long a plugin may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a plugin answered.
pub(super) enum Reply {
    Listened(Result<()>),
    Http(Result<HttpReply>),
    Credential(Result<Option<ProviderCredential>>),
}

/// The questions that are open, by plugin. A plugin that ends answers none of its own.
#[derive(Default)]
pub(super) struct Calls {
    ports: Mutex<HashMap<PluginId, Port>>,
}

struct Port {
    to_plugin: mpsc::UnboundedSender<ToPlugin>,
    next: u64,
    open: HashMap<u64, oneshot::Sender<Reply>>,
}

impl Calls {
    pub(super) fn active(&self, id: &PluginId, to_plugin: mpsc::UnboundedSender<ToPlugin>) {
        let port = Port {
            to_plugin,
            next: 1,
            open: HashMap::new(),
        };
        self.lock().insert(id.clone(), port);
    }

    pub(super) fn away(&self, id: &PluginId) {
        self.lock().remove(id);
    }

    /// Tells a plugin, where it runs.
    pub(super) fn tell(&self, id: &PluginId, frame: ToPlugin) {
        if let Some(port) = self.lock().get(id) {
            // One that has broken meanwhile has nothing to be told.
            let _ = port.to_plugin.send(frame);
        }
    }

    /// Tells all plugins that run.
    pub(super) fn tell_all(&self, frame: &ToPlugin) {
        for port in self.lock().values() {
            // One that has broken meanwhile has nothing to be told.
            let _ = port.to_plugin.send(frame.clone());
        }
    }

    /// Asks a plugin and waits for its answer.
    pub(super) async fn ask(
        &self,
        id: &PluginId,
        frame: impl FnOnce(u64) -> ToPlugin,
    ) -> Result<Reply> {
        let ended = || Error::temporary(format_args!("plugin {id} is not running"));
        let (number, answer) = {
            let mut ports = self.lock();
            let port = ports.get_mut(id).ok_or_else(ended)?;
            let number = port.next;
            port.next += 1;
            let (tell, answer) = oneshot::channel();
            port.open.insert(number, tell);
            port.to_plugin.send(frame(number)).map_err(|_| ended())?;
            (number, answer)
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|_| ended()),
            Err(_) => {
                if let Some(port) = self.lock().get_mut(id) {
                    port.open.remove(&number);
                }
                let seconds = PATIENCE.as_secs();
                Err(Error::temporary(format_args!(
                    "plugin {id} did not answer within {seconds} s"
                )))
            }
        }
    }

    /// A plugin answered. False where nobody asked: such a plugin is not to be believed.
    pub(super) fn answered(&self, id: &PluginId, number: u64, reply: Reply) -> bool {
        let mut ports = self.lock();
        let Some(port) = ports.get_mut(id) else {
            return true;
        };
        match port.open.remove(&number) {
            Some(asker) => {
                // The asker may have lost interest.
                let _ = asker.send(reply);
                true
            }
            // An answer that came too late is forgiven, an invented one not.
            None => number < port.next,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PluginId, Port>> {
        // Changes are single inserts and removes; a panic leaves the map whole.
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
