use std::sync::Arc;

use belfry_plugin_api::frame::{Configure, Level, ToHost, ToPlugin};
use belfry_plugin_api::manifest::{Isolation, Manifest, PluginId};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use super::status::Status;

/// What the operator's configuration says about running a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether it may run at all.
    pub enabled: bool,
    /// Where it runs.
    pub isolation: Isolation,
    /// Plugins of lower levels start earlier and stop later.
    pub start_level: u32,
    /// Private writable memory that its process may have, in bytes.
    pub memory_limit_bytes: u64,
    /// How long it may leave a ping unanswered, in milliseconds.
    pub hang_timeout_ms: u64,
}

/// The rest of the host, as plugins' lives see it.
pub trait Counterpart: Send + Sync + 'static {
    /// What the configuration says about running a plugin.
    ///
    /// # Errors
    ///
    /// A value of its own keys cannot be used, in a sentence.
    fn settings(&self, manifest: &Manifest) -> Result<Settings, String>;

    /// The values of a manifest's keys.
    fn configuration(&self, manifest: &Manifest) -> Configure;

    /// From which level on log records of a plugin are wanted.
    fn log_level(&self, id: &PluginId) -> Level;

    /// A plugin was installed, or has another manifest from now on.
    ///
    /// # Errors
    ///
    /// The manifest cannot be taken into service, in a sentence.
    fn installed(&self, manifest: &Arc<Manifest>) -> Result<(), String>;

    /// A plugin is not there any more; nothing waits for it.
    fn uninstalled(&self, id: &PluginId);

    /// A generation is ready for work; it gets all that waits.
    fn active(&self, id: &PluginId, to_plugin: UnboundedSender<ToPlugin>);

    /// No more is handed to the generation; resolves when nothing is in its hands.
    fn drain(&self, id: &PluginId) -> BoxFuture<'static, ()>;

    /// The generation is gone; what was in its hands waits for the next one.
    fn away(&self, id: &PluginId);

    /// A frame of a generation. What takes long makes that plugin wait, and nobody else. An error
    /// ends the generation, with that reason.
    fn frame<'a>(
        &'a self,
        id: &'a PluginId,
        to_plugin: &'a UnboundedSender<ToPlugin>,
        frame: ToHost,
    ) -> BoxFuture<'a, Result<(), String>>;

    /// A plugin's status changed.
    fn changed(&self, status: &Status);
}
