//! What the queue must do, said in a second way: plain maps in memory.

use std::collections::BTreeMap;

use super::super::complete::{CompleteInbox, Completed, MessageOutcome};
use super::super::filter::{Filter, Side};
use super::super::inbox::InboxFailure;
use super::super::listing::Count;
use super::super::model::State;
use super::super::outbox::Finish;
use super::*;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) destination: String,
    pub(super) subscription: i64,
    pub(super) state: State,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
    pub(super) not_before: i64,
    pub(super) attempts: u32,
    pub(super) reason: Option<String>,
    pub(super) payload: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<i64, Row>,
    last: i64,
}

#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) inbox: Table,
    pub(super) outbox: Table,
    seen: BTreeMap<MessageKey, i64>,
}

impl Table {
    fn insert(&mut self, destination: &str, created_at: i64, payload: &[u8]) -> &mut Row {
        self.last += 1;
        self.rows.entry(self.last).or_insert(Row {
            destination: destination.to_owned(),
            subscription: 0,
            state: State::Waiting,
            created_at,
            expires_at: 0,
            not_before: 0,
            attempts: 0,
            reason: None,
            payload: payload.to_vec(),
        })
    }

    /// Ids of what waits for `destination`, above `after`.
    pub(super) fn waiting(&self, destination: &str, after: i64) -> Vec<i64> {
        let waits = |row: &Row| row.destination == destination && row.state == State::Waiting;
        let rows = self.rows.iter().filter(|(id, _)| **id > after);
        rows.filter(|(_, row)| waits(row)).map(|it| *it.0).collect()
    }
}

impl Reference {
    pub(super) fn accept(&mut self, target: &str, at: i64, payload: &[u8]) -> i64 {
        self.inbox.insert(target, at, payload);
        self.inbox.last
    }

    pub(super) fn complete(&mut self, what: &CompleteInbox) -> Completed {
        let mut done = Completed::default();
        for id in &what.close {
            done.closed += usize::from(self.inbox.rows.remove(id).is_some());
        }
        for message in &what.messages {
            if self.seen.contains_key(&message.key) {
                done.messages.push(MessageOutcome::Duplicate);
                continue;
            }
            self.seen.insert(message.key, message.at);
            let mut ids = Vec::new();
            for new in &message.deliveries {
                let row = self.outbox.insert(&new.transport, message.at, &new.payload);
                row.subscription = new.subscription;
                row.expires_at = new.expires_at;
                ids.push(self.outbox.last);
            }
            done.messages.push(MessageOutcome::Fanned(ids));
        }
        for event in &what.park {
            self.inbox.insert(&event.target, event.at, &event.payload);
            done.parked.push(self.inbox.last);
        }
        done
    }

    pub(super) fn fail_inbox(&mut self, id: i64, reason: &str, failure: InboxFailure) -> bool {
        let Some(row) = self.inbox.rows.get_mut(&id) else {
            return false;
        };
        (row.state, row.not_before) = match failure {
            InboxFailure::Retry { not_before } => (State::Waiting, not_before),
            InboxFailure::Dead => (State::Dead, 0),
        };
        row.attempts += 1;
        row.reason = Some(reason.to_owned());
        true
    }

    pub(super) fn finish(&mut self, deliveries: &[(i64, Finish)]) -> usize {
        let mut found = 0;
        for (id, finish) in deliveries {
            let Some(row) = self.outbox.rows.get_mut(id) else {
                continue;
            };
            found += 1;
            match finish {
                Finish::Delivered | Finish::Dropped => {
                    self.outbox.rows.remove(id);
                }
                Finish::Retry {
                    not_before,
                    attempts,
                    reason,
                } => {
                    row.not_before = *not_before;
                    row.attempts = *attempts;
                    row.reason.clone_from(reason);
                }
                Finish::Dead { reason } => {
                    row.state = State::Dead;
                    row.attempts += 1;
                    row.reason = Some(reason.clone());
                }
            }
        }
        found
    }

    pub(super) fn matching(&self, filter: &Filter) -> Vec<i64> {
        let matches = |id: &i64, row: &Row| {
            let destination = filter.destination.as_ref();
            destination.is_none_or(|it| *it == row.destination)
                && filter.state.is_none_or(|it| it == row.state)
                && filter.ids.as_ref().is_none_or(|it| it.contains(id))
                && filter.created_before.is_none_or(|it| row.created_at < it)
        };
        let rows = self.side(filter.side).rows.iter();
        rows.filter(|(id, row)| matches(id, row))
            .map(|it| *it.0)
            .collect()
    }

    pub(super) fn purge(&mut self, filter: &Filter) -> usize {
        let ids = self.matching(filter);
        for id in &ids {
            self.side_mut(filter.side).rows.remove(id);
        }
        ids.len()
    }

    pub(super) fn retry(&mut self, filter: &Filter) -> usize {
        let mut retried = 0;
        for id in self.matching(filter) {
            let row = self.side_mut(filter.side).rows.get_mut(&id);
            let row = row.expect("just matched");
            if row.state == State::Dead {
                retried += 1;
                row.state = State::Waiting;
                row.attempts = 0;
                row.not_before = 0;
                row.reason = None;
            }
        }
        retried
    }

    pub(super) fn forget_seen(&mut self, before: i64, limit: u32) -> usize {
        let old = self.seen.iter().filter(|(_, at)| **at < before);
        let mut old: Vec<_> = old.map(|(key, at)| (*at, *key)).collect();
        old.sort_unstable();
        old.truncate(limit as usize);
        for (_, key) in &old {
            self.seen.remove(key);
        }
        old.len()
    }

    pub(super) fn expire(&mut self, now: i64, limit: u32) -> usize {
        let rows = self.outbox.rows.iter();
        let mut old: Vec<_> = rows
            .filter(|(_, row)| row.expires_at <= now)
            .map(|(id, row)| (row.expires_at, *id))
            .collect();
        old.sort_unstable();
        old.truncate(limit as usize);
        for (_, id) in &old {
            self.outbox.rows.remove(id);
        }
        old.len()
    }

    pub(super) fn delete_for_subscription(&mut self, subscription: i64) -> usize {
        let before = self.outbox.rows.len();
        let rows = &mut self.outbox.rows;
        rows.retain(|_, row| row.subscription != subscription);
        before - rows.len()
    }

    pub(super) fn count(&self) -> Vec<Count> {
        let mut groups = BTreeMap::<_, Count>::new();
        for side in [Side::Inbox, Side::Outbox] {
            for row in self.side(side).rows.values() {
                let group = (side, row.destination.clone(), row.state);
                let count = groups.entry(group).or_insert(Count {
                    side,
                    destination: row.destination.clone(),
                    state: row.state,
                    count: 0,
                    oldest: row.created_at,
                });
                count.count += 1;
            }
        }
        groups.into_values().collect()
    }

    pub(super) fn side(&self, side: Side) -> &Table {
        match side {
            Side::Inbox => &self.inbox,
            Side::Outbox => &self.outbox,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Table {
        match side {
            Side::Inbox => &mut self.inbox,
            Side::Outbox => &mut self.outbox,
        }
    }
}
