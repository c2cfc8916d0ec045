//! What can be wrong with the keys of a plugin's manifest.

use belfry_plugin_api::manifest::PluginId;

/// Why a plugin's keys are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclareError {
    /// Not a dotted name.
    #[error(
        "plugin {plugin} declares the key {key:?}, which is no dotted name of letters, digits, \
         '-' and '_'; its author has to correct the manifest"
    )]
    Name {
        /// The plugin.
        plugin: PluginId,
        /// The key.
        key: String,
    },
    /// The default is not of the declared type.
    #[error(
        "plugin {plugin} declares a default of {key} that is not {allowed}; its author has to \
         correct the manifest"
    )]
    Default {
        /// The plugin.
        plugin: PluginId,
        /// The key.
        key: String,
        /// What is allowed.
        allowed: String,
    },
    /// It claims a key that is the host's.
    #[error(
        "plugin {plugin} declares {key} as its own, which is the host's; its author has to mark \
         it `shared = true` in the manifest"
    )]
    Claimed {
        /// The plugin.
        plugin: PluginId,
        /// The key.
        key: String,
    },
    /// It reads a key of the host's that the host does not have.
    #[error(
        "plugin {plugin} reads {key} as one of the host's, which this host does not have; update \
         the host, or install an older version of the plugin"
    )]
    NotShared {
        /// The plugin.
        plugin: PluginId,
        /// The key.
        key: String,
    },
    /// Another plugin declares the same key with another type, default or secrecy.
    #[error(
        "plugins {plugin} and {other} declare {key} differently; uninstall one of them, or update \
         both to versions that agree"
    )]
    Conflict {
        /// The plugin.
        plugin: PluginId,
        /// The one that declared it before.
        other: PluginId,
        /// The key.
        key: String,
    },
}
