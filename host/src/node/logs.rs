//! Plugins' log records in the host's log.

use belfry_plugin_api::frame::{Level, LogRecord};
use belfry_plugin_api::manifest::PluginId;

/// Writes a record with the plugin's id.
pub(super) fn write(plugin: &PluginId, record: &LogRecord) {
    let fields = record
        .fields
        .iter()
        .map(|(name, value)| format!(" {name}={value}"))
        .collect::<String>();
    let LogRecord { target, message, .. } = record;
    match record.level {
        Level::Error => tracing::error!(%plugin, target, "{message}{fields}"),
        Level::Warn => tracing::warn!(%plugin, target, "{message}{fields}"),
        Level::Info => tracing::info!(%plugin, target, "{message}{fields}"),
        Level::Debug => tracing::debug!(%plugin, target, "{message}{fields}"),
        Level::Trace => tracing::trace!(%plugin, target, "{message}{fields}"),
    }
}
