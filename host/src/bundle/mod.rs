//! From an artifact to a running plugin. It knows nothing of mail.
//!
//! A file is [vetted](vet), its bytes are [kept](artifacts), and a [supervisor] runs generations
//! of it, each behind a [link]. The rest of the host is the plugins' [`Counterpart`].

pub mod artifacts;
mod counterpart;
pub mod elf;
mod folder;
mod generation;
pub mod link;
pub mod load;
mod services;
mod status;
mod supervisor;
pub mod vet;
mod wishes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use belfry_plugin_api::manifest::PluginId;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use artifacts::{Artifact, Artifacts};
pub use counterpart::{Counterpart, Settings};
pub use folder::PluginsFolder;
pub use services::{Offered, Services};
pub use status::{State, Status};
use supervisor::{Command, Supervisor};
use wishes::Wishes;

/// Why something cannot be done with a plugin.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// No such plugin.
    #[error("no plugin {0} is installed; `belfryctl plugin list` names those that are")]
    Unknown(PluginId),
    /// The file was refused.
    #[error("{} was refused: {fault}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Why.
        fault: vet::Fault,
    },
    /// The file holds another plugin.
    #[error("{} holds the plugin {found}, not {wanted}", file.display())]
    OtherPlugin {
        /// The file.
        file: PathBuf,
        /// The plugin in it.
        found: PluginId,
        /// The plugin that was named.
        wanted: PluginId,
    },
    /// The plugin did not do it.
    #[error("plugin {id}: {reason}")]
    Failed {
        /// Which plugin.
        id: PluginId,
        /// Why.
        reason: String,
    },
    /// The host's own files.
    #[error("{what}: {source}")]
    State {
        /// What was to be done.
        what: &'static str,
        /// Why it could not.
        source: std::io::Error,
    },
    /// The host is shutting down.
    #[error("the host is shutting down")]
    Ending,
}

/// What supervisors share.
struct Shared {
    artifacts: Artifacts,
    state: PathBuf,
    services: Services,
    counterpart: OnceLock<Arc<dyn Counterpart>>,
}

impl Shared {
    fn counterpart(&self) -> Arc<dyn Counterpart> {
        self.counterpart
            .get()
            .cloned()
            .unwrap_or_else(|| unreachable!("supervisors start after Bundles::connect"))
    }

    fn data_folder(&self, id: &PluginId) -> PathBuf {
        self.state.join("plugins").join(id.as_str())
    }
}

struct Entry {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    show: watch::Sender<Status>,
    /// The file in the plugins folder that it came from, or the operator's.
    source: PathBuf,
}

/// All plugins of the host.
pub struct Bundles {
    shared: Arc<Shared>,
    wishes: Wishes,
    plugins: Mutex<BTreeMap<PluginId, Entry>>,
    /// Files that were refused, with the fault, for listings.
    refused: Mutex<BTreeMap<PathBuf, String>>,
}

impl Bundles {
    /// Opens the host's own artifacts and the operator's wishes. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// The state folder cannot be used.
    pub fn open(state: &Path) -> Result<Self, BundleError> {
        let wrap = |what| move |source| BundleError::State { what, source };
        Ok(Self {
            shared: Arc::new(Shared {
                artifacts: Artifacts::open(state)
                    .map_err(wrap("the artifacts folder cannot be used"))?,
                state: state.to_owned(),
                services: Services::default(),
                counterpart: OnceLock::new(),
            }),
            wishes: Wishes::open(state).map_err(wrap("plugins.json cannot be read"))?,
            plugins: Mutex::default(),
            refused: Mutex::default(),
        })
    }

    /// Connects the rest of the host, once, before anything is installed.
    pub fn connect(&self, counterpart: Arc<dyn Counterpart>) {
        // A second one would be a bug of the composition; the first one stays.
        let _ = self.shared.counterpart.set(counterpart);
    }

    /// Which services run.
    pub fn services(&self) -> &Services {
        &self.shared.services
    }

    /// All plugins, by id.
    pub async fn list(&self) -> Vec<Status> {
        let plugins = self.plugins.lock().await;
        plugins
            .values()
            .map(|entry| entry.status.borrow().clone())
            .collect()
    }

    /// One plugin.
    ///
    /// # Errors
    ///
    /// It is not installed.
    pub async fn status(&self, id: &PluginId) -> Result<Status, BundleError> {
        let plugins = self.plugins.lock().await;
        let entry = plugins
            .get(id)
            .ok_or_else(|| BundleError::Unknown(id.clone()))?;
        Ok(entry.status.borrow().clone())
    }

    /// Files that were refused, with the fault.
    pub async fn refused(&self) -> BTreeMap<PathBuf, String> {
        self.refused.lock().await.clone()
    }

    /// Installs a file by command, or updates the plugin that it holds, and starts it unless the
    /// operator stopped it. Returns its id.
    ///
    /// # Errors
    ///
    /// The file is refused, and what runs goes on; or the host cannot keep it.
    pub async fn install(&self, file: &Path) -> Result<PluginId, BundleError> {
        let artifact = self.admit(file).await?;
        let id = artifact.manifest.id.clone();
        let source = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        self.wish(&id, |wish| wish.installed_from = Some(source))?;
        self.put(artifact, file).await?;
        Ok(id)
    }

    /// Lists a file among those that were refused, until it changes or goes. One that is named in
    /// a command is not listed: whoever named it was told.
    async fn remember_refused(&self, file: &Path, error: &BundleError) {
        let fault = match error {
            BundleError::Refused { fault, .. } => fault.to_string(),
            other => other.to_string(),
        };
        self.refused.lock().await.insert(file.to_owned(), fault);
    }

    /// Updates a plugin from a file, or from the one that it came from.
    ///
    /// # Errors
    ///
    /// As [`Bundles::install`]; or the file holds another plugin.
    pub async fn update(&self, id: &PluginId, file: Option<&Path>) -> Result<(), BundleError> {
        let is_named = file.is_some();
        let file = match file {
            Some(file) => file.to_owned(),
            None => self.status(id).await?.source,
        };
        let artifact = self.admit(&file).await?;
        if artifact.manifest.id != *id {
            let found = artifact.manifest.id.clone();
            let wanted = id.clone();
            return Err(BundleError::OtherPlugin {
                file,
                found,
                wanted,
            });
        }
        self.put(artifact, &file).await?;
        if is_named && self.wishes.of(id).installed_from.is_some() {
            // Otherwise the next start of the host would bring the old one back.
            self.wish(id, |wish| wish.installed_from = Some(file))?;
        }
        Ok(())
    }

    async fn admit(&self, file: &Path) -> Result<Artifact, BundleError> {
        let artifacts = self.shared.artifacts.clone();
        let path = file.to_owned();
        let vetted = tokio::task::spawn_blocking(move || artifacts.admit(&path)).await;
        match vetted {
            Ok(Ok(artifact)) => {
                self.refused.lock().await.remove(file);
                Ok(artifact)
            }
            Ok(Err(fault)) => {
                let file = file.to_owned();
                Err(BundleError::Refused { file, fault })
            }
            Err(_) => Err(BundleError::Ending),
        }
    }

    async fn put(&self, artifact: Artifact, file: &Path) -> Result<(), BundleError> {
        let id = artifact.manifest.id.clone();
        let mut plugins = self.plugins.lock().await;
        if let Some(entry) = plugins.get_mut(&id) {
            if entry.status.borrow().hash == artifact.hash {
                entry.show.send_modify(|status| {
                    if status.state == State::Active {
                        // What another version lacked matters no more.
                        status.reason = None;
                    }
                });
                return Ok(());
            }
            entry.source = file.to_owned();
            let commands = entry.commands.clone();
            let show = entry.show.clone();
            drop(plugins);
            let result = self
                .tell(&id, &commands, |reply| Command::Update(artifact, reply))
                .await;
            show.send_modify(|status| {
                status.source = file.to_owned();
                status.reason = result.as_ref().err().map(ToString::to_string);
            });
            return result;
        }
        let counterpart = self.shared.counterpart();
        let failed = |reason| BundleError::Failed {
            id: id.clone(),
            reason,
        };
        counterpart.installed(&artifact.manifest).map_err(failed)?;
        let is_wanted = !self.wishes.of(&id).stopped;
        let settings = counterpart.settings(&artifact.manifest);
        let status = Status::installed(&artifact, file, is_wanted, settings.ok());
        let show = watch::Sender::new(status);
        let status = show.subscribe();
        let commands = Supervisor::spawn(self.shared.clone(), artifact, show.clone(), is_wanted);
        let source = file.to_owned();
        plugins.insert(
            id,
            Entry {
                commands,
                status,
                show,
                source,
            },
        );
        Ok(())
    }

    /// Waits until a plugin has got as far as it gets by itself.
    pub async fn settled(&self, id: &PluginId) {
        let Some(mut status) = self
            .plugins
            .lock()
            .await
            .get(id)
            .map(|entry| entry.status.clone())
        else {
            return;
        };
        let is_settled = |status: &Status| match status.state {
            State::Active | State::Failed => true,
            State::Installed | State::Resolved => !status.autostart || status.reason.is_some(),
            State::Starting | State::Stopping => false,
        };
        // A supervisor that has ended is as far as it gets.
        let _ = status.wait_for(is_settled).await;
    }

    /// Starts a plugin; it starts by itself from now on.
    ///
    /// # Errors
    ///
    /// It is not installed, or did not get ready.
    pub async fn start(&self, id: &PluginId) -> Result<(), BundleError> {
        self.wish(id, |wish| wish.stopped = false)?;
        let commands = self.commands(id).await?;
        self.tell(id, &commands, Command::Start).await
    }

    /// Stops a plugin; it stays so, also over restarts of the host.
    ///
    /// # Errors
    ///
    /// It is not installed.
    pub async fn stop(&self, id: &PluginId) -> Result<(), BundleError> {
        let commands = self.commands(id).await?;
        self.wish(id, |wish| wish.stopped = true)?;
        self.tell(id, &commands, Command::Stop).await
    }

    /// Stops a plugin and forgets it. A file of it in the plugins folder is not touched; it is
    /// installed again when it changes, and when the host starts again.
    ///
    /// # Errors
    ///
    /// It is not installed.
    pub async fn uninstall(&self, id: &PluginId) -> Result<(), BundleError> {
        let entry = self.plugins.lock().await.remove(id);
        let entry = entry.ok_or_else(|| BundleError::Unknown(id.clone()))?;
        self.tell(id, &entry.commands, Command::End).await?;
        self.shared.counterpart().uninstalled(id);
        self.wish(id, |wish| *wish = wishes::Wish::default())
    }

    /// Removes the artifacts of versions that are not installed any more.
    async fn prune(&self) {
        let plugins = self.plugins.lock().await;
        let hashes: Vec<_> = plugins
            .values()
            .map(|entry| entry.status.borrow().hash.clone())
            .collect();
        drop(plugins);
        if let Err(error) = self.shared.artifacts.keep_only(&hashes) {
            tracing::warn!(%error, "artifacts of versions that are gone stay in the state folder");
        }
    }

    /// Tells all plugins that the configuration has changed.
    pub async fn reconfigure(&self) {
        let plugins = self.plugins.lock().await;
        for entry in plugins.values() {
            // A supervisor that has ended has nothing to configure.
            let _ = entry.commands.send(Command::Reconfigure).await;
        }
    }

    /// Stops all plugins, those of the highest start level first.
    pub async fn shut_down(&self) {
        let plugins = std::mem::take(&mut *self.plugins.lock().await);
        let mut levels: BTreeMap<u32, Vec<(PluginId, Entry)>> = BTreeMap::new();
        for (id, entry) in plugins {
            let level = entry.status.borrow().start_level;
            levels.entry(level).or_default().push((id, entry));
        }
        for (_, level) in levels.into_iter().rev() {
            let ends = level
                .iter()
                .map(|(id, entry)| self.tell(id, &entry.commands, Command::End));
            futures_util::future::join_all(ends).await;
        }
    }

    async fn commands(&self, id: &PluginId) -> Result<mpsc::Sender<Command>, BundleError> {
        let plugins = self.plugins.lock().await;
        let entry = plugins
            .get(id)
            .ok_or_else(|| BundleError::Unknown(id.clone()))?;
        Ok(entry.commands.clone())
    }

    async fn tell(
        &self,
        id: &PluginId,
        commands: &mpsc::Sender<Command>,
        command: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Command,
    ) -> Result<(), BundleError> {
        let (reply, answer) = oneshot::channel();
        commands
            .send(command(reply))
            .await
            .map_err(|_| BundleError::Ending)?;
        match answer.await {
            Ok(result) => result.map_err(|reason| BundleError::Failed {
                id: id.clone(),
                reason,
            }),
            Err(_) => Err(BundleError::Ending),
        }
    }

    fn wish(
        &self,
        id: &PluginId,
        change: impl FnOnce(&mut wishes::Wish),
    ) -> Result<(), BundleError> {
        self.wishes
            .change(id, change)
            .map_err(|source| BundleError::State {
                what: "plugins.json cannot be written",
                source,
            })
    }
}
