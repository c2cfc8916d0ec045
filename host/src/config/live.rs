//! The configuration of a running host.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use belfry_plugin_api::manifest::{Key, PluginId};
use tokio::sync::watch;

use super::entry::Place;
use super::error::{ConfigError, Fault};
use super::folder::{Fingerprint, Folder};
use super::layer::Layer;
use super::overrides::{self, Override};
use super::registry::Registry;
use super::snapshot::Snapshot;
use super::warning::{self, Warning};

#[cfg(test)]
mod tests;

/// The configuration of a running host: a sequence of [`Snapshot`]s.
///
/// A new snapshot follows where the files or the declared keys change, and only where everything
/// that is then set parses and is allowed. Otherwise the last one stays in force, and
/// [`fault`](Self::fault) says what is wrong on disk.
pub struct Config {
    folder: Folder,
    overrides: Layer,
    sources: Mutex<Sources>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    fault: watch::Sender<Option<Arc<ConfigError>>>,
}

/// What the next snapshot is made of. Whoever makes one holds the lock until it is published.
struct Sources {
    registry: Arc<Registry>,
    files: Layer,
    nameless: Vec<Place>,
    fingerprint: Fingerprint,
    reported: BTreeSet<Warning>,
}

/// The keys whose values a new snapshot changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    keys: BTreeSet<String>,
}

impl Changes {
    /// Whether no value changed.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether this key's value changed.
    pub fn contains(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// The keys, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }
}

/// The keys, separated by commas.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self
            .iter()
            .map(|key| key.escape_debug().to_string())
            .collect();
        f.write_str(&keys.join(", "))
    }
}

impl Config {
    /// Reads the folder. Of two `overrides` of one key the later one holds.
    ///
    /// Warnings are not logged yet, because the keys of plugins are not known yet: see
    /// [`declare`](Self::declare) and [`report_warnings`](Self::report_warnings).
    ///
    /// # Errors
    ///
    /// Everything that is wrong: a folder or file that cannot be read or does not parse, a key
    /// that is set twice, a value that its key does not allow.
    pub fn load(
        folder: Folder,
        overrides: Vec<Override>,
        registry: Registry,
    ) -> Result<Self, ConfigError> {
        let overrides = overrides::layer(overrides);
        let registry = Arc::new(registry);
        let fingerprint = folder.fingerprint();
        let mut contents = folder.read(false);
        let files: Layer = Arc::new(contents.settings);
        let layers = vec![Arc::clone(&overrides), Arc::clone(&files)];
        let (snapshot, faults) = Snapshot::build(layers, Arc::clone(&registry), folder.path());
        contents.faults.extend(faults);
        ConfigError::check(contents.faults)?;
        Ok(Self {
            folder,
            overrides,
            sources: Mutex::new(Sources {
                registry,
                files,
                nameless: contents.nameless,
                fingerprint,
                reported: BTreeSet::new(),
            }),
            snapshot: watch::Sender::new(Arc::new(snapshot)),
            fault: watch::Sender::new(None),
        })
    }

    /// The configuration in force now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Hears of every snapshot that changes a value.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// What is wrong with the files on disk, where they are not in force.
    pub fn fault(&self) -> Option<Arc<ConfigError>> {
        self.fault.borrow().clone()
    }

    /// Hears when the files on disk begin and cease to be wrong.
    pub fn subscribe_fault(&self) -> watch::Receiver<Option<Arc<ConfigError>>> {
        self.fault.subscribe()
    }

    /// Reads the files again, logs the result in one line, and says what changed. It waits for
    /// the disk: on an async runtime it belongs on a blocking thread.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load). Nothing is changed then.
    pub fn reload(&self) -> Result<Changes, ConfigError> {
        let mut sources = self.lock();
        // Taken before reading: what changes while it is read differs from it afterwards.
        sources.fingerprint = self.folder.fingerprint();
        let mut contents = self.folder.read(!sources.files.is_empty());
        let files: Layer = Arc::new(contents.settings);
        let (snapshot, faults) = self.build(&files, &sources.registry);
        contents.faults.extend(faults);
        if let Err(error) = ConfigError::check(contents.faults) {
            tracing::error!("the configuration in force stays as it was: {error}");
            self.fault.send_replace(Some(Arc::new(error.clone())));
            return Err(error);
        }
        sources.files = files;
        sources.nameless = contents.nameless;
        // First the fault, so that nobody sees it beside the snapshot that ends it.
        let was_wrong = self.fault.send_replace(None).is_some();
        let changes = self.publish(snapshot);
        if !changes.is_empty() {
            tracing::info!("the configuration changed: {changes}");
        } else if was_wrong {
            tracing::info!("the configuration files are in order again; no value changed");
        }
        self.log_new_warnings(&mut sources);
        Ok(changes)
    }

    /// Adds the keys of a plugin's manifest, in place of those that it had declared before.
    ///
    /// # Errors
    ///
    /// The manifest's keys are wrong or collide with others', or what is set for one of them is
    /// not allowed. Nothing is changed then.
    pub fn declare(&self, plugin: &PluginId, keys: &[Key]) -> Result<Changes, ConfigError> {
        let mut sources = self.lock();
        let mut registry = Registry::clone(&sources.registry);
        registry.add(plugin, keys).map_err(Fault::from)?;
        let registry = Arc::new(registry);
        let (snapshot, faults) = self.build(&sources.files, &registry);
        ConfigError::check(faults)?;
        sources.registry = registry;
        Ok(self.publish(snapshot))
    }

    /// Takes away the keys that a plugin declared.
    pub fn withdraw(&self, plugin: &PluginId) -> Changes {
        let mut sources = self.lock();
        let mut registry = Registry::clone(&sources.registry);
        registry.remove(plugin);
        sources.registry = Arc::new(registry);
        // Fewer declared keys allow no less than more do, so there are no faults.
        let (snapshot, _) = self.build(&sources.files, &sources.registry);
        self.publish(snapshot)
    }

    /// What is odd in the configuration in force.
    pub fn warnings(&self) -> Vec<Warning> {
        self.collect_warnings(&self.lock())
    }

    /// Logs the warnings that were not logged before. To be called once the installed plugins
    /// have declared their keys; [`reload`](Self::reload) does so by itself.
    pub fn report_warnings(&self) {
        self.log_new_warnings(&mut self.lock());
    }

    /// The configuration folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How the folder looks now, and how it looked when it was read last.
    pub(super) fn fingerprints(&self) -> (Fingerprint, Fingerprint) {
        let then = self.lock().fingerprint.clone();
        (self.folder.fingerprint(), then)
    }

    fn build(&self, files: &Layer, registry: &Arc<Registry>) -> (Snapshot, Vec<Fault>) {
        let layers = vec![Arc::clone(&self.overrides), Arc::clone(files)];
        Snapshot::build(layers, Arc::clone(registry), self.folder.path())
    }

    /// Lines may have moved without a value having changed: then nobody is woken.
    fn publish(&self, snapshot: Snapshot) -> Changes {
        let mut changes = Changes::default();
        self.snapshot.send_if_modified(|current| {
            changes.keys = snapshot.changed_since(current);
            *current = Arc::new(snapshot);
            !changes.is_empty()
        });
        changes
    }

    fn collect_warnings(&self, sources: &Sources) -> Vec<Warning> {
        let nameless = sources.nameless.iter().cloned().map(Warning::NoName);
        nameless
            .chain(warning::unknown_keys(&self.snapshot()))
            .collect()
    }

    fn log_new_warnings(&self, sources: &mut Sources) {
        for warning in self.collect_warnings(sources) {
            if sources.reported.insert(warning.clone()) {
                tracing::warn!("{warning}");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows no value.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
