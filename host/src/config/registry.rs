//! The keys that somebody reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use belfry_plugin_api::manifest::{Key, PluginId};

use super::declare_error::DeclareError;
use super::key::KeySpec;

#[cfg(test)]
mod tests;

#[derive(Debug, Clone)]
struct Declared {
    spec: KeySpec,
    /// Whether it is the host's own.
    host: bool,
    /// The plugins that read it.
    plugins: BTreeSet<PluginId>,
}

/// All keys that the host or an installed plugin reads.
#[derive(Debug, Clone)]
pub struct Registry {
    keys: BTreeMap<String, Declared>,
    patterns: Vec<KeySpec>,
}

impl Registry {
    /// A registry of these keys of the host's own. See [`super::host_keys`].
    pub fn new(host_keys: Vec<KeySpec>) -> Self {
        let (patterns, named): (Vec<_>, Vec<_>) =
            host_keys.into_iter().partition(KeySpec::is_pattern);
        let keys = named.into_iter().map(|spec| {
            let declared = Declared {
                spec,
                host: true,
                plugins: BTreeSet::new(),
            };
            (declared.spec.name.clone(), declared)
        });
        Self {
            keys: keys.collect(),
            patterns,
        }
    }

    /// Adds the keys of a plugin's manifest, in place of those that it had declared before. Two
    /// plugins may declare the same key in the same way.
    ///
    /// # Errors
    ///
    /// The manifest's keys are wrong or collide with others'; nothing is changed then.
    pub fn add(&mut self, plugin: &PluginId, keys: &[Key]) -> Result<(), DeclareError> {
        let mut next = self.clone();
        next.remove(plugin);
        for key in keys {
            next.add_one(plugin, key)?;
        }
        *self = next;
        Ok(())
    }

    fn add_one(&mut self, plugin: &PluginId, key: &Key) -> Result<(), DeclareError> {
        let (plugin, name) = (plugin.clone(), key.name.clone());
        if !is_dotted_name(&name) {
            return Err(DeclareError::Name { plugin, key: name });
        }
        if let Some(known) = self.keys.get_mut(&name) {
            let spec = KeySpec::from(key);
            let same = |other: &KeySpec| {
                (&other.kind, &other.default, other.secret)
                    == (&spec.kind, &spec.default, spec.secret)
            };
            return match known.plugins.first() {
                _ if known.host && !key.shared => Err(DeclareError::Claimed { plugin, key: name }),
                Some(other) if !known.host && !same(&known.spec) => Err(DeclareError::Conflict {
                    plugin,
                    other: other.clone(),
                    key: name,
                }),
                _ => {
                    known.plugins.insert(plugin);
                    Ok(())
                }
            };
        }
        if key.shared {
            return Err(DeclareError::NotShared { plugin, key: name });
        }
        let spec = KeySpec::from(key);
        // A path may be relative: what the folder is plays no part in whether it is a path.
        let fits = |default: &String| {
            spec.kind
                .canonical(default.trim(), Path::new("/"))
                .is_some()
        };
        if !spec.default.as_ref().is_none_or(fits) {
            return Err(DeclareError::Default {
                plugin,
                key: name,
                allowed: spec.kind.allowed(),
            });
        }
        let declared = Declared {
            spec,
            host: false,
            plugins: BTreeSet::from([plugin]),
        };
        self.keys.insert(name, declared);
        Ok(())
    }

    /// Takes away what a plugin had declared.
    pub fn remove(&mut self, plugin: &PluginId) {
        self.keys.retain(|_, declared| {
            declared.plugins.remove(plugin);
            declared.host || !declared.plugins.is_empty()
        });
    }

    /// What is known of a key.
    pub fn find(&self, key: &str) -> Option<&KeySpec> {
        let named = self.keys.get(key).map(|declared| &declared.spec);
        named.or_else(|| {
            let mut patterns = self.patterns.iter();
            patterns.find(|pattern| pattern.name_like(key).is_some_and(|name| name == key))
        })
    }

    /// All keys, those that stand for many last.
    pub fn iter(&self) -> impl Iterator<Item = &KeySpec> {
        let named = self.keys.values().map(|declared| &declared.spec);
        named.chain(&self.patterns)
    }

    /// The keys that a plugin reads.
    pub fn read_by(&self, plugin: &PluginId) -> impl Iterator<Item = &KeySpec> {
        let declared = self.keys.values();
        declared
            .filter(|declared| declared.plugins.contains(plugin))
            .map(|declared| &declared.spec)
    }
}

fn is_dotted_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let part = |part: &str| !part.is_empty() && part.bytes().all(allowed);
    name.contains('.') && name.split('.').all(part)
}
