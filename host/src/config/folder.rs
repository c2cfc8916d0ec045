//! The configuration folder: which files count, and what they say together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::entry::{Entry, ParseError, Place};
use super::error::Fault;
use super::layer::{Origin, Setting};
use super::properties::parse_properties;
use super::toml::parse_toml;

#[cfg(test)]
mod tests;

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

type Parser = fn(&[u8], &str) -> Result<Vec<Entry>, ParseError>;

/// Where configuration files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
    required: bool,
}

impl Folder {
    /// A folder that somebody named: it has to be there.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self::new(path.into(), true)
    }

    /// The folder that nobody named: where it is missing, there are no files.
    pub fn usual(path: impl Into<PathBuf>) -> Self {
        Self::new(path.into(), false)
    }

    fn new(path: PathBuf, required: bool) -> Self {
        // Only an empty path has no absolute form, and reading it says so.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, required }
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all files of the folder. `had_files` says that there were some before, and that
    /// their sudden absence is a fault.
    pub(super) fn read(&self, had_files: bool) -> Contents {
        let mut contents = Contents::default();
        match files(&self.path) {
            Ok(files) => {
                for (path, parser) in files {
                    contents.add(&path, parser);
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !self.required && !had_files => {}
            Err(error) => contents.fail(
                &self.path,
                format_args!(
                    "the configuration folder cannot be read ({error}); create it, or make it \
                     readable for the user that belfryd runs as"
                ),
            ),
        }
        contents
    }

    /// What tells one state of the folder from another without reading the files.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let identity = |path: &Path| fs::metadata(path).ok().as_ref().map(Identity::of);
        let files = files(&self.path).unwrap_or_default();
        Fingerprint {
            folder: fs::metadata(&self.path)
                .ok()
                .map(|data| (data.dev(), data.ino())),
            files: files
                .into_iter()
                .map(|(path, _)| (identity(&path), path))
                .collect(),
        }
    }
}

/// What the files of a folder say together.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) settings: BTreeMap<String, Setting>,
    /// Lines that set nothing.
    pub(super) nameless: Vec<Place>,
    pub(super) faults: Vec<Fault>,
}

impl Contents {
    fn add(&mut self, path: &Path, parser: Parser) {
        let bytes = match read(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(why) => return self.fail(path, why),
        };
        match parser(&bytes, &path.to_string_lossy()) {
            Ok(entries) => entries.into_iter().for_each(|entry| self.set(entry)),
            Err(error) => self.faults.push(error.into()),
        }
    }

    fn set(&mut self, Entry { key, value, place }: Entry) {
        if key.is_empty() {
            return self.nameless.push(place);
        }
        match self.settings.entry(key) {
            Slot::Vacant(slot) => {
                let origin = Origin::File(place);
                slot.insert(Setting { value, origin });
            }
            Slot::Occupied(slot) => {
                if let Origin::File(first) = &slot.get().origin {
                    self.faults.push(Fault::Twice {
                        key: slot.key().clone(),
                        first: first.clone(),
                        second: place,
                    });
                }
            }
        }
    }

    fn fail(&mut self, path: &Path, why: impl ToString) {
        self.faults.push(Fault::Unreadable {
            path: path.to_owned(),
            why: why.to_string(),
        });
    }
}

/// The folder as it stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    folder: Option<(u64, u64)>,
    files: Vec<(Option<Identity>, PathBuf)>,
}

impl Fingerprint {
    /// Whether both are of one and the same folder, and not of one that replaced it.
    pub(super) fn same_folder(&self, other: &Self) -> bool {
        self.folder == other.folder
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    inode: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(data: &Metadata) -> Self {
        Self {
            inode: (data.dev(), data.ino()),
            bytes: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}

/// The files that count, in the order of their names.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, Parser)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(parser) = parser_for(&path) {
            files.push((path, parser));
        }
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(files)
}

/// Whether a file of this name is read; hidden ones and editors' and package managers' copies
/// (`.x.properties.swp`, `x.properties~`, `x.properties.dpkg-new`) are not.
pub(super) fn counts(path: &Path) -> bool {
    parser_for(path).is_some()
}

fn parser_for(path: &Path) -> Option<Parser> {
    let hidden = path.file_name()?.as_encoded_bytes().starts_with(b".");
    match path.extension()?.to_str()? {
        _ if hidden => None,
        "properties" => Some(parse_properties),
        "toml" => Some(parse_toml),
        _ => None,
    }
}

/// The file's bytes; `None` where it is gone since the folder was listed.
fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |error: io::Error| {
        format!("cannot be read ({error}); make it readable for the user that belfryd runs as")
    };
    let data = match fs::metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            return Err("this link leads to no file; correct or remove it".into());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    // Opening a pipe would wait for a writer for ever.
    if !data.is_file() {
        return Err("this is no file; move it out of the configuration folder".into());
    }
    if data.len() > MAX_FILE_BYTES {
        return Err(format!(
            "this file has {} bytes, and {MAX_FILE_BYTES} are allowed; move it out of the \
             configuration folder",
            data.len()
        ));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}
