//! The rows of the queue as the rest of the host sees them.
//!
//! All times are milliseconds since the Unix epoch.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

use super::payload::Payload;

/// What makes two reports the same message; chosen by whoever fans it out.
pub type MessageKey = [u8; 16];

/// Whether an entry or delivery is still to be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It will be handed out when its time has come.
    Waiting,
    /// It was given up on and stays until an operator retries or purges it.
    Dead,
}

/// What an inbox entry carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// An HTTP request that was accepted for a route of the target plugin.
    Report,
    /// An event for the target plugin's handler.
    Event,
}

/// A waiting inbox entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Grows with the order of acceptance.
    pub id: i64,
    /// What the payload is.
    pub kind: EntryKind,
    /// As it was given to the queue.
    pub payload: Payload,
    /// When it was accepted.
    pub accepted_at: i64,
    /// How often it has failed.
    pub attempts: u32,
    /// It should not be handled before this time; 0 when it never failed.
    pub not_before: i64,
}

/// A waiting delivery whose time has come.
///
/// It may have expired meanwhile: compare [`Delivery::expires_at`] before sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Grows with the order of fan-out.
    pub id: i64,
    /// The device's row id.
    pub subscription: i64,
    /// The context of the user.
    pub user_context: i64,
    /// The user within the context.
    pub user_id: i64,
    /// As it was given to the queue.
    pub payload: Payload,
    /// The key of the message that it belongs to.
    pub message_key: MessageKey,
    /// When its message was fanned out.
    pub created_at: i64,
    /// When it loses its worth.
    pub expires_at: i64,
    /// How often it has failed.
    pub attempts: u32,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Waiting => "waiting",
            State::Dead => "dead",
        })
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "waiting" => Ok(State::Waiting),
            "dead" => Ok(State::Dead),
            other => Err(format!(
                "{other:?} is no state of a delivery: waiting or dead"
            )),
        }
    }
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            State::Waiting => 0_i64,
            State::Dead => 1,
        }))
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(State::Waiting),
            1 => Ok(State::Dead),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

impl ToSql for EntryKind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            EntryKind::Report => 0_i64,
            EntryKind::Event => 1,
        }))
    }
}

impl FromSql for EntryKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(EntryKind::Report),
            1 => Ok(EntryKind::Event),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}
