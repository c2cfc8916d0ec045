//! What one source of configuration sets, and who set it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::entry::Place;

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Nobody: the key's default holds.
    Default,
    /// A line of a file.
    File(Place),
    /// `--set`.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => place.fmt(f),
            Self::CommandLine => f.write_str("--set"),
        }
    }
}

/// A value as somebody wrote it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// What one source sets. The cascade is a sequence of layers, the strongest first, and the
/// strongest one that names a key decides; the server scope is `--set` before the files.
pub(super) type Layer = Arc<BTreeMap<String, Setting>>;
