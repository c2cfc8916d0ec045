//! The plugins folder: what lies in it is installed, what is replaced is updated, what goes is
//! uninstalled.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::manifest::PluginId;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::{BundleError, Bundles};

/// How long nothing may change before a file counts as written to its end.
const QUIET: Duration = Duration::from_millis(100);

/// How often the folder is looked at without being told: file systems that tell nothing, and
/// notifications that were lost.
const RESCAN: Duration = Duration::from_secs(5);

/// What tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signature {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

/// Follows the plugins folder.
pub struct PluginsFolder {
    bundles: Arc<Bundles>,
    folder: PathBuf,
    /// What was seen of each file when it was last dealt with.
    known: BTreeMap<PathBuf, Signature>,
    /// The plugin that each file holds.
    plugins: BTreeMap<PathBuf, PluginId>,
    /// Files that hold a plugin which another one held first.
    seconds: BTreeMap<PathBuf, PluginId>,
}

impl PluginsFolder {
    /// Installs what lies in the folder and what was installed by command, in the order of the
    /// start levels, and waits until each has got as far as it gets.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub async fn open(bundles: Arc<Bundles>, folder: &Path) -> Result<Self, BundleError> {
        let mut this = Self {
            bundles,
            folder: folder.to_owned(),
            known: BTreeMap::new(),
            plugins: BTreeMap::new(),
            seconds: BTreeMap::new(),
        };
        this.known = this.look()?;
        let by_command = this
            .bundles
            .wishes
            .installed()
            .into_iter()
            .map(|(_, file)| file);
        let files: Vec<_> = this.known.keys().cloned().chain(by_command).collect();
        let admitted = files.iter().map(|file| this.bundles.admit(file));
        let admitted = futures_util::future::join_all(admitted).await;
        let counterpart = this.bundles.shared.counterpart();
        let mut levels: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for (file, artifact) in files.into_iter().zip(admitted) {
            match artifact {
                Ok(artifact) => {
                    let level = counterpart
                        .settings(&artifact.manifest)
                        .map_or(artifact.manifest.start_level, |settings| {
                            settings.start_level
                        });
                    levels.entry(level).or_default().push((file, artifact));
                }
                Err(error) => {
                    tracing::error!(%error, "a file in the plugins folder is not installed");
                    this.bundles.remember_refused(&file, &error).await;
                }
            }
        }
        for (_, level) in levels {
            let mut ids = Vec::new();
            for (file, artifact) in level {
                let id = artifact.manifest.id.clone();
                let first = this.plugins.iter().find(|(_, other)| **other == id);
                if let Some((first, _)) = first {
                    let first = first.clone();
                    this.is_second(&file, id, first).await;
                    continue;
                }
                match this.bundles.put(artifact, &file).await {
                    Ok(()) => {
                        this.plugins.insert(file, id.clone());
                        ids.push(id);
                    }
                    Err(error) => {
                        tracing::error!(%error, "a plugin is not installed");
                        this.bundles.remember_refused(&file, &error).await;
                    }
                }
            }
            for id in ids {
                this.bundles.settled(&id).await;
            }
        }
        Ok(this)
    }

    /// Follows the folder until it is dropped.
    pub async fn follow(mut self) {
        let changed = Arc::new(Notify::new());
        let watcher = self.watch(changed.clone());
        if let Err(error) = &watcher {
            tracing::warn!(folder = %self.folder.display(), %error, rescan_s = RESCAN.as_secs(),
                "the plugins folder cannot be watched; it is looked at now and then");
        }
        loop {
            tokio::select! {
                () = changed.notified() => {}
                () = tokio::time::sleep(RESCAN) => {}
            }
            self.settle_and_apply().await;
        }
    }

    fn watch(&self, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Reading a file is an event, too, and none that matters.
                if !event.is_ok_and(|event| event.kind.is_access()) {
                    changed.notify_one();
                }
            })?;
        watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }

    /// Looks until two looks, a while apart, see the same; then deals with what differs from what
    /// is known.
    async fn settle_and_apply(&mut self) {
        let mut seen = match self.look() {
            Ok(seen) => seen,
            Err(error) => {
                tracing::error!(%error, "the plugins folder is left as it was");
                return;
            }
        };
        while seen != self.known {
            tokio::time::sleep(QUIET).await;
            match self.look() {
                Ok(again) if again == seen => break,
                Ok(again) => seen = again,
                Err(_) => return,
            }
        }
        for (file, signature) in &seen {
            if self.known.get(file) != Some(signature) {
                self.appeared(file, &seen).await;
            }
        }
        let gone: BTreeSet<_> = self
            .known
            .keys()
            .filter(|file| !seen.contains_key(*file))
            .cloned()
            .collect();
        for file in gone {
            self.went(&file, &seen).await;
        }
        self.known = seen;
        self.bundles.prune().await;
    }

    async fn appeared(&mut self, file: &Path, seen: &BTreeMap<PathBuf, Signature>) {
        self.seconds.remove(file);
        let artifact = match self.bundles.admit(file).await {
            Ok(artifact) => artifact,
            Err(error) => {
                tracing::error!(%error, "what runs goes on");
                self.bundles.remember_refused(file, &error).await;
                return;
            }
        };
        let id = artifact.manifest.id.clone();
        // One that is not seen any more has gone: this one is its new name.
        let first = self.plugins.iter().find(|(other, held)| {
            **held == id && other.as_path() != file && seen.contains_key(*other)
        });
        if let Some((first, _)) = first {
            let first = first.clone();
            self.is_second(file, id, first).await;
            return;
        }
        match self.bundles.put(artifact, file).await {
            Ok(()) => {
                let before = self.plugins.insert(file.to_owned(), id.clone());
                if let Some(before) = before.filter(|before| *before != id) {
                    self.gone(&before, seen).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "what runs goes on");
                // Why a replacement was refused is part of its plugin's status.
                if self.bundles.status(&id).await.is_err() {
                    self.bundles.remember_refused(file, &error).await;
                }
            }
        }
    }

    async fn is_second(&mut self, file: &Path, id: PluginId, first: PathBuf) {
        let fault = format!(
            "it holds the plugin {id}, as {} does, which came first; remove one of them",
            first.display()
        );
        tracing::error!(file = %file.display(), fault, "what runs goes on");
        // Of one outside the folder nobody would see that it goes.
        if file.starts_with(&self.folder) {
            let mut refused = self.bundles.refused.lock().await;
            refused.insert(file.to_owned(), fault);
            self.seconds.insert(file.to_owned(), id);
        }
    }

    async fn went(&mut self, file: &Path, seen: &BTreeMap<PathBuf, Signature>) {
        self.bundles.refused.lock().await.remove(file);
        self.seconds.remove(file);
        if let Some(id) = self.plugins.remove(file) {
            self.gone(&id, seen).await;
        }
    }

    /// A file that held a plugin does so no longer. Another one may: under a new name, or as the
    /// second one until now.
    async fn gone(&mut self, id: &PluginId, seen: &BTreeMap<PathBuf, Signature>) {
        let second = self.seconds.iter().find(|(_, held)| *held == id);
        if let Some((second, _)) = second {
            let second = second.clone();
            Box::pin(self.appeared(&second, seen)).await;
        }
        if self.plugins.values().any(|held| held == id) {
            return;
        }
        if let Err(error) = self.bundles.uninstall(id).await {
            tracing::error!(plugin = %id, %error, "the plugin whose file went is not uninstalled");
        }
    }

    /// The artifacts in the folder. Package managers' temporary names (`ID.so.dpkg-new`,
    /// `ID.so;5f3a`) and hidden files do not end or begin as an artifact's name does.
    fn look(&self) -> Result<BTreeMap<PathBuf, Signature>, BundleError> {
        let wrap = |source| BundleError::State {
            what: "the plugins folder cannot be read",
            source,
        };
        let mut seen = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).map_err(wrap)? {
            let path = entry.map_err(wrap)?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.starts_with('.') || !name.ends_with(".so") {
                continue;
            }
            // It may have gone since the folder was read.
            let Ok(metadata) = std::fs::metadata(&path) else {
                continue;
            };
            let signature = Signature {
                inode: metadata.ino(),
                bytes: metadata.len(),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            };
            seen.insert(path, signature);
        }
        Ok(seen)
    }
}
