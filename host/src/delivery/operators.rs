//! What operators ask of inbox and outbox.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use belfry_plugin_api::event::Event;
use belfry_plugin_api::manifest::PluginId;
use tokio::sync::broadcast;

use super::Delivery;
use super::events::EventMessage;
use super::hold_ups::HoldUp;
use super::queue::{EntryKind, Filter, Listed, QueueError, Side, State};
use super::reports::ReportMessage;

/// Dead entries that are brought back in one go.
const PAGE_ROWS: u32 = 500;

impl Delivery {
    /// The events that pass from now on. Whoever is slow misses some.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Event>> {
        self.context.tap.listen()
    }

    /// The plugins whose handlers want an event.
    pub fn wanting(&self, event: &Event) -> Vec<PluginId> {
        self.context.handlers.wanting(event)
    }

    /// Who is given nothing at the moment.
    pub fn hold_ups(&self) -> Vec<HoldUp> {
        self.context.hold_ups.list()
    }

    /// Has the dead that match tried again as if they had never failed. Says how many.
    ///
    /// # Errors
    ///
    /// The queue cannot be read or written; some may be tried again.
    pub async fn retry(&self, filter: Filter) -> Result<usize, QueueError> {
        match filter.side {
            Side::Inbox => self.retry_inbox(filter).await,
            Side::Outbox => {
                let count = self.queue().retry(filter).await?;
                self.reload();
                Ok(count)
            }
        }
    }

    /// Deletes what matches and says how many that were. What a plugin has in hand goes its way.
    ///
    /// # Errors
    ///
    /// The queue cannot be written; some may be deleted.
    pub async fn purge(&self, filter: Filter) -> Result<usize, QueueError> {
        let side = filter.side;
        let count = self.queue().purge(filter).await?;
        if side == Side::Outbox {
            self.reload();
        }
        Ok(count)
    }

    /// Inbox dispatchers do not look at the disk anew, where the rows of reports lie whose events
    /// are with handlers; each row that waits again is handed to its dispatcher instead.
    async fn retry_inbox(&self, mut filter: Filter) -> Result<usize, QueueError> {
        filter.state = Some(State::Dead);
        let (mut after, mut total) = (0, 0);
        loop {
            let dead = self.queue().list(filter.clone(), after, PAGE_ROWS).await?;
            let Some(last) = dead.last() else {
                return Ok(total);
            };
            after = last.id;
            let these = Filter {
                ids: Some(dead.iter().map(|listed| listed.id).collect()),
                ..filter.clone()
            };
            total += self.queue().retry(these).await?;
            for listed in &dead {
                self.hand_back(listed).await?;
            }
        }
    }

    async fn hand_back(&self, listed: &Listed) -> Result<(), QueueError> {
        let target = listed.destination.as_str();
        let page = self.queue().load_inbox(target, listed.id - 1, 1).await?;
        let Some(entry) = page.entries.into_iter().find(|entry| entry.id == listed.id) else {
            return Ok(());
        };
        // The target of a row is a plugin's id; one that is not installed has no dispatcher, and
        // gets the row from disk when it is installed again.
        let Ok(plugin) = target.parse::<PluginId>() else {
            return Ok(());
        };
        let dispatchers = self.context.read();
        match entry.kind {
            EntryKind::Report => {
                if let Some(reports) = dispatchers.reports.get(&plugin) {
                    let _ = reports.send(ReportMessage::Again(entry));
                }
            }
            EntryKind::Event => {
                if let Some(events) = dispatchers.events.get(&plugin) {
                    let _ = events.send(EventMessage::Again(entry));
                }
            }
        }
        Ok(())
    }
}
