//! What can be wrong with a configuration. Every text says what, where, and what to do; none
//! shows a secret.

use std::fmt;
use std::path::PathBuf;

use super::declare_error::DeclareError;
use super::entry::{ParseError, Place};
use super::layer::Origin;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A file does not follow its syntax.
    #[error(transparent)]
    Syntax(#[from] ParseError),
    /// Files set a key twice.
    #[error(
        "{} is set twice, at {first} and at {second}; remove one of the two lines",
        key.escape_debug()
    )]
    Twice {
        /// The key.
        key: String,
        /// Where it is set first.
        first: Place,
        /// Where it is set again.
        second: Place,
    },
    /// A value is not what its key allows, or is missing.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A file or the folder cannot be read.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A plugin's keys cannot be taken.
    #[error(transparent)]
    Declaration(#[from] DeclareError),
}

/// Everything that is wrong with a configuration: one fault or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

impl ConfigError {
    /// `Ok` where there are no faults.
    pub(super) fn check(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self { faults })
        }
    }

    /// The faults, in the order in which they were met.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self {
            faults: vec![fault],
        }
    }
}

/// All faults on one line.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A value is not what its key allows, or is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Nobody set the key, and it has no default.
    #[error(
        "{key} is not set and has no default; set it in a file of the configuration folder, or \
         with --set, to {allowed}"
    )]
    Missing {
        /// The key.
        key: String,
        /// What is allowed.
        allowed: String,
    },
    /// The value is of another kind.
    #[error(
        "{origin}: {} is {shown}, which it cannot be; {advice}",
        key.escape_debug()
    )]
    Refused {
        /// The key.
        key: String,
        /// The value as it may be shown, in quotes, or that it is not shown.
        shown: String,
        /// Where it was set.
        origin: Origin,
        /// What to do.
        advice: String,
    },
}
