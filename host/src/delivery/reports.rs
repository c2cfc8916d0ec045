//! The dispatcher of one listener's inbox.
//!
//! A report is *waiting* (in the [`Feed`], on disk), then *in hand* (handed to the plugin, not
//! answered), then *open* (its events are with handlers), then closed by the transaction that
//! creates its deliveries. A report that is in hand or open when the host dies is handed out again
//! by the next one; one that is in hand when the plugin dies goes to its next generation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use belfry_plugin_api::event::Event;
use belfry_plugin_api::frame::{Report, ReportDone, ToPlugin};
use belfry_plugin_api::manifest::PluginId;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::Context;
use super::back_off::back_off_ms;
use super::events::{Cause, EventItem, EventMessage};
use super::feed::Feed;
use super::queue::{CompleteInbox, EntryKind, InboxEntry, InboxFailure};
use super::stored::{StoredReport, unpack};
use super::suspects::Suspects;
use super::timers::Timers;
use crate::clock::now_ms;

/// How often a report that fails is tried before it is left to the operator.
const MAX_ATTEMPTS: u32 = 6;

/// Reports that wait in memory for their user to be looked up, or for their next try. More wait on
/// disk.
const MAX_POSTPONED: usize = 4_096;

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;

/// A report whose events are with handlers.
pub(super) struct Open {
    id: i64,
    handlers: AtomicUsize,
    dispatcher: mpsc::UnboundedSender<ReportMessage>,
}

impl Open {
    /// One handler is done with one event. The row to close, when it was the last one: close it
    /// in the same transaction, and say so by [`Open::closed`].
    pub(super) fn done(&self) -> Option<i64> {
        (self.handlers.fetch_sub(1, Ordering::AcqRel) == 1).then_some(self.id)
    }

    /// The row is closed.
    pub(super) fn closed(&self) {
        // The dispatcher is gone with its plugin; then nobody counts any more.
        let _ = self.dispatcher.send(ReportMessage::Closed);
    }
}

/// What a dispatcher is told.
pub(super) enum ReportMessage {
    Accepted(InboxEntry),
    /// The operator has a dead one tried again.
    Again(InboxEntry),
    Active(mpsc::UnboundedSender<ToPlugin>, usize),
    Away,
    Drain(oneshot::Sender<()>),
    Done(Vec<ReportDone>),
    Closed,
}

struct InHand {
    entry: InboxEntry,
    /// How often the plugin died with it alone in hand.
    deaths: u32,
}

pub(super) struct ReportDispatcher {
    context: Arc<Context>,
    plugin: PluginId,
    messages: mpsc::UnboundedReceiver<ReportMessage>,
    myself: mpsc::WeakUnboundedSender<ReportMessage>,
    feed: Feed<InboxEntry>,
    timers: Timers<InboxEntry>,
    to_plugin: Option<mpsc::UnboundedSender<ToPlugin>>,
    window: usize,
    in_hand: BTreeMap<i64, InHand>,
    suspects: Suspects<InboxEntry>,
    /// What killed the plugin again and again.
    blamed: Option<InboxEntry>,
    open: usize,
    drained: Option<oneshot::Sender<()>>,
}

impl ReportDispatcher {
    pub(super) fn spawn(
        context: Arc<Context>,
        plugin: PluginId,
    ) -> mpsc::UnboundedSender<ReportMessage> {
        let (sender, messages) = mpsc::unbounded_channel();
        let dispatcher = Self {
            context,
            plugin,
            messages,
            myself: sender.downgrade(),
            feed: Feed::from_disk(),
            timers: Timers::default(),
            to_plugin: None,
            window: 0,
            in_hand: BTreeMap::new(),
            suspects: Suspects::default(),
            blamed: None,
            open: 0,
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
                        return;
                    }
                    let mut done = Vec::new();
                    for message in batch.drain(..) {
                        match message {
                            ReportMessage::Done(more) => done.extend(more),
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
            self.hand_out().await;
        }
    }

    fn message(&mut self, message: ReportMessage) {
        match message {
            ReportMessage::Accepted(entry) => self.feed.committed(entry.id, entry),
            ReportMessage::Again(entry) => {
                if !self.is_known(entry.id) {
                    self.feed.revived(entry.id, entry);
                }
            }
            ReportMessage::Active(to_plugin, window) => {
                self.to_plugin = Some(to_plugin);
                self.window = window;
                self.drained = None;
            }
            ReportMessage::Away => {
                self.to_plugin = None;
                let in_hand = std::mem::take(&mut self.in_hand).into_values();
                let in_hand = in_hand.map(|InHand { entry, deaths }| (entry, deaths));
                if let Some(blamed) = self.suspects.died_with(in_hand.collect()) {
                    self.blamed = Some(blamed);
                }
            }
            ReportMessage::Drain(tell) => {
                self.to_plugin = None;
                self.drained = Some(tell);
            }
            ReportMessage::Closed => self.open = self.open.saturating_sub(1),
            ReportMessage::Done(_) => {}
        }
        if self.in_hand.is_empty()
            && let Some(tell) = self.drained.take()
        {
            // Whoever waited may have lost patience.
            let _ = tell.send(());
        }
    }

    /// Hands out what waits, as far as the window allows.
    async fn hand_out(&mut self) {
        if let Some(entry) = self.blamed.take() {
            let reason = "the plugin died each time that it had this report in hand";
            self.give_up(entry.id, reason.to_owned()).await;
        }
        while self.to_plugin.is_some() && self.in_hand.len() + self.open < self.window {
            if let Some(after) = self.feed.wants_page_after() {
                match self.load(after).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(()) => return,
                }
            }
            let room = match (self.suspects.is_empty(), self.in_hand.is_empty()) {
                (true, _) => self.window - self.in_hand.len() - self.open,
                (false, true) => 1,
                (false, false) => return,
            };
            let mut reports = Vec::new();
            let mut nobodys = Vec::new();
            while reports.len() < room {
                let suspect = self.suspects.pop();
                let next = suspect.or_else(|| self.feed.pop().map(|(_, entry)| (entry, 0)));
                let Some((entry, deaths)) = next else {
                    break;
                };
                let id = entry.id;
                match self.prepare(&entry).await {
                    Prepared::Report(report) => {
                        reports.push(report);
                        self.in_hand.insert(id, InHand { entry, deaths });
                    }
                    Prepared::Nobodys => nobodys.push(id),
                    Prepared::Later(_) if self.timers.len() >= MAX_POSTPONED => {
                        self.feed.put_back(id, entry);
                        self.timers.wake_at(now_ms() + 1_000);
                        break;
                    }
                    Prepared::Later(reason) => {
                        tracing::warn!(plugin = %self.plugin, reason, "a report waits");
                        self.timers.set(now_ms() + 1_000, id, entry);
                    }
                    Prepared::Unreadable(reason) => self.give_up(id, reason).await,
                }
            }
            if !nobodys.is_empty() {
                self.context
                    .metrics
                    .unregistered
                    .inc_by(nobodys.len() as u64);
                self.close(nobodys).await;
            }
            match &self.to_plugin {
                // A link that has broken meanwhile says so by Away, which takes them back.
                Some(to_plugin) if !reports.is_empty() => {
                    drop(to_plugin.send(ToPlugin::Reports(reports)))
                }
                _ => return,
            }
        }
    }

    fn is_known(&self, id: i64) -> bool {
        self.in_hand.contains_key(&id)
            || self.timers.contains(id)
            || self.suspects.iter().any(|entry| entry.id == id)
    }

    /// Loads a page. Whether it brought anything.
    async fn load(&mut self, after: i64) -> Result<bool, ()> {
        match self
            .context
            .queue
            .load_inbox(self.plugin.as_str(), after, PAGE_ROWS)
            .await
        {
            Ok(page) => {
                let now = now_ms();
                let mut rows = Vec::new();
                let mut brought = page.next.is_some();
                for entry in page.entries {
                    if entry.kind != EntryKind::Report {
                        continue;
                    }
                    if self.is_known(entry.id) {
                        continue;
                    }
                    brought = true;
                    if entry.not_before > now {
                        self.timers.set(entry.not_before, entry.id, entry);
                    } else {
                        rows.push((entry.id, entry));
                    }
                }
                self.feed.page(after, rows, page.next);
                Ok(brought)
            }
            Err(error) => {
                tracing::error!(plugin = %self.plugin, %error, "the inbox cannot be read");
                self.timers.wake_at(now_ms() + 1_000);
                Err(())
            }
        }
    }

    async fn prepare(&self, entry: &InboxEntry) -> Prepared {
        let stored: StoredReport = match unpack(&entry.payload) {
            Ok(stored) => stored,
            Err(error) => {
                return Prepared::Unreadable(format!("the inbox row cannot be read: {error}"));
            }
        };
        let user = match &stored.user {
            Some(name) => match self.context.recipients.registered(name).await {
                Ok(Some(user)) => Some(user),
                Ok(None) => return Prepared::Nobodys,
                Err(reason) => return Prepared::Later(reason),
            },
            None => None,
        };
        Prepared::Report(Report {
            id: entry.id,
            route: stored.route,
            user,
            body: stored.body,
            received_at_ms: Some(entry.accepted_at),
        })
    }

    /// Passes the events of answered reports on to their handlers.
    async fn done(&mut self, done: Vec<ReportDone>) {
        let mut close = Vec::new();
        for ReportDone { id, result } in done {
            // What is not in hand was answered by a generation that is gone, and goes again.
            let Some(InHand { entry, .. }) = self.in_hand.remove(&id) else {
                continue;
            };
            match result {
                Ok(events) => {
                    if !self.pass_on(id, events) {
                        close.push(id);
                    }
                }
                Err(error) => self.failed(entry, &error).await,
            }
        }
        if !close.is_empty() {
            self.close(close).await;
        }
        if self.in_hand.is_empty()
            && let Some(tell) = self.drained.take()
        {
            let _ = tell.send(());
        }
    }

    /// Whether anybody wants the events.
    fn pass_on(&mut self, id: i64, events: Vec<Event>) -> bool {
        let mut wanted: Vec<(Vec<mpsc::UnboundedSender<EventMessage>>, Event)> = Vec::new();
        for event in events {
            self.context.tap.passes(&event);
            let handlers = self.context.handlers_of(&event);
            if handlers.is_empty() {
                self.context.metrics.unwanted_events.inc();
            } else {
                wanted.push((handlers, event));
            }
        }
        let count: usize = wanted.iter().map(|(handlers, _)| handlers.len()).sum();
        let (true, Some(dispatcher)) = (count > 0, self.myself.upgrade()) else {
            return false;
        };
        let open = Arc::new(Open {
            id,
            handlers: AtomicUsize::new(count),
            dispatcher,
        });
        self.open += 1;
        for (handlers, event) in wanted {
            for handler in handlers {
                let item = EventItem {
                    cause: Cause::Report(open.clone()),
                    event: event.clone(),
                };
                // A dispatcher that has ended meanwhile leaves the row open: the host's next
                // start hands it out again.
                let _ = handler.send(EventMessage::Event(item));
            }
        }
        true
    }

    async fn failed(&mut self, mut entry: InboxEntry, error: &belfry_plugin_api::Error) {
        entry.attempts += 1;
        if error.is_permanent() || entry.attempts >= MAX_ATTEMPTS {
            self.context.metrics.failed_reports.inc();
            self.give_up(entry.id, error.to_string()).await;
            return;
        }
        tracing::warn!(plugin = %self.plugin, %error, attempts = entry.attempts, "a report is tried again");
        let not_before = now_ms() + back_off_ms(entry.attempts);
        let failure = InboxFailure::Retry { not_before };
        if let Err(error) = self
            .context
            .queue
            .fail_inbox(entry.id, error.to_string(), failure)
            .await
        {
            tracing::error!(plugin = %self.plugin, %error, "a failed report could not be noted");
        }
        self.timers.set(not_before, entry.id, entry);
    }

    /// Leaves a row to the operator.
    async fn give_up(&self, id: i64, reason: String) {
        tracing::error!(plugin = %self.plugin, inbox = id, reason, "a report is left to the operator: see `belfryctl delivery list`");
        if let Err(error) = self
            .context
            .queue
            .fail_inbox(id, reason, InboxFailure::Dead)
            .await
        {
            tracing::error!(plugin = %self.plugin, %error, "a failed report could not be noted");
        }
    }

    async fn close(&self, close: Vec<i64>) {
        let what = CompleteInbox {
            close,
            ..CompleteInbox::default()
        };
        if let Err(error) = self.context.queue.complete(what).await {
            // They are handed out again by the host's next start, and recognised as told before.
            tracing::error!(plugin = %self.plugin, %error, "reports that are done could not be closed");
        }
    }
}

enum Prepared {
    Report(Report),
    Nobodys,
    Later(String),
    Unreadable(String),
}

/// The payload of a report's row.
pub(super) fn stored_report(route: &str, user: Option<String>, body: Bytes) -> StoredReport {
    StoredReport {
        route: route.to_owned(),
        user,
        body,
    }
}
