//! Plugins' log records in the host's log.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use belfry_plugin_api::frame::{Level, LogRecord};
use belfry_plugin_api::manifest::PluginId;

use crate::log::PLUGIN_TARGET;

/// Records from this level on are taken from a plugin unless the operator says otherwise.
const USUAL: Level = Level::Info;

/// From which level on records are taken from each plugin, until the host ends.
#[derive(Default)]
pub(super) struct LogLevels(RwLock<BTreeMap<PluginId, Level>>);

impl LogLevels {
    pub(super) fn set(&self, plugin: &PluginId, level: Option<Level>) {
        // Changes are single inserts and removes; a panic leaves the map whole.
        let mut levels = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match level {
            Some(level) => drop(levels.insert(plugin.clone(), level)),
            None => drop(levels.remove(plugin)),
        }
    }

    pub(super) fn of(&self, plugin: &PluginId) -> Level {
        let levels = self.0.read().unwrap_or_else(PoisonError::into_inner);
        levels.get(plugin).copied().unwrap_or(USUAL)
    }
}

/// Writes a record with the plugin's id.
pub(super) fn write(plugin: &PluginId, record: &LogRecord) {
    let fields = record
        .fields
        .iter()
        .map(|(name, value)| format!(" {name}={value}"))
        .collect::<String>();
    let LogRecord {
        target: module,
        message,
        ..
    } = record;
    match record.level {
        Level::Error => {
            tracing::error!(target: PLUGIN_TARGET, %plugin, module, "{message}{fields}")
        }
        Level::Warn => tracing::warn!(target: PLUGIN_TARGET, %plugin, module, "{message}{fields}"),
        Level::Info => tracing::info!(target: PLUGIN_TARGET, %plugin, module, "{message}{fields}"),
        Level::Debug => {
            tracing::debug!(target: PLUGIN_TARGET, %plugin, module, "{message}{fields}")
        }
        Level::Trace => {
            tracing::trace!(target: PLUGIN_TARGET, %plugin, module, "{message}{fields}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_listened_to_from_its_own_level_on() {
        let (one, other): (PluginId, PluginId) = ("one".parse().unwrap(), "other".parse().unwrap());
        let levels = LogLevels::default();
        assert_eq!(levels.of(&one), Level::Info);
        levels.set(&one, Some(Level::Debug));
        assert_eq!(
            (levels.of(&one), levels.of(&other)),
            (Level::Debug, Level::Info)
        );
        levels.set(&one, None);
        assert_eq!(levels.of(&one), Level::Info);
    }
}
