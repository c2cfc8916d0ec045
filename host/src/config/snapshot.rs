//! The configuration in force at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::secret::Secret;

use super::error::{Fault, ValueError};
use super::key::KeySpec;
use super::kind::Kind;
use super::layer::{Layer, Origin, Setting};
use super::mask;
use super::registry::Registry;
use super::value::Value;
use super::warning;

#[cfg(test)]
mod tests;

/// The configuration in force at one moment. It never changes; see [`super::Config`] for the next.
///
/// Every value is in its key's canonical form ([`Kind`]). A key that is set to nothing (`key =`)
/// has its default, as the files of the original expect; a list is then empty.
pub struct Snapshot {
    layers: Vec<Layer>,
    registry: Arc<Registry>,
    in_force: BTreeMap<String, Decided>,
}

struct Decided {
    value: Option<String>,
    origin: Origin,
}

/// A key's value, who set it, and what else was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The key.
    pub key: String,
    /// The value in force as it may be shown; `None` where there is neither value nor default.
    pub value: Option<String>,
    /// Who set it.
    pub origin: Origin,
    /// Everything that was set for the key, the strongest first, as it may be shown.
    pub settings: Vec<(Origin, String)>,
    /// What the key does and what it may be; `None` where nobody reads it.
    pub spec: Option<KeySpec>,
}

impl Snapshot {
    /// Decides every key, and says which values are not what their keys allow; those keys have
    /// their defaults in the snapshot. Relative paths lie in `folder`.
    pub(super) fn build(
        layers: Vec<Layer>,
        registry: Arc<Registry>,
        folder: &Path,
    ) -> (Self, Vec<Fault>) {
        let mut in_force: BTreeMap<String, Decided> = BTreeMap::new();
        let mut faults = Vec::new();
        for (key, setting) in layers.iter().flat_map(|layer| layer.iter()) {
            let spec = registry.find(key);
            let value = match canonical(spec, &setting.value, folder) {
                Ok(value) => value,
                Err(NotAllowed) => {
                    faults.extend(spec.map(|spec| refused(key, setting, spec).into()));
                    None
                }
            };
            // A value that a stronger layer covers is checked, too: it may be in force tomorrow.
            in_force.entry(key.clone()).or_insert_with(|| Decided {
                origin: match value {
                    Some(_) => setting.origin.clone(),
                    None => Origin::Default,
                },
                value,
            });
        }
        for spec in registry.iter().filter(|spec| !spec.is_pattern()) {
            let default = spec.default.as_deref().unwrap_or_default();
            let decided = in_force.entry(spec.name.clone()).or_insert(Decided {
                value: None,
                origin: Origin::Default,
            });
            if decided.value.is_none() && spec.default.is_some() {
                decided.value = canonical(Some(spec), default, folder).unwrap_or_default();
            }
        }
        let snapshot = Self {
            layers,
            registry,
            in_force,
        };
        (snapshot, faults)
    }

    /// The value in force, or `None` where there is neither value nor default.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.in_force.get(key)?.value.as_deref()
    }

    /// The value in force, as a type.
    ///
    /// # Errors
    ///
    /// It cannot be read as this type; the text names the key, its value unless it is secret,
    /// where it was set, and what is allowed.
    pub fn read<T: Value>(&self, key: &str) -> Result<Option<T>, ValueError> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        match T::from_text(text) {
            Some(value) => Ok(Some(value)),
            None => Err(ValueError::Refused {
                key: key.to_owned(),
                shown: mask::quoted(self.registry.find(key), text),
                origin: self.origin(key),
                advice: format!("write {}, or remove it", T::WANTED),
            }),
        }
    }

    /// Like [`read`](Self::read), for a key that must have a value.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and where there is neither value nor default.
    pub fn require<T: Value>(&self, key: &str) -> Result<T, ValueError> {
        self.read(key)?.ok_or_else(|| ValueError::Missing {
            key: key.to_owned(),
            allowed: match self.registry.find(key) {
                Some(spec) => spec.kind.allowed(),
                None => T::WANTED.to_owned(),
            },
        })
    }

    /// The values of all keys that a plugin's manifest names, where they have one.
    pub fn values_for(&self, plugin: &PluginId) -> BTreeMap<String, Secret> {
        let read = self.registry.read_by(plugin);
        read.filter_map(|spec| Some((spec.name.clone(), Secret::from(self.get(&spec.name)?))))
            .collect()
    }

    /// How a key got its value.
    pub fn explain(&self, key: &str) -> Explanation {
        let spec = self.registry.find(key);
        let show = |value: &str| mask::shown(spec, value);
        let settings = self.layers.iter().filter_map(|layer| layer.get(key));
        Explanation {
            key: key.to_owned(),
            value: self.get(key).map(show),
            origin: self.origin(key),
            settings: settings
                .map(|setting| (setting.origin.clone(), show(&setting.value)))
                .collect(),
            spec: spec.cloned(),
        }
    }

    /// The known name that looks most like this one.
    pub fn nearest(&self, key: &str) -> Option<String> {
        warning::nearest(&self.registry, key, usize::MAX)
    }

    /// All keys that have a value or are known, in order. Known ones that stand for many are not
    /// among them.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.in_force.keys().map(String::as_str)
    }

    /// The keys that somebody reads.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The keys whose values differ between two snapshots.
    pub(super) fn changed_since(&self, before: &Self) -> BTreeSet<String> {
        let keys = self.keys().chain(before.keys());
        keys.filter(|key| self.get(key) != before.get(key))
            .map(str::to_owned)
            .collect()
    }

    /// What is set, each key where it is set strongest.
    pub(super) fn set_keys(&self) -> impl Iterator<Item = (&str, &Origin)> {
        let mut seen = BTreeSet::new();
        let settings = self.layers.iter().flat_map(|layer| layer.iter());
        settings
            .filter(move |(key, _)| seen.insert(key.as_str()))
            .map(|(key, setting)| (key.as_str(), &setting.origin))
    }

    fn origin(&self, key: &str) -> Origin {
        match self.in_force.get(key) {
            Some(decided) => decided.origin.clone(),
            None => Origin::Default,
        }
    }
}

/// Shows no value.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("keys", &self.in_force.len())
            .finish_non_exhaustive()
    }
}

struct NotAllowed;

/// The value in its key's form; `None` where the key is set to nothing.
fn canonical(
    spec: Option<&KeySpec>,
    value: &str,
    folder: &Path,
) -> Result<Option<String>, NotAllowed> {
    // The original trims all values, passwords among them.
    let value = value.trim();
    match spec {
        Some(spec) if !value.is_empty() || spec.kind == Kind::List => spec
            .kind
            .canonical(value, folder)
            .map(Some)
            .ok_or(NotAllowed),
        _ => Ok(Some(value)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)),
    }
}

fn refused(key: &str, setting: &Setting, spec: &KeySpec) -> ValueError {
    let allowed = spec.kind.allowed();
    ValueError::Refused {
        key: key.to_owned(),
        shown: mask::quoted(Some(spec), setting.value.trim()),
        origin: setting.origin.clone(),
        advice: match &spec.default {
            Some(default) => format!(
                "write {allowed}, or remove it to get the default ({})",
                mask::shown(Some(spec), default)
            ),
            None => format!("write {allowed}, or remove it"),
        },
    }
}
