//! What one file says, before anybody judges it.

use std::fmt;
use std::sync::Arc;

/// A line of a file, written `FILE:LINE`. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    file: Arc<str>,
    line: usize,
}

impl Place {
    pub(super) fn new(file: &Arc<str>, line: usize) -> Self {
        Self {
            file: Arc::clone(file),
            line,
        }
    }

    /// The file, as it was named to the parser.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.escape_debug(), self.line)
    }
}

/// One name with its value. `Debug` leaves the value out: nobody knows yet whether it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The full, dotted name.
    pub key: String,
    /// The value as written, escapes resolved.
    pub value: String,
    /// Where the name stands.
    pub place: Place,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A file does not follow its syntax. The text never quotes the file: the line may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ParseError {
    /// The line that cannot be read.
    pub place: Place,
    /// What is wrong there, and what would be right.
    pub what: String,
}
