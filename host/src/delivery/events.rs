//! The dispatcher of one plugin's event handlers.
//!
//! Events reach it in three ways, told apart by their [`Cause`]. An event of a report is not on
//! disk: its report's row is, until the transaction that creates the deliveries closes it. While
//! the handler is slow or away such events are *parked*: they become rows of their own, and the
//! reports' rows are closed, so that nobody else waits. A handler that leaves events unanswered
//! for [`DENY_AFTER_MS`] is deny-listed: it gets nothing until it is started again or the back-off
//! is over. Parked events are handed out before new ones, so that the order for a user holds.

mod rows;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use belfry_plugin_api::event::{Event, Properties};
use belfry_plugin_api::frame::{EventDelivery, EventDone, Message, ToPlugin};
use belfry_plugin_api::manifest::PluginId;
use tokio::sync::{mpsc, oneshot};

use super::Context;
use super::fan_out::{Fanned, fan_out};
use super::feed::Feed;
use super::hold_ups::HeldUp;
use super::queue::{CompleteInbox, EntryKind, InboxEntry};
use super::reports::Open;
use super::stored::{StoredEvent, unpack};
use super::suspects::Suspects;
use super::timers::Timers;
use crate::clock::now_ms;
use crate::metrics::count;

/// Events are parked when the oldest one in hand is unanswered for so long, in milliseconds.
const PARK_AFTER_MS: i64 = 2_000;

/// A handler is deny-listed when the oldest event in hand is unanswered for so long, in
/// milliseconds.
const DENY_AFTER_MS: i64 = 10_000;

/// A deny-listed handler is tried again after so long, in milliseconds.
const READMIT_AFTER_MS: i64 = 60_000;

/// How often an event that a handler fails at is tried before it is left to the operator.
const MAX_ATTEMPTS: u32 = 6;

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;

/// Where an event comes from, and so who hears that it is dealt with.
#[derive(Clone)]
pub(super) enum Cause {
    /// A report, whose row is closed when all handlers are done.
    Report(Arc<Open>),
    /// A row of its own, tried so often before.
    Row(i64, u32),
    /// A publisher that waits for the answer.
    Request(mpsc::UnboundedSender<Option<Properties>>),
}

/// An event for the handler.
pub(super) struct EventItem {
    pub(super) cause: Cause,
    pub(super) event: Event,
}

/// What a dispatcher is told.
pub(super) enum EventMessage {
    Event(EventItem),
    Accepted(InboxEntry),
    /// The operator has a dead one tried again.
    Again(InboxEntry),
    Active(mpsc::UnboundedSender<ToPlugin>, usize),
    Away,
    Drain(oneshot::Sender<()>),
    Done(Vec<EventDone>),
}

struct InHand {
    item: EventItem,
    since: i64,
    /// How often the plugin died with it alone in hand.
    deaths: u32,
}

pub(super) struct EventDispatcher {
    context: Arc<Context>,
    plugin: PluginId,
    messages: mpsc::UnboundedReceiver<EventMessage>,
    /// Rows that wait: parked events, and those that were published to be kept.
    feed: Feed<InboxEntry>,
    timers: Timers<InboxEntry>,
    /// Events of reports and requests that wait, behind the feed.
    waiting: VecDeque<EventItem>,
    in_hand: BTreeMap<u64, InHand>,
    suspects: Suspects<EventItem>,
    /// What killed the plugin again and again.
    blamed: Option<EventItem>,
    next: u64,
    to_plugin: Option<mpsc::UnboundedSender<ToPlugin>>,
    window: usize,
    /// Since when nothing runs that could take events.
    away_since: Option<i64>,
    denied_until: Option<i64>,
    drained: Option<oneshot::Sender<()>>,
}

impl EventDispatcher {
    pub(super) fn spawn(
        context: Arc<Context>,
        plugin: PluginId,
    ) -> mpsc::UnboundedSender<EventMessage> {
        let (sender, messages) = mpsc::unbounded_channel();
        let dispatcher = Self {
            context,
            plugin,
            messages,
            feed: Feed::from_disk(),
            timers: Timers::default(),
            waiting: VecDeque::new(),
            in_hand: BTreeMap::new(),
            suspects: Suspects::default(),
            blamed: None,
            next: 1,
            to_plugin: None,
            window: 0,
            away_since: Some(now_ms()),
            denied_until: None,
            drained: None,
        };
        tokio::spawn(dispatcher.run());
        sender
    }

    async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                count = self.messages.recv_many(&mut batch, 1024) => {
                    if count == 0 {
                        self.park_all().await;
                        return;
                    }
                    let mut done = Vec::new();
                    for message in batch.drain(..) {
                        match message {
                            EventMessage::Done(more) => done.extend(more),
                            other => self.message(other),
                        }
                    }
                    self.done(done).await;
                }
                () = self.timers.due() => {
                    for (id, entry) in self.timers.take_due() {
                        self.feed.put_back(id, entry);
                    }
                }
            }
            self.look_after_time().await;
            self.hand_out().await;
        }
    }

    fn message(&mut self, message: EventMessage) {
        match message {
            EventMessage::Event(item) => self.waiting.push_back(item),
            EventMessage::Accepted(entry) => self.feed.committed(entry.id, entry),
            EventMessage::Again(entry) => {
                if !self.has_in_hand(entry.id) && !self.timers.contains(entry.id) {
                    self.feed.revived(entry.id, entry);
                }
            }
            EventMessage::Active(to_plugin, window) => {
                self.to_plugin = Some(to_plugin);
                self.window = window;
                self.away_since = None;
                self.readmit();
                self.drained = None;
            }
            EventMessage::Away => {
                self.to_plugin = None;
                self.away_since.get_or_insert_with(now_ms);
                let in_hand = std::mem::take(&mut self.in_hand).into_values();
                let in_hand = in_hand.map(|InHand { item, deaths, .. }| (item, deaths));
                if let Some(blamed) = self.suspects.died_with(in_hand.collect()) {
                    self.blamed = Some(blamed);
                }
            }
            EventMessage::Drain(tell) => {
                self.to_plugin = None;
                self.away_since.get_or_insert_with(now_ms);
                self.drained = Some(tell);
            }
            EventMessage::Done(_) => {}
        }
        if self.in_hand.is_empty()
            && let Some(tell) = self.drained.take()
        {
            // Whoever waited may have lost patience.
            let _ = tell.send(());
        }
    }

    /// Puts what is in hand back in front of what waits, in its order.
    fn take_back(&mut self) {
        for (_, InHand { item, .. }) in std::mem::take(&mut self.in_hand).into_iter().rev() {
            self.waiting.push_front(item);
        }
    }

    fn readmit(&mut self) {
        self.denied_until = None;
        let who = HeldUp::EventHandlers(self.plugin.clone());
        self.context.hold_ups.end(&who);
    }

    /// Parks, denies and readmits.
    async fn look_after_time(&mut self) {
        if let Some(item) = self.blamed.take() {
            let reason = "the plugin died each time that it had this event in hand";
            self.failed(item, &belfry_plugin_api::Error::permanent(reason))
                .await;
        }
        let now = now_ms();
        if self.denied_until.is_some_and(|until| until <= now) {
            tracing::info!(plugin = %self.plugin, "the deny-listed handler is tried again");
            self.readmit();
        }
        let oldest = self.in_hand.values().next().map(|in_hand| in_hand.since);
        if oldest.is_some_and(|since| now - since >= DENY_AFTER_MS) {
            count(
                &self.context.metrics.denied_handlers,
                "plugin",
                self.plugin.as_str(),
            );
            tracing::error!(plugin = %self.plugin, unanswered = self.in_hand.len(), after_ms = DENY_AFTER_MS,
                again_in_ms = READMIT_AFTER_MS, "the event handler is deny-listed: it leaves events unanswered; what it is owed waits on disk");
            let until = now + READMIT_AFTER_MS;
            self.denied_until = Some(until);
            let reason = format!("it left events unanswered for {} s", DENY_AFTER_MS / 1_000);
            self.context
                .hold_ups
                .begin(HeldUp::EventHandlers(self.plugin.clone()), until, &reason);
            self.take_back();
        }
        let is_slow = oldest.is_some_and(|since| now - since >= PARK_AFTER_MS);
        let is_away = self
            .away_since
            .is_some_and(|since| now - since >= PARK_AFTER_MS);
        if is_slow || is_away || self.denied_until.is_some() {
            self.park_all().await;
        }
        if let Some(until) = self.denied_until {
            self.timers.wake_at(until);
        }
        if let Some(since) = self.in_hand.values().next().map(|in_hand| in_hand.since) {
            let at = if is_slow {
                DENY_AFTER_MS
            } else {
                PARK_AFTER_MS
            };
            self.timers.wake_at(since + at);
        }
        if !self.waiting.is_empty()
            && let Some(since) = self.away_since
        {
            self.timers.wake_at((since + PARK_AFTER_MS).max(now + 100));
        }
    }

    async fn hand_out(&mut self) {
        let Some(to_plugin) = self.to_plugin.clone() else {
            return;
        };
        if self.denied_until.is_some() {
            return;
        }
        if !self.suspects.is_empty() {
            if self.in_hand.is_empty()
                && let Some((item, deaths)) = self.suspects.pop()
            {
                let event = self.take_in_hand(item, deaths);
                self.give(&to_plugin, vec![event]);
            }
            return;
        }
        let mut events = Vec::new();
        while self.in_hand.len() < self.window {
            if let Some(after) = self.feed.wants_page_after()
                && !self.load(after).await
            {
                break;
            }
            let item = match self.feed.pop() {
                Some((id, entry)) => match unpack::<StoredEvent>(&entry.payload) {
                    Ok(StoredEvent { event }) => EventItem {
                        cause: Cause::Row(id, entry.attempts),
                        event,
                    },
                    Err(error) => {
                        self.leave(id, format!("the inbox row cannot be read: {error}"))
                            .await;
                        continue;
                    }
                },
                // What is on disk comes first; what is due later does not hold up the rest.
                None if self.feed.is_empty() => match self.waiting.pop_front() {
                    Some(item) => item,
                    None => break,
                },
                None => continue,
            };
            events.push(self.take_in_hand(item, 0));
        }
        if !events.is_empty() {
            self.give(&to_plugin, events);
        }
    }

    fn take_in_hand(&mut self, item: EventItem, deaths: u32) -> EventDelivery {
        let id = self.next;
        self.next += 1;
        count(&self.context.metrics.events, "plugin", self.plugin.as_str());
        let event = item.event.clone();
        let since = now_ms();
        self.in_hand.insert(
            id,
            InHand {
                item,
                since,
                deaths,
            },
        );
        EventDelivery { id, event }
    }

    fn give(&mut self, to_plugin: &mpsc::UnboundedSender<ToPlugin>, events: Vec<EventDelivery>) {
        self.timers.wake_at(now_ms() + PARK_AFTER_MS);
        // A link that has broken meanwhile says so by Away, which takes them back.
        let _ = to_plugin.send(ToPlugin::Events(events));
    }

    fn has_in_hand(&self, row: i64) -> bool {
        let in_hand = self.in_hand.values().map(|in_hand| &in_hand.item);
        let mut causes = in_hand.chain(self.suspects.iter()).map(|item| &item.cause);
        causes.any(|cause| matches!(cause, Cause::Row(id, _) if *id == row))
    }

    /// Loads a page; false where the disk cannot be read now.
    async fn load(&mut self, after: i64) -> bool {
        match self
            .context
            .queue
            .load_inbox(self.plugin.as_str(), after, PAGE_ROWS)
            .await
        {
            Ok(page) => {
                let now = now_ms();
                let mut rows = Vec::new();
                for entry in page.entries {
                    let is_known = self.timers.contains(entry.id) || self.has_in_hand(entry.id);
                    if entry.kind != EntryKind::Event || is_known {
                        continue;
                    }
                    if entry.not_before > now {
                        self.timers.set(entry.not_before, entry.id, entry);
                    } else {
                        rows.push((entry.id, entry));
                    }
                }
                self.feed.page(after, rows, page.next);
                true
            }
            Err(error) => {
                tracing::error!(plugin = %self.plugin, %error, "the inbox cannot be read");
                self.timers.wake_at(now_ms() + 1_000);
                false
            }
        }
    }

    /// Turns what handlers answered into deliveries, and closes what is dealt with, in one
    /// transaction.
    async fn done(&mut self, done: Vec<EventDone>) {
        let mut what = CompleteInbox::default();
        let mut opens = Vec::new();
        let mut fanned = Vec::new();
        for EventDone { id, result } in done {
            // What is not in hand was taken back; whoever has it now answers for it.
            let Some(InHand { item, .. }) = self.in_hand.remove(&id) else {
                continue;
            };
            let handled = match result {
                Ok(handled) => handled,
                Err(error) => {
                    self.failed(item, &error).await;
                    continue;
                }
            };
            match self.fan_out_all(handled.messages).await {
                Ok(more) => fanned.extend(more),
                Err(reason) => {
                    self.failed(item, &belfry_plugin_api::Error::temporary(reason))
                        .await;
                    continue;
                }
            }
            match item.cause {
                Cause::Report(open) => {
                    if let Some(id) = open.done() {
                        what.close.push(id);
                        opens.push(open);
                    }
                }
                Cause::Row(id, _) => what.close.push(id),
                Cause::Request(answer) => drop(answer.send(handled.answer)),
            }
        }
        if !what.close.is_empty() || !fanned.is_empty() {
            what.messages = fanned.iter().map(Fanned::row).collect();
            if let Some(completed) = self.complete(what).await {
                self.context.fanned(fanned, completed.messages);
                for open in opens {
                    open.closed();
                }
            }
        }
        if self.in_hand.is_empty()
            && let Some(tell) = self.drained.take()
        {
            let _ = tell.send(());
        }
    }

    async fn fan_out_all(&self, messages: Vec<Message>) -> Result<Vec<Fanned>, String> {
        let mut fanned = Vec::new();
        for message in messages {
            fanned.extend(fan_out(&*self.context.recipients, message).await?);
        }
        Ok(fanned)
    }
}
