//! The one error that crosses the boundary.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a plugin could not do what it was asked: a sentence for the operator, and whether trying
/// again later can help.
///
/// Any `std::error::Error` converts into a temporary one with `?`; the chain of its causes is
/// kept in the sentence. It does not implement `std::error::Error` itself, as `anyhow::Error`
/// does not, so that this conversion can exist.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    message: String,
    #[serde(default)]
    permanent: bool,
}

/// The result of everything that a plugin does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Trying again later can help: a server is away, a disk is full.
    pub fn temporary(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            permanent: false,
        }
    }

    /// The same input will fail again.
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            permanent: true,
        }
    }

    /// Whether trying again is of no use.
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// Puts what was being done in front of why it failed.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message = format!("{message}: {inner}");
            cause = inner.source();
        }
        Self {
            message,
            permanent: false,
        }
    }
}
