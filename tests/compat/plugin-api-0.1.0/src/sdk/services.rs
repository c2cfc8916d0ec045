use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::traits::{CredentialBackend, EventHandler, HttpRoutes, Listener, Plugin, Transport};
use crate::error::Result;
use crate::event::Event;
use crate::frame::{
    Delivery, Handled, HttpCall, HttpReply, Listen, Outcome, ProviderCredential, Report,
};
use crate::manifest::ServiceKind;

type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Entry<P, Q, A> = fn(Arc<P>, Q) -> Answer<A>;

/// The kinds of service that a plugin's type implements, as functions that can be called without
/// knowing which they are. Filled by [`export_plugin!`](crate::export_plugin).
pub struct Services<P> {
    pub(super) listen: Option<Entry<P, Listen, Result<()>>>,
    pub(super) report: Option<Entry<P, Report, Result<Vec<Event>>>>,
    pub(super) deliver: Option<Entry<P, Delivery, Outcome>>,
    pub(super) credential: Option<Entry<P, String, Result<Option<ProviderCredential>>>>,
    pub(super) handle: Option<Entry<P, Event, Result<Handled>>>,
    pub(super) respond: Option<Entry<P, HttpCall, Result<HttpReply>>>,
}

impl<P> Default for Services<P> {
    fn default() -> Self {
        Self {
            listen: None,
            report: None,
            deliver: None,
            credential: None,
            handle: None,
            respond: None,
        }
    }
}

#[doc(hidden)]
impl<P: Plugin> Services<P> {
    pub fn offer_listener(&mut self)
    where
        P: Listener,
    {
        self.listen = Some(|plugin, listen| {
            Box::pin(async move {
                if listen.begin {
                    plugin.listen(listen.account).await
                } else {
                    plugin.unlisten(listen.account).await
                }
            })
        });
        self.report = Some(|plugin, report| Box::pin(async move { plugin.report(report).await }));
    }

    pub fn offer_transport(&mut self)
    where
        P: Transport,
    {
        self.deliver = Some(|plugin, one| Box::pin(async move { plugin.deliver(one).await }));
    }

    pub fn offer_credential_backend(&mut self)
    where
        P: CredentialBackend,
    {
        self.credential =
            Some(|plugin, name| Box::pin(async move { plugin.provider_credential(name).await }));
    }

    pub fn offer_event_handler(&mut self)
    where
        P: EventHandler,
    {
        self.handle = Some(|plugin, event| Box::pin(async move { plugin.handle(event).await }));
    }

    pub fn offer_http_routes(&mut self)
    where
        P: HttpRoutes,
    {
        self.respond = Some(|plugin, call| Box::pin(async move { plugin.respond(call).await }));
    }

    pub fn kinds(&self) -> Vec<ServiceKind> {
        [
            (self.report.is_some(), ServiceKind::Listener),
            (self.deliver.is_some(), ServiceKind::Transport),
            (self.credential.is_some(), ServiceKind::CredentialBackend),
            (self.handle.is_some(), ServiceKind::EventHandler),
            (self.respond.is_some(), ServiceKind::HttpRoutes),
        ]
        .into_iter()
        .filter_map(|(offered, kind)| offered.then_some(kind))
        .collect()
    }
}
