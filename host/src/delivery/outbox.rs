//! The dispatcher of one transport's outbox.
//!
//! A delivery is *waiting* (in the [`Feed`], on disk), then *in hand* (handed to the plugin, not
//! answered), then gone, dead, or *postponed* to a time. A device has one delivery in hand or
//! postponed at the most; its others wait behind it, so that the order for a device holds. Trouble
//! of the provider or of our credential pauses the whole transport: its deliveries stay where they
//! are, and cost nothing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use belfry_plugin_api::frame::{Delivery, DeliveryDone, Outcome, Scope, ToPlugin};
use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::user::User;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::Context;
use super::back_off::back_off_ms;
use super::fan_out::message_id;
use super::feed::Feed;
use super::hold_ups::HeldUp;
use super::queue::{Finish, QueueError};
use super::stored::{StoredDelivery, unpack};
use super::timers::{Timers, until};
use crate::clock::now_ms;
use crate::metrics::count;

/// Deliveries in memory that wait for their time or behind another one of their device. More wait
/// on disk.
const MAX_POSTPONED: usize = 16_384;

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;

/// A message for a device.
#[derive(Clone)]
pub(super) struct OutboxItem {
    pub(super) id: i64,
    pub(super) subscription: i64,
    pub(super) user: User,
    pub(super) message_id: Uuid,
    pub(super) stored: StoredDelivery,
    pub(super) expires_at: i64,
    pub(super) attempts: u32,
}

/// What a dispatcher is told.
pub(super) enum OutboxMessage {
    New(Vec<OutboxItem>),
    Active(PluginId, i32, mpsc::UnboundedSender<ToPlugin>, usize),
    Away(PluginId),
    Drain(PluginId, oneshot::Sender<()>),
    Done(Arc<[DeliveryDone]>),
    /// The credential or the provider may work again.
    Resume,
    /// Look at the disk again: the operator had dead deliveries retried.
    Reload,
}

struct Carrier {
    plugin: PluginId,
    ranking: i32,
    to_plugin: mpsc::UnboundedSender<ToPlugin>,
    window: usize,
}

pub(super) struct OutboxDispatcher {
    context: Arc<Context>,
    transport: Arc<str>,
    messages: mpsc::UnboundedReceiver<OutboxMessage>,
    feed: Feed<OutboxItem>,
    postponed: Timers<OutboxItem>,
    /// Devices with a delivery in hand or postponed, and what waits behind it.
    busy: HashMap<i64, VecDeque<OutboxItem>>,
    behind: usize,
    in_hand: BTreeMap<i64, InHand>,
    carriers: Vec<Carrier>,
    paused_until: Option<i64>,
    /// Postponed deliveries that wait for the end of a pause.
    held_back: Vec<i64>,
    /// Transport-wide troubles in a row.
    troubles: u32,
    /// Who waits until a plugin has nothing in hand.
    draining: Vec<(PluginId, oneshot::Sender<()>)>,
}

/// A delivery, and whose hands it is in.
struct InHand {
    item: OutboxItem,
    plugin: PluginId,
}

impl OutboxDispatcher {
    pub(super) fn spawn(
        context: Arc<Context>,
        transport: Arc<str>,
    ) -> mpsc::UnboundedSender<OutboxMessage> {
        let (sender, messages) = mpsc::unbounded_channel();
        let dispatcher = Self {
            context,
            transport,
            messages,
            feed: Feed::from_disk(),
            postponed: Timers::default(),
            busy: HashMap::new(),
            behind: 0,
            in_hand: BTreeMap::new(),
            carriers: Vec::new(),
            paused_until: None,
            held_back: Vec::new(),
            troubles: 0,
            draining: Vec::new(),
        };
        tokio::spawn(dispatcher.run());
        sender
    }

    async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                count = self.messages.recv_many(&mut batch, 1024) => {
                    if count == 0 {
                        return;
                    }
                    let mut done = Vec::new();
                    for message in batch.drain(..) {
                        match message {
                            OutboxMessage::Done(more) => done.extend(more.iter().cloned()),
                            other => self.message(other),
                        }
                    }
                    self.done(done).await;
                }
                () = until(wake_at) => {}
            }
            self.hand_out().await;
        }
    }

    /// When there is something to do, unless a message comes first.
    fn wake_at(&self) -> Option<i64> {
        let in_hand = self.in_hand.len();
        let has_room = self
            .carriers
            .first()
            .is_some_and(|carrier| in_hand < carrier.window);
        wake_at(has_room, self.paused_until, self.postponed.first())
    }

    fn message(&mut self, message: OutboxMessage) {
        match message {
            OutboxMessage::New(items) => {
                for item in items {
                    self.feed.committed(item.id, item);
                }
            }
            OutboxMessage::Active(plugin, ranking, to_plugin, window) => {
                self.carriers.retain(|carrier| carrier.plugin != plugin);
                self.carriers.push(Carrier {
                    plugin,
                    ranking,
                    to_plugin,
                    window,
                });
                self.carriers.sort_by_key(|carrier| -carrier.ranking);
                self.go_on();
            }
            OutboxMessage::Away(plugin) => {
                self.carriers.retain(|carrier| carrier.plugin != plugin);
                let its = self
                    .in_hand
                    .extract_if(.., |_, in_hand| in_hand.plugin == plugin);
                for (id, InHand { item, .. }) in its {
                    self.postponed.set(0, id, item);
                }
            }
            OutboxMessage::Drain(plugin, tell) => {
                self.carriers.retain(|carrier| carrier.plugin != plugin);
                self.draining.push((plugin, tell));
            }
            OutboxMessage::Resume => {
                self.go_on();
                self.troubles = 0;
            }
            OutboxMessage::Reload => {
                self.feed = Feed::from_disk();
            }
            OutboxMessage::Done(_) => {}
        }
        self.tell_drained();
    }

    fn tell_drained(&mut self) {
        let in_hand = &self.in_hand;
        let has_none = |plugin: &PluginId| in_hand.values().all(|other| other.plugin != *plugin);
        for (_, tell) in self.draining.extract_if(.., |(plugin, _)| has_none(plugin)) {
            // Whoever waited may have lost patience.
            let _ = tell.send(());
        }
    }

    async fn hand_out(&mut self) {
        let Some(carrier) = self.carriers.first() else {
            return;
        };
        let (to_plugin, window) = (carrier.to_plugin.clone(), carrier.window);
        let plugin = carrier.plugin.clone();
        let now = now_ms();
        if let Some(until) = self.paused_until {
            if until > now {
                return;
            }
            self.paused_until = None;
            self.held_back.clear();
        }
        let mut deliveries = Vec::new();
        let mut dropped = Vec::new();
        let room = |this: &Self| window.saturating_sub(this.in_hand.len());
        if room(self) > 0 {
            for (id, item) in self.postponed.take_due() {
                if room(self) > 0 {
                    self.take(item, &plugin, &mut deliveries, &mut dropped)
                        .await;
                } else {
                    // It keeps its place: due since long.
                    self.postponed.set(0, id, item);
                }
            }
        }
        while room(self) > 0 && self.behind + self.postponed.len() < MAX_POSTPONED {
            if let Some(after) = self.feed.wants_page_after()
                && !self.load(after, now).await
            {
                break;
            }
            let Some((_, item)) = self.feed.pop() else {
                if self.feed.is_empty() {
                    break;
                } else {
                    continue;
                }
            };
            match self.busy.get_mut(&item.subscription) {
                Some(behind) => {
                    behind.push_back(item);
                    self.behind += 1;
                }
                None => {
                    self.busy.insert(item.subscription, VecDeque::new());
                    self.take(item, &plugin, &mut deliveries, &mut dropped)
                        .await;
                }
            }
        }
        if !deliveries.is_empty() {
            // A link that has broken meanwhile says so by Away, which takes them back.
            let _ = to_plugin.send(ToPlugin::Deliveries(deliveries));
        }
        if !dropped.is_empty() {
            self.finish(dropped).await;
        }
    }

    /// Takes a delivery in hand, whose device is marked busy; or drops it and those behind it that
    /// are of no use any more.
    async fn take(
        &mut self,
        item: OutboxItem,
        plugin: &PluginId,
        deliveries: &mut Vec<Delivery>,
        dropped: &mut Vec<(i64, Finish)>,
    ) {
        let mut next = Some(item);
        while let Some(item) = next {
            if self.is_of_use(&item).await {
                deliveries.push(Delivery {
                    id: item.id,
                    transport: self.transport.to_string(),
                    user: item.user,
                    token: item.stored.token.clone(),
                    app: item.stored.app.clone(),
                    message_id: item.message_id,
                    payload: item.stored.payload.clone(),
                    collapse_key: item.stored.collapse_key.clone(),
                    expires_at_s: item.expires_at / 1_000,
                    attempts: item.attempts,
                });
                let plugin = plugin.clone();
                self.in_hand.insert(item.id, InHand { item, plugin });
                return;
            }
            dropped.push((item.id, Finish::Dropped));
            next = self.next_of(item.subscription);
        }
    }

    /// Whether a delivery is in time, and its device still the user's: a mail must not reach a
    /// device that was unsubscribed, or is somebody else's by now.
    async fn is_of_use(&self, item: &OutboxItem) -> bool {
        if item.expires_at <= now_ms() {
            count(&self.context.metrics.expired, "transport", &self.transport);
            return false;
        }
        let recipients = &self.context.recipients;
        match recipients.has_device(item.user, item.subscription).await {
            Ok(has_device) => has_device,
            // The database is away, and what it said last is not known any more: the mail was
            // accepted for this device.
            Err(reason) => {
                tracing::debug!(transport = %self.transport, reason, "a device could not be looked up");
                true
            }
        }
    }

    /// The next delivery for a device that is free again.
    fn next_of(&mut self, subscription: i64) -> Option<OutboxItem> {
        let next = self
            .busy
            .get_mut(&subscription)
            .and_then(VecDeque::pop_front);
        match next {
            Some(_) => self.behind -= 1,
            None => drop(self.busy.remove(&subscription)),
        }
        next
    }

    /// Loads a page; false where the disk cannot be read now.
    async fn load(&mut self, after: i64, now: i64) -> bool {
        let page = self
            .context
            .queue
            .load_outbox(self.transport.clone(), after, PAGE_ROWS, now)
            .await;
        match page {
            Ok(page) => {
                let mut rows = Vec::new();
                for row in page.ready {
                    if self.is_known(row.id, row.subscription) {
                        continue;
                    }
                    let stored: StoredDelivery = match unpack(&row.payload) {
                        Ok(stored) => stored,
                        Err(error) => {
                            let reason = format!("the outbox row cannot be read: {error}");
                            self.finish(vec![(row.id, Finish::Dead { reason })]).await;
                            continue;
                        }
                    };
                    let number = |value: i64| u32::try_from(value).unwrap_or(0);
                    let item = OutboxItem {
                        id: row.id,
                        subscription: row.subscription,
                        user: User {
                            context: number(row.user_context),
                            id: number(row.user_id),
                        },
                        message_id: message_id(&row.message_key, stored.token.expose()),
                        stored,
                        expires_at: row.expires_at,
                        attempts: row.attempts,
                    };
                    rows.push((row.id, item));
                }
                // What is due later is loaded when it is due.
                if let Some(first) = page.later.iter().map(|later| later.not_before).min() {
                    self.reload_at(first);
                }
                self.feed.page(after, rows, page.next);
                true
            }
            Err(error) => {
                tracing::error!(transport = %self.transport, %error, "the outbox cannot be read");
                self.postponed.wake_at(now_ms() + 1_000);
                false
            }
        }
    }

    fn is_known(&self, id: i64, subscription: i64) -> bool {
        self.in_hand.contains_key(&id)
            || self.postponed.contains(id)
            || self
                .busy
                .get(&subscription)
                .is_some_and(|behind| behind.iter().any(|item| item.id == id))
    }

    fn reload_at(&mut self, at: i64) {
        let myself = self.context.outbox_of(&self.transport);
        let wait = u64::try_from(at - now_ms()).unwrap_or(0);
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            // The dispatcher may have ended with the host.
            let _ = myself.send(OutboxMessage::Reload);
        });
    }

    /// Acts on what the transport answered.
    async fn done(&mut self, done: Vec<DeliveryDone>) {
        let now = now_ms();
        let mut finished = Vec::new();
        for DeliveryDone { id, outcome } in done {
            // What is not in hand belongs to another transport of the plugin, or was taken back.
            let Some(InHand { mut item, .. }) = self.in_hand.remove(&id) else {
                continue;
            };
            let transport = &*self.transport;
            let subscription = item.subscription;
            let is_free = match outcome {
                Outcome::Delivered => {
                    count(&self.context.metrics.delivered, "transport", transport);
                    self.troubles = 0;
                    finished.push((id, Finish::Delivered));
                    true
                }
                Outcome::Refused { reason } => {
                    count(&self.context.metrics.refused, "transport", transport);
                    tracing::error!(transport, user = %item.user, delivery = id, reason, "a delivery is left to the operator: see `belfryctl delivery list`");
                    finished.push((id, Finish::Dead { reason }));
                    true
                }
                Outcome::TokenDead { since_ms, reason } => {
                    count(&self.context.metrics.dead_tokens, "transport", transport);
                    tracing::info!(transport, user = %item.user, subscription, reason, "the provider calls a device's token dead");
                    finished.push((id, Finish::Dropped));
                    self.forget_device(subscription, since_ms).await;
                    true
                }
                Outcome::Retry {
                    after_ms,
                    scope,
                    reason,
                } => {
                    count(&self.context.metrics.retried, "transport", transport);
                    item.attempts += 1;
                    let after = after_ms.and_then(|ms| i64::try_from(ms).ok());
                    let not_before = now
                        + after.unwrap_or_else(|| match scope {
                            Scope::Device => back_off_ms(item.attempts),
                            Scope::Transport => back_off_ms(self.troubles),
                        });
                    if scope == Scope::Transport {
                        self.pause(not_before, &reason);
                        self.held_back.push(id);
                    }
                    let attempts = item.attempts;
                    finished.push((
                        id,
                        Finish::Retry {
                            not_before,
                            attempts,
                            reason: Some(reason),
                        },
                    ));
                    self.postponed.set(not_before, id, item);
                    false
                }
            };
            if is_free && let Some(next) = self.next_of(subscription) {
                self.postponed.set(0, next.id, next);
            }
        }
        if !finished.is_empty() {
            self.finish(finished).await;
        }
        self.tell_drained();
    }

    fn pause(&mut self, until: i64, reason: &str) {
        if self.paused_until.is_none_or(|before| before < until) {
            if self.paused_until.is_none() {
                self.troubles += 1;
                tracing::error!(transport = %self.transport, reason, for_ms = until - now_ms(), "the transport pauses; its deliveries wait");
            }
            self.paused_until = Some(until);
            let who = HeldUp::Transport(self.transport.clone());
            self.context.hold_ups.begin(who, until, reason);
        }
    }

    fn go_on(&mut self) {
        self.paused_until = None;
        for id in self.held_back.drain(..) {
            self.postponed.hasten(id);
        }
        self.context
            .hold_ups
            .end(&HeldUp::Transport(self.transport.clone()));
    }

    async fn forget_device(&mut self, subscription: i64, since_ms: Option<i64>) {
        match self
            .context
            .recipients
            .token_dead(subscription, since_ms)
            .await
        {
            Ok(true) => {
                if let Err(error) = self
                    .context
                    .queue
                    .delete_for_subscription(subscription)
                    .await
                {
                    tracing::error!(transport = %self.transport, %error, "deliveries for a dead token stay until they expire");
                }
                if let Some(behind) = self.busy.get_mut(&subscription) {
                    self.behind -= behind.len();
                    behind.clear();
                }
            }
            // It subscribed again after the provider's time: the token lives.
            Ok(false) => {}
            Err(reason) => {
                tracing::error!(transport = %self.transport, reason, "a dead token stays until it is tried again")
            }
        }
    }

    async fn finish(&self, finished: Vec<(i64, Finish)>) {
        match self.context.queue.finish(finished).await {
            Ok(_) | Err(QueueError::Closed) => {}
            // They are tried again by the host's next start, under the same message id.
            Err(error) => {
                tracing::error!(transport = %self.transport, %error, "finished deliveries could not be noted")
            }
        }
    }
}

/// While nobody carries, or has his hands full, what is due cannot be handed out: only a message
/// changes that. While the transport pauses, only the end of the pause does.
fn wake_at(has_room: bool, paused_until: Option<i64>, first_due: Option<i64>) -> Option<i64> {
    if has_room {
        paused_until.or(first_due)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_wakes_nobody_who_could_not_hand_it_out() {
        assert_eq!(wake_at(false, None, Some(0)), None);
        assert_eq!(wake_at(false, Some(9), Some(0)), None);
        assert_eq!(wake_at(true, Some(9), Some(0)), Some(9));
        assert_eq!(wake_at(true, None, Some(5)), Some(5));
        assert_eq!(wake_at(true, None, None), None);
    }
}
