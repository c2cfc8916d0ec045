//! Inbox and outbox: mail that was accepted and is not yet delivered. It knows no provider.
//!
//! One [queue] on disk; above it one dispatcher for each listener ([`reports`]), for each plugin
//! with event handlers ([`events`]) and for each transport ([`outbox`]). A dispatcher is a task
//! that owns its state; they send each other messages and never wait for each other.

mod back_off;
mod events;
mod fan_out;
mod feed;
mod hold_ups;
mod operators;
mod outbox;
pub mod queue;
mod reports;
mod stored;
mod suspects;
mod tap;
mod timers;
mod upkeep;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use belfry_plugin_api::event::{Event, Properties};
use belfry_plugin_api::frame::{DeliveryDone, EventDone, ReportDone, ToPlugin};
use belfry_plugin_api::manifest::{Manifest, PluginId, ServiceKind};
use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use self::events::{Cause, EventDispatcher, EventItem, EventMessage};
use self::fan_out::Fanned;
use self::hold_ups::HoldUps;
pub use self::hold_ups::{HeldUp, HoldUp};
use self::outbox::{OutboxDispatcher, OutboxMessage};
use self::queue::{EntryKind, InboxEntry, MessageOutcome, Queue, QueueError};
use self::reports::{ReportDispatcher, ReportMessage};
use self::stored::{StoredEvent, pack};
use self::tap::Tap;
use crate::events::{HandlerError, Handlers};
use crate::metrics::Metrics;

/// A device that a user subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The subscription's number.
    pub subscription: i64,
    /// The transport's name.
    pub transport: Arc<str>,
    /// The device's token at the provider.
    pub token: Secret,
    /// The app, where the subscription named one.
    pub app: Option<String>,
}

/// Who gets what. Errors are sentences, and pass: a database is away.
pub trait Recipients: Send + Sync + 'static {
    /// The user that a mail server calls by `USER@CONTEXT` or a mail login, where somebody
    /// registered for their mail.
    fn registered<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<User>, String>>;

    /// The user's devices.
    fn devices(&self, user: User) -> BoxFuture<'_, Result<Arc<[Device]>, String>>;

    /// Whether a device is the user's.
    fn has_device(&self, user: User, subscription: i64) -> BoxFuture<'_, Result<bool, String>>;

    /// A device's token is dead since a time, in milliseconds since the epoch. Whether the
    /// subscription is gone: one that is newer stays.
    fn token_dead(
        &self,
        subscription: i64,
        since_ms: Option<i64>,
    ) -> BoxFuture<'_, Result<bool, String>>;
}

/// Why something could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The queue refused it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// It has no encoding.
    #[error("an inbox entry cannot be encoded: {0}")]
    Encoding(#[from] rmp_serde::encode::Error),
}

/// What dispatchers share.
struct Context {
    queue: Queue,
    recipients: Arc<dyn Recipients>,
    handlers: Handlers,
    tap: Tap,
    hold_ups: HoldUps,
    metrics: Arc<Metrics>,
    dispatchers: RwLock<Dispatchers>,
    myself: std::sync::Weak<Context>,
}

#[derive(Default)]
struct Dispatchers {
    reports: HashMap<PluginId, mpsc::UnboundedSender<ReportMessage>>,
    events: HashMap<PluginId, mpsc::UnboundedSender<EventMessage>>,
    outboxes: HashMap<Arc<str>, mpsc::UnboundedSender<OutboxMessage>>,
}

impl Context {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Dispatchers> {
        // Changes are single inserts and removes; a panic leaves the maps whole.
        self.dispatchers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Dispatchers> {
        self.dispatchers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The dispatchers of the handlers that want an event.
    fn handlers_of(&self, event: &Event) -> Vec<mpsc::UnboundedSender<EventMessage>> {
        let wanting = self.handlers.wanting(event);
        let dispatchers = self.read();
        wanting
            .iter()
            .filter_map(|id| dispatchers.events.get(id).cloned())
            .collect()
    }

    /// The dispatcher of a transport; there is one for each name that ever occurred.
    fn outbox_of(&self, transport: &Arc<str>) -> mpsc::UnboundedSender<OutboxMessage> {
        if let Some(outbox) = self.read().outboxes.get(transport) {
            return outbox.clone();
        }
        let mut dispatchers = self.write();
        let spawn = || match self.myself.upgrade() {
            Some(context) => OutboxDispatcher::spawn(context, transport.clone()),
            // The host is ending: nobody receives.
            None => mpsc::unbounded_channel().0,
        };
        dispatchers
            .outboxes
            .entry(transport.clone())
            .or_insert_with(spawn)
            .clone()
    }

    /// Messages are in the outbox: hands their deliveries to the transports' dispatchers.
    fn fanned(&self, fanned: Vec<Fanned>, outcomes: Vec<MessageOutcome>) {
        let mut new: HashMap<Arc<str>, Vec<outbox::OutboxItem>> = HashMap::new();
        for (message, outcome) in fanned.into_iter().zip(outcomes) {
            match outcome {
                MessageOutcome::Duplicate => drop(self.metrics.duplicates.inc()),
                MessageOutcome::Fanned(ids) => {
                    for (transport, item) in message.with_ids(ids) {
                        new.entry(transport).or_default().push(item);
                    }
                }
            }
        }
        for (transport, items) in new {
            // A dispatcher ends with the host only; the rows are on disk.
            let _ = self.outbox_of(&transport).send(OutboxMessage::New(items));
        }
    }
}

/// Inbox and outbox of the host.
#[derive(Clone)]
pub struct Delivery {
    context: Arc<Context>,
}

impl Delivery {
    /// Starts to dispatch what the queue holds.
    pub fn start(queue: Queue, recipients: Arc<dyn Recipients>, metrics: Arc<Metrics>) -> Self {
        let context = Arc::new_cyclic(|myself| Context {
            queue: queue.clone(),
            recipients,
            handlers: Handlers::default(),
            tap: Tap::default(),
            hold_ups: HoldUps::default(),
            metrics: metrics.clone(),
            dispatchers: RwLock::default(),
            myself: myself.clone(),
        });
        upkeep::spawn(queue, &context);
        Self { context }
    }

    /// The queue itself, for listings.
    pub fn queue(&self) -> &Queue {
        &self.context.queue
    }

    /// A plugin was installed, or has another manifest from now on.
    ///
    /// # Errors
    ///
    /// An event handler's filter cannot be read.
    pub fn installed(&self, manifest: &Manifest) -> Result<(), HandlerError> {
        let context = &self.context;
        context.handlers.subscribe(manifest)?;
        let id = &manifest.id;
        let mut dispatchers = context.write();
        for service in &manifest.services {
            match service.kind {
                ServiceKind::Listener => {
                    let spawn = || ReportDispatcher::spawn(context.clone(), id.clone());
                    dispatchers.reports.entry(id.clone()).or_insert_with(spawn);
                }
                ServiceKind::EventHandler => {
                    let spawn = || EventDispatcher::spawn(context.clone(), id.clone());
                    dispatchers.events.entry(id.clone()).or_insert_with(spawn);
                }
                ServiceKind::Transport => {
                    let name: Arc<str> = service.name.as_str().into();
                    let spawn = || OutboxDispatcher::spawn(context.clone(), name.clone());
                    dispatchers
                        .outboxes
                        .entry(name.clone())
                        .or_insert_with(spawn);
                }
                ServiceKind::CredentialBackend | ServiceKind::HttpRoutes => {}
            }
        }
        Ok(())
    }

    /// A plugin is not there any more. What it is owed stays on disk, for the day on which it is
    /// installed again.
    pub fn uninstalled(&self, id: &PluginId) {
        self.context.handlers.unsubscribe(id);
        let mut dispatchers = self.context.write();
        dispatchers.reports.remove(id);
        dispatchers.events.remove(id);
    }

    /// A generation is ready for work.
    pub fn active(&self, manifest: &Manifest, to_plugin: &mpsc::UnboundedSender<ToPlugin>) {
        let window = usize::try_from(manifest.window).unwrap_or(usize::MAX);
        let dispatchers = self.context.read();
        // Each dispatcher lives as long as its entry in the map.
        if let Some(reports) = dispatchers.reports.get(&manifest.id) {
            let _ = reports.send(ReportMessage::Active(to_plugin.clone(), window));
        }
        if let Some(events) = dispatchers.events.get(&manifest.id) {
            let _ = events.send(EventMessage::Active(to_plugin.clone(), window));
        }
        for service in &manifest.services {
            if service.kind == ServiceKind::Transport
                && let Some(outbox) = dispatchers.outboxes.get(service.name.as_str())
            {
                let active = OutboxMessage::Active(
                    manifest.id.clone(),
                    service.ranking,
                    to_plugin.clone(),
                    window,
                );
                let _ = outbox.send(active);
            }
        }
    }

    /// A generation is gone.
    pub fn away(&self, id: &PluginId) {
        let dispatchers = self.context.read();
        if let Some(reports) = dispatchers.reports.get(id) {
            let _ = reports.send(ReportMessage::Away);
        }
        if let Some(events) = dispatchers.events.get(id) {
            let _ = events.send(EventMessage::Away);
        }
        for outbox in dispatchers.outboxes.values() {
            let _ = outbox.send(OutboxMessage::Away(id.clone()));
        }
    }

    /// Hands out no more to a plugin; resolves when nothing is in its hands.
    pub fn drain(&self, id: &PluginId) -> BoxFuture<'static, ()> {
        let dispatchers = self.context.read();
        let mut waits: Vec<oneshot::Receiver<()>> = Vec::new();
        let mut wait = || {
            let (tell, told) = oneshot::channel();
            waits.push(told);
            tell
        };
        if let Some(reports) = dispatchers.reports.get(id) {
            let _ = reports.send(ReportMessage::Drain(wait()));
        }
        if let Some(events) = dispatchers.events.get(id) {
            let _ = events.send(EventMessage::Drain(wait()));
        }
        for outbox in dispatchers.outboxes.values() {
            let _ = outbox.send(OutboxMessage::Drain(id.clone(), wait()));
        }
        Box::pin(async move {
            // A dispatcher that has ended has nothing in hand.
            futures_util::future::join_all(waits).await;
        })
    }

    /// Keeps a request for a listener. When this returns it is on disk, and is handed out until
    /// it is dealt with.
    ///
    /// # Errors
    ///
    /// It cannot be kept: the mail server must be told so.
    pub async fn accept(
        &self,
        listener: &PluginId,
        route: &str,
        user: Option<String>,
        body: Bytes,
    ) -> Result<(), AcceptError> {
        let stored = reports::stored_report(route, user, body);
        let payload = pack(&stored)?;
        let accepted = self
            .context
            .queue
            .accept(listener.as_str(), EntryKind::Report, payload.clone())
            .await?;
        let entry = entry(accepted, EntryKind::Report, payload);
        if let Some(reports) = self.context.read().reports.get(listener) {
            let _ = reports.send(ReportMessage::Accepted(entry));
        }
        Ok(())
    }

    /// Keeps events for all handlers that want them. When this returns they are on disk.
    ///
    /// # Errors
    ///
    /// They cannot all be kept; those before the failure are.
    pub async fn publish(&self, events: Vec<Event>) -> Result<(), AcceptError> {
        for event in events {
            self.context.tap.passes(&event);
            let wanting = self.context.handlers.wanting(&event);
            if wanting.is_empty() {
                self.context.metrics.unwanted_events.inc();
                continue;
            }
            let payload = pack(&StoredEvent { event })?;
            for id in wanting {
                let accepted = self
                    .context
                    .queue
                    .accept(id.as_str(), EntryKind::Event, payload.clone())
                    .await?;
                if let Some(events) = self.context.read().events.get(&id) {
                    let entry = entry(accepted, EntryKind::Event, payload.clone());
                    let _ = events.send(EventMessage::Accepted(entry));
                }
            }
        }
        Ok(())
    }

    /// Hands an event to the handlers that run, and collects what they answer.
    pub async fn request(&self, event: &Event) -> Vec<Properties> {
        self.context.tap.passes(event);
        let (tell, mut told) = mpsc::unbounded_channel();
        for handler in self.context.handlers_of(event) {
            let item = EventItem {
                cause: Cause::Request(tell.clone()),
                event: event.clone(),
            };
            let _ = handler.send(EventMessage::Event(item));
        }
        drop(tell);
        let mut answers = Vec::new();
        while let Some(answer) = told.recv().await {
            answers.extend(answer);
        }
        answers
    }

    /// A listener answered reports.
    pub fn reports_done(&self, id: &PluginId, done: Vec<ReportDone>) {
        if let Some(reports) = self.context.read().reports.get(id) {
            let _ = reports.send(ReportMessage::Done(done));
        }
    }

    /// A plugin's event handlers answered events.
    pub fn events_done(&self, id: &PluginId, done: Vec<EventDone>) {
        if let Some(events) = self.context.read().events.get(id) {
            let _ = events.send(EventMessage::Done(done));
        }
    }

    /// A transport answered deliveries.
    pub fn deliveries_done(&self, manifest: &Manifest, done: Vec<DeliveryDone>) {
        let done: Arc<[DeliveryDone]> = done.into();
        let dispatchers = self.context.read();
        for service in &manifest.services {
            if service.kind == ServiceKind::Transport
                && let Some(outbox) = dispatchers.outboxes.get(service.name.as_str())
            {
                let _ = outbox.send(OutboxMessage::Done(done.clone()));
            }
        }
    }

    /// A provider's credential changed: what waits for it is tried at once.
    pub fn resume(&self, transport: &str) {
        if let Some(outbox) = self.context.read().outboxes.get(transport) {
            let _ = outbox.send(OutboxMessage::Resume);
        }
    }

    /// Dead rows wait again: dispatchers look at the disk anew.
    pub fn reload(&self) {
        for outbox in self.context.read().outboxes.values() {
            let _ = outbox.send(OutboxMessage::Reload);
        }
    }
}

fn entry(accepted: queue::Accepted, kind: EntryKind, payload: queue::Payload) -> InboxEntry {
    InboxEntry {
        id: accepted.id,
        kind,
        payload,
        accepted_at: accepted.at,
        attempts: 0,
        not_before: 0,
    }
}
