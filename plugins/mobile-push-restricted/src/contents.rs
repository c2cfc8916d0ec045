//! The bytes of the folder, as they were at one moment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use belfry_plugin_api::secret::Secret;

use crate::file_name::FileName;
use crate::names::{NAMES_FILE, Names};

/// Certificates and keys have a few thousand bytes; what is far larger is not one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// How often the folder is read to find it the same twice.
const READINGS: usize = 5;

/// A file that could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Secret,
    /// Its permission bits.
    pub(crate) mode: u32,
}

/// Why a file could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Missing,
    /// In words, with the file's path.
    Because(String),
}

/// What `restricted.toml` was found to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NamesState {
    /// There is no folder, or no such file in it; says which.
    Missing(String),
    /// It cannot be used; says why.
    Broken(String),
    Read {
        names: Names,
        mode: u32,
    },
}

/// All that is of interest in the folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) folder: PathBuf,
    pub(crate) names: NamesState,
    pub(crate) files: BTreeMap<FileName, Result<File, Unreadable>>,
}

impl Contents {
    /// Reads the folder until it is the same twice, so that names and files belong together even
    /// where they are replaced meanwhile. Blocks.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut contents = Self::read_once(folder);
        for _ in 1..READINGS {
            let again = Self::read_once(folder);
            if again == contents {
                break;
            }
            contents = again;
        }
        contents
    }

    fn read_once(folder: &Path) -> Self {
        let names = names(folder);
        let files = match &names {
            NamesState::Read { names, .. } => names
                .files()
                .map(|name| (name.clone(), read(&name.inside(folder))))
                .collect(),
            _ => BTreeMap::new(),
        };
        Self {
            folder: folder.to_owned(),
            names,
            files,
        }
    }

    /// What is named, where it could be read.
    pub(crate) fn names(&self) -> Option<(&Names, u32)> {
        match &self.names {
            NamesState::Read { names, mode } => Some((names, *mode)),
            _ => None,
        }
    }

    /// The path of a named file.
    pub(crate) fn path(&self, name: &FileName) -> PathBuf {
        name.inside(&self.folder)
    }

    /// A named file.
    ///
    /// # Errors
    ///
    /// Says why it could not be read.
    pub(crate) fn file(&self, name: &FileName) -> Result<&File, String> {
        match self.files.get(name) {
            Some(Ok(file)) => Ok(file),
            Some(Err(Unreadable::Because(why))) => Err(why.clone()),
            Some(Err(Unreadable::Missing)) | None => Err(format!(
                "{} is not there, though {NAMES_FILE} names it",
                self.path(name).display()
            )),
        }
    }
}

fn names(folder: &Path) -> NamesState {
    let path = folder.join(NAMES_FILE);
    let file = match read(&path) {
        Ok(file) => file,
        Err(Unreadable::Because(why)) => return NamesState::Broken(why),
        Err(Unreadable::Missing) => {
            let there = folder.is_dir();
            let missing = if there { &path } else { folder };
            return NamesState::Missing(format!("{} does not exist", missing.display()));
        }
    };
    let parsed = match file.bytes.expose_str() {
        Some(text) => Names::parse(text),
        None => Err(format!("{NAMES_FILE} is not UTF-8")),
    };
    match parsed {
        Ok(names) => NamesState::Read {
            names,
            mode: file.mode,
        },
        Err(why) => NamesState::Broken(format!("in {}, {why}", folder.display())),
    }
}

fn read(path: &Path) -> Result<File, Unreadable> {
    let because = |why: &dyn std::fmt::Display| {
        Unreadable::Because(format!("{} cannot be read: {why}", path.display()))
    };
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Unreadable::Missing,
        _ => because(&error),
    };
    // Asked before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(because(&"it is not a file"));
    }
    let file = fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let bytes = Secret::new(bytes);
    if bytes.expose().len() as u64 > MAX_FILE_BYTES {
        return Err(because(&format_args!(
            "it has more than {MAX_FILE_BYTES} bytes"
        )));
    }
    Ok(File { bytes, mode })
}
