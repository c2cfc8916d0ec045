//! Events that become rows, and rows that are given up on.

use belfry_plugin_api::event::Event;

use super::{Cause, EventDispatcher, EventItem, MAX_ATTEMPTS};
use crate::clock::now_ms;
use crate::delivery::back_off::back_off_ms;
use crate::delivery::queue::{
    CompleteInbox, Completed, EntryKind, InboxEntry, InboxFailure, NewInboxEvent, QueueError,
};
use crate::delivery::stored::{StoredEvent, pack};
use crate::metrics::count;

impl EventDispatcher {
    /// Makes rows of the events that wait, and closes the reports that they come from.
    pub(super) async fn park_all(&mut self) {
        let mut what = CompleteInbox::default();
        let mut opens = Vec::new();
        let mut payloads = Vec::new();
        for EventItem { cause, event } in std::mem::take(&mut self.waiting) {
            match cause {
                Cause::Report(open) => match pack(&StoredEvent { event }) {
                    Ok(payload) => {
                        payloads.push(payload.clone());
                        what.park.push(NewInboxEvent {
                            target: self.plugin.as_str().into(),
                            payload,
                            at: now_ms(),
                        });
                        if let Some(id) = open.done() {
                            what.close.push(id);
                            opens.push(open);
                        }
                    }
                    Err(error) => {
                        tracing::error!(plugin = %self.plugin, %error, "an event cannot be parked")
                    }
                },
                // It has its row already; read from there, it comes in its place.
                Cause::Row(id, attempts) => self.put_back(id, attempts, &event),
                // Nobody waits for a handler that is away.
                Cause::Request(answer) => drop(answer),
            }
        }
        if what.park.is_empty() {
            return;
        }
        for _ in &what.park {
            count(
                &self.context.metrics.parked_events,
                "plugin",
                self.plugin.as_str(),
            );
        }
        let parked_at = now_ms();
        match self.complete(what).await {
            Some(done) => {
                for (id, payload) in done.parked.into_iter().zip(payloads) {
                    let entry = InboxEntry {
                        id,
                        kind: EntryKind::Event,
                        payload,
                        accepted_at: parked_at,
                        attempts: 0,
                        not_before: 0,
                    };
                    self.feed.committed(id, entry);
                }
            }
            None => return,
        }
        for open in opens {
            open.closed();
        }
    }

    pub(super) fn put_back(&mut self, id: i64, attempts: u32, event: &Event) {
        match pack(&StoredEvent {
            event: event.clone(),
        }) {
            Ok(payload) => self.feed.put_back(
                id,
                InboxEntry {
                    id,
                    kind: EntryKind::Event,
                    payload,
                    accepted_at: 0,
                    attempts,
                    not_before: 0,
                },
            ),
            Err(error) => {
                tracing::error!(plugin = %self.plugin, %error, "an event cannot be put back")
            }
        }
    }

    /// Repeats until the disk takes it: nothing else can be done about it, and nothing is lost
    /// meanwhile. `None` when the queue is closed.
    pub(super) async fn complete(&self, what: CompleteInbox) -> Option<Completed> {
        loop {
            match self.context.queue.complete(what.clone()).await {
                Ok(done) => return Some(done),
                Err(QueueError::Closed) => return None,
                Err(error) => {
                    tracing::error!(plugin = %self.plugin, %error, "the outbox cannot be written; it is tried again");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Gives an event that was not dealt with a row of its own, and tries it again later.
    pub(super) async fn failed(&mut self, item: EventItem, error: &belfry_plugin_api::Error) {
        let EventItem { cause, event } = item;
        let (id, attempts) = match cause {
            Cause::Request(answer) => {
                tracing::warn!(plugin = %self.plugin, %error, "the event handler failed at a request");
                drop(answer);
                return;
            }
            Cause::Row(id, attempts) => (id, attempts + 1),
            Cause::Report(open) => {
                let Ok(payload) = pack(&StoredEvent {
                    event: event.clone(),
                }) else {
                    return;
                };
                let mut what = CompleteInbox::default();
                what.park.push(NewInboxEvent {
                    target: self.plugin.as_str().into(),
                    payload,
                    at: now_ms(),
                });
                let closes = open.done();
                what.close.extend(closes);
                let Some(done) = self.complete(what).await else {
                    return;
                };
                if closes.is_some() {
                    open.closed();
                }
                match done.parked.first() {
                    Some(id) => (*id, 1),
                    None => return,
                }
            }
        };
        if error.is_permanent() || attempts >= MAX_ATTEMPTS {
            self.leave(id, error.to_string()).await;
            return;
        }
        tracing::warn!(plugin = %self.plugin, %error, attempts, "an event is tried again");
        let not_before = now_ms() + back_off_ms(attempts);
        let failure = InboxFailure::Retry { not_before };
        if let Err(error) = self
            .context
            .queue
            .fail_inbox(id, error.to_string(), failure)
            .await
        {
            tracing::error!(plugin = %self.plugin, %error, "a failed event could not be noted");
        }
        if let Ok(payload) = pack(&StoredEvent { event }) {
            let entry = InboxEntry {
                id,
                kind: EntryKind::Event,
                payload,
                accepted_at: 0,
                attempts,
                not_before,
            };
            self.timers.set(not_before, id, entry);
        }
    }

    /// Leaves a row to the operator.
    pub(super) async fn leave(&self, id: i64, reason: String) {
        tracing::error!(plugin = %self.plugin, inbox = id, reason, "an event is left to the operator: see `belfryctl delivery list`");
        if let Err(error) = self
            .context
            .queue
            .fail_inbox(id, reason, InboxFailure::Dead)
            .await
        {
            tracing::error!(plugin = %self.plugin, %error, "a failed event could not be noted");
        }
    }
}
