//! What people see of a plugin.

use std::path::{Path, PathBuf};

use belfry_plugin_api::manifest::{Isolation, PluginId, Service};
use serde::{Deserialize, Serialize};

use super::artifacts::Artifact;
use super::counterpart::Settings;
use crate::clock::now_ms;

/// The states of a plugin's life, OSGi's (Core 7, section 4.4.2) and one more.
///
/// INSTALLED → RESOLVED (what it requires is there) → STARTING → ACTIVE → STOPPING → RESOLVED;
/// FAILED when a generation broke, with its reason, until the back-off is over and it is STARTING
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are OSGi's")]
pub enum State {
    Installed,
    Resolved,
    Starting,
    Active,
    Stopping,
    Failed,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Installed => "INSTALLED",
            Self::Resolved => "RESOLVED",
            Self::Starting => "STARTING",
            Self::Active => "ACTIVE",
            Self::Stopping => "STOPPING",
            Self::Failed => "FAILED",
        })
    }
}

/// A plugin, as listings show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    pub id: PluginId,
    /// Its version.
    pub version: String,
    /// The version of plugin-api that it was built with.
    pub built_with: String,
    /// Where it is in its life.
    pub state: State,
    /// Why it is not ACTIVE, or what a refused replacement lacks.
    pub reason: Option<String>,
    /// Why the last generation that broke did so; stays when a new one runs.
    pub last_failure: Option<String>,
    /// Where the last panic happened.
    pub backtrace: Option<String>,
    /// Where it runs.
    pub isolation: Isolation,
    /// Plugins of lower levels start earlier and stop later.
    pub start_level: u32,
    /// Its process, where it has one of its own.
    pub pid: Option<u32>,
    /// How many generations the host has started.
    pub generation: u64,
    /// How many of them broke.
    pub failures: u64,
    /// Generations that stay mapped in the host's process.
    pub mapped_generations: u64,
    /// Whether it starts by itself.
    pub autostart: bool,
    /// The file that it came from.
    pub source: PathBuf,
    /// SHA-256 of the artifact.
    pub hash: String,
    /// When it entered its state, in milliseconds since the epoch.
    pub since_ms: i64,
    /// Who made it.
    pub vendor: String,
    /// What it does.
    pub description: String,
    /// The services that it offers.
    pub services: Vec<Service>,
}

impl Status {
    /// The status of a plugin that has just been installed.
    pub(super) fn installed(
        artifact: &Artifact,
        source: &Path,
        autostart: bool,
        settings: Option<Settings>,
    ) -> Self {
        let manifest = &artifact.manifest;
        Self {
            id: manifest.id.clone(),
            version: manifest.version.to_string(),
            built_with: artifact.built_with.to_string(),
            state: State::Installed,
            reason: None,
            last_failure: None,
            backtrace: None,
            isolation: settings.map_or(manifest.isolation, |settings| settings.isolation),
            start_level: settings.map_or(manifest.start_level, |settings| settings.start_level),
            pid: None,
            generation: 0,
            failures: 0,
            mapped_generations: 0,
            autostart,
            source: source.to_owned(),
            hash: artifact.hash.clone(),
            since_ms: now_ms(),
            vendor: manifest.vendor.clone(),
            description: manifest.description.clone(),
            services: manifest.services.clone(),
        }
    }
}
