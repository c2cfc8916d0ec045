//! `--set KEY=VALUE`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::layer::{Layer, Origin, Setting};

/// One `--set KEY=VALUE`. `Debug` leaves the value out.
#[derive(Clone, PartialEq, Eq)]
pub struct Override {
    key: String,
    value: String,
}

impl Override {
    /// The name of the property.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// What was given is not `KEY=VALUE`. The text is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("--set takes KEY=VALUE, the name of a property and its value with '=' between them")]
pub struct ParseOverrideError;

impl FromStr for Override {
    type Err = ParseOverrideError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').ok_or(ParseOverrideError)?;
        let key = key.trim();
        if key.is_empty() {
            return Err(ParseOverrideError);
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Override")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Of two that set the same key the later one holds, as on any command line.
pub(super) fn layer(overrides: Vec<Override>) -> Layer {
    let settings = overrides.into_iter().map(|Override { key, value }| {
        let origin = Origin::CommandLine;
        (key, Setting { value, origin })
    });
    Arc::new(settings.collect::<BTreeMap<_, _>>())
}
