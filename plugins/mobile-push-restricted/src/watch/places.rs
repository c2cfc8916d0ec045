use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::contents::Contents;
use crate::names::NAMES_FILE;

/// Identifies a folder whatever its path: device and inode.
type Identity = (u64, u64);

/// The folders whose changes are of interest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    folder: PathBuf,
    /// Where everything is of interest: the folder, and those that its links lead to, as in a
    /// Kubernetes secret, where `push.p12` leads to `..data/push.p12` and `..data` to a folder
    /// with a date.
    inner: BTreeMap<Identity, PathBuf>,
    /// The nearest one above the folder that is there: the folder may appear in it, or be
    /// replaced.
    above: Option<(Identity, PathBuf)>,
}

impl Places {
    /// Where what was read may change.
    pub(crate) fn of(contents: &Contents) -> Self {
        let folder = contents.folder.clone();
        let names = contents.files.keys().map(|name| contents.path(name));
        let targets = names
            .chain([folder.join(NAMES_FILE)])
            .filter_map(|path| Some(fs::canonicalize(path).ok()?.parent()?.to_owned()));
        let inner: BTreeMap<_, _> = fs::canonicalize(&folder)
            .into_iter()
            .chain(targets)
            .filter_map(|path| Some((identity(&path)?, path)))
            .collect();
        let above = folder
            .ancestors()
            .skip(1)
            .find_map(|path| Some((identity(path)?, path.to_owned())))
            .filter(|(identity, _)| !inner.contains_key(identity));
        Self {
            folder,
            inner,
            above,
        }
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let above = self.above.iter().map(|(_, path)| path);
        self.inner.values().chain(above).map(PathBuf::as_path)
    }

    /// Whether an event is about any of this; above the folder much may go on that is not.
    pub(crate) fn concerns(&self, event: &notify::Event) -> bool {
        let Some((_, above)) = &self.above else {
            return true;
        };
        let elsewhere = |path: &PathBuf| {
            path.parent() == Some(above) && !self.folder.starts_with(path)
                // A folder that is watched itself tells of its own end by its own path.
                && !self.inner.values().any(|inner| inner == path)
        };
        event.paths.is_empty() || !event.paths.iter().all(elsewhere)
    }
}

fn identity(folder: &Path) -> Option<Identity> {
    let metadata = fs::metadata(folder).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}
