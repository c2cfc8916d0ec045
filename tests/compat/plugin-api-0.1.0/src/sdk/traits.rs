//! What an author implements. `async fn` may be written for every method.

use std::future::Future;

use super::{Config, Host};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::frame::{
    Account, Delivery, Handled, HttpCall, HttpReply, Outcome, ProviderCredential, Report,
};

/// A plugin.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Makes the plugin ready for work. Runs once a generation, on the plugin's own tokio
    /// runtime; nothing else is called before it has returned.
    fn start(host: Host, config: Config) -> impl Future<Output = Result<Self>> + Send;

    /// The configuration changed. An error leaves the old one in force and is logged.
    fn configure(&self, config: Config) -> impl Future<Output = Result<()>> + Send {
        let _ = config;
        async { Ok(()) }
    }

    /// The credential of a push provider may have changed: ask for it anew.
    fn credential_changed(&self, provider: String) -> impl Future<Output = ()> + Send {
        let _ = provider;
        async {}
    }

    /// Last words. What was in hand has been answered by then.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Hears of new mail from one kind of mail backend.
pub trait Listener: Plugin {
    /// Begins to listen for a user. It is called again whenever the host starts or the account's
    /// credentials change, so it must not mind doing what is already done.
    fn listen(&self, account: Account) -> impl Future<Output = Result<()>> + Send {
        let _ = account;
        async { Ok(()) }
    }

    /// Listens no longer for a user, and leaves nothing behind at the mail store.
    fn unlisten(&self, account: Account) -> impl Future<Output = Result<()>> + Send {
        let _ = account;
        async { Ok(()) }
    }

    /// Says which events a mail server's request means. The request is in the host's inbox until
    /// this has returned and every handler has dealt with the events; it may come again after a
    /// crash. Requests about one user come one after the other.
    fn report(&self, report: Report) -> impl Future<Output = Result<Vec<Event>>> + Send {
        let route = report.route;
        async move {
            Err(Error::permanent(format_args!(
                "nothing is done with requests of route {route}"
            )))
        }
    }
}

/// Hands messages to one kind of push provider.
pub trait Transport: Plugin {
    /// Hands over one message and says what became of it. Many run at once, at most the
    /// manifest's `window`; those for one device come one after the other.
    fn deliver(&self, delivery: Delivery) -> impl Future<Output = Outcome> + Send;
}

/// Offers provider certificates and keys.
pub trait CredentialBackend: Plugin {
    /// The credential for a push provider (`apns`, `fcm`), where this backend has one.
    fn provider_credential(
        &self,
        provider: String,
    ) -> impl Future<Output = Result<Option<ProviderCredential>>> + Send;
}

/// Is subscribed to topics.
pub trait EventHandler: Plugin {
    /// Deals with an event. Events of one user come one after the other, in the order of their
    /// publication; after a crash one may come again.
    fn handle(&self, event: Event) -> impl Future<Output = Result<Handled>> + Send;
}

/// Answers HTTP requests.
pub trait HttpRoutes: Plugin {
    /// Answers a request on one of the manifest's routes.
    fn respond(&self, call: HttpCall) -> impl Future<Output = Result<HttpReply>> + Send;
}
