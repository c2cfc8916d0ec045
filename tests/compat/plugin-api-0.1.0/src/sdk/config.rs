use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::frame::Configure;
use crate::secret::Secret;

/// The plugin's configuration: the keys of its manifest, with the operator's values or the
/// manifest's defaults.
#[derive(Debug, Clone, Default)]
pub struct Config {
    values: Arc<BTreeMap<String, Secret>>,
}

impl From<Configure> for Config {
    fn from(frame: Configure) -> Self {
        Self {
            values: Arc::new(frame.values),
        }
    }
}

impl Config {
    /// The value of a key as text; `None` where it has neither value nor default, or is empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values
            .get(key)
            .and_then(Secret::expose_str)
            .filter(|text| !text.is_empty())
    }

    /// The value of a key that must not be shown.
    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.values
            .get(key)
            .filter(|secret| !secret.expose().is_empty())
            .cloned()
    }

    /// The value of a key, parsed.
    ///
    /// # Errors
    ///
    /// Names the key, its value and what is wrong with it; do not use this for secrets.
    pub fn parse<T>(&self, key: &str) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.text(key)
            .map(|text| {
                text.parse().map_err(|error| {
                    Error::permanent(format_args!("{key} = {text:?} cannot be used: {error}"))
                })
            })
            .transpose()
    }

    /// Whether a key is `true`; `false` where it has no value.
    ///
    /// # Errors
    ///
    /// The value is neither `true` nor `false`.
    pub fn flag(&self, key: &str) -> Result<bool> {
        Ok(self.parse(key)?.unwrap_or(false))
    }

    /// The parts of a comma-separated value, trimmed; none where it has no value.
    pub fn list(&self, key: &str) -> Vec<&str> {
        self.text(key)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect()
    }
}
