//! Which entries and deliveries an operator means.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::model::State;

/// Which half of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Entries that wait for a plugin.
    Inbox,
    /// Deliveries that wait for a transport.
    Outbox,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table())
    }
}

impl FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "inbox" => Ok(Self::Inbox),
            "outbox" => Ok(Self::Outbox),
            other => Err(format!(
                "{other:?} is no side of the queue: inbox or outbox"
            )),
        }
    }
}

impl Side {
    pub(super) fn table(self) -> &'static str {
        match self {
            Side::Inbox => "inbox",
            Side::Outbox => "outbox",
        }
    }

    pub(super) fn destination(self) -> &'static str {
        match self {
            Side::Inbox => "target",
            Side::Outbox => "transport",
        }
    }

    pub(super) fn created(self) -> &'static str {
        match self {
            Side::Inbox => "accepted_at",
            Side::Outbox => "created_at",
        }
    }
}

/// Which entries or deliveries are meant: those to which all that is set applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The half of the queue.
    pub side: Side,
    /// The target plugin of entries, the transport of deliveries.
    pub destination: Option<String>,
    /// Waiting or dead.
    pub state: Option<State>,
    /// Only these ids; `None` for any.
    pub ids: Option<Vec<i64>>,
    /// Only those created before this time, in milliseconds since the Unix epoch.
    pub created_before: Option<i64>,
}

impl Filter {
    /// Everything on one side.
    pub fn all(side: Side) -> Self {
        Filter {
            side,
            destination: None,
            state: None,
            ids: None,
            created_before: None,
        }
    }

    /// The condition in SQL, and the values that it names by `?`.
    pub(super) fn condition(&self) -> (String, Vec<Value>) {
        let mut condition = String::from("true");
        let mut values = Vec::new();
        let mut and = |term: &str, value: Value| {
            condition.push_str(" AND ");
            condition.push_str(term);
            values.push(value);
        };
        if let Some(destination) = &self.destination {
            let column = self.side.destination();
            and(&format!("{column} = ?"), Value::from(destination.clone()));
        }
        if let Some(state) = self.state {
            and("state = ?", Value::from(i64::from(state == State::Dead)));
        }
        if let Some(ids) = &self.ids {
            let list = format!("{ids:?}");
            and("id IN (SELECT value FROM json_each(?))", Value::from(list));
        }
        if let Some(before) = self.created_before {
            and(&format!("{} < ?", self.side.created()), Value::from(before));
        }
        (condition, values)
    }
}
