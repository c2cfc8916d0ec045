use belfry_plugin_api::frame::Account;
use belfry_plugin_api::manifest::PluginId;
use futures_util::future::BoxFuture;

use crate::push::decide::Candidate;

/// The plugins that listen for mail, as the listeners' bookkeeping sees them.
pub trait ListenerPlugins: Send + Sync {
    /// The listeners that active plugins offer.
    fn candidates(&self) -> Vec<Candidate>;

    /// Has a plugin begin to listen for an account, or cease to. An account without credentials
    /// is offered, too: a plugin may have a way of its own into the mail store. One that has not
    /// answers with a permanent error.
    fn listen(
        &self,
        plugin: &PluginId,
        account: Account,
        begin: bool,
    ) -> BoxFuture<'_, belfry_plugin_api::Result<()>>;
}
