//! What the operator wants of each plugin, kept over restarts of the host.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use belfry_plugin_api::manifest::PluginId;
use serde::{Deserialize, Serialize};

/// What the operator wants of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Wish {
    /// Stopped by command; stays so until it is started by command.
    #[serde(default)]
    pub stopped: bool,
    /// Installed by command from this file, not by lying in the plugins folder.
    #[serde(default)]
    pub installed_from: Option<PathBuf>,
}

/// The file `STATE/plugins.json`.
#[derive(Debug)]
pub(super) struct Wishes {
    file: PathBuf,
    wishes: Mutex<BTreeMap<PluginId, Wish>>,
}

impl Wishes {
    /// Reads the file, where there is one.
    ///
    /// # Errors
    ///
    /// It cannot be read; then what was stopped would start, so the host does not go on.
    pub(super) fn open(state: &Path) -> std::io::Result<Self> {
        let file = state.join("plugins.json");
        let wishes = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            file,
            wishes: Mutex::new(wishes),
        })
    }

    /// What is wanted of a plugin.
    pub(super) fn of(&self, id: &PluginId) -> Wish {
        self.lock().get(id).cloned().unwrap_or_default()
    }

    /// All plugins that were installed by command, with their files.
    pub(super) fn installed(&self) -> Vec<(PluginId, PathBuf)> {
        let wishes = self.lock();
        wishes
            .iter()
            .filter_map(|(id, wish)| Some((id.clone(), wish.installed_from.clone()?)))
            .collect()
    }

    /// Changes what is wanted of a plugin, and writes the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written: the change holds until the host ends.
    pub(super) fn change(
        &self,
        id: &PluginId,
        change: impl FnOnce(&mut Wish),
    ) -> std::io::Result<()> {
        let mut wishes = self.lock();
        let mut wish = wishes.get(id).cloned().unwrap_or_default();
        change(&mut wish);
        if wish == Wish::default() {
            wishes.remove(id);
        } else {
            wishes.insert(id.clone(), wish);
        }
        let unfinished = self.file.with_extension("unfinished");
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(&*wishes)?)?;
        file.sync_all()?;
        std::fs::rename(unfinished, &self.file)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PluginId, Wish>> {
        // Changes are single inserts and removes; a panic leaves the map whole.
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
