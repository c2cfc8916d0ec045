//! Questions and answers, and the frames of a plugin's life.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event::{Event, Properties};
use crate::frame::delivery::Message;
use crate::frame::listener::Account;
use crate::frame::log::Level;
use crate::manifest::ServiceKind;
use crate::secret::Secret;

/// The first frame that a plugin gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Which of the plugin's generations this is, counted from 1 by the host.
    pub generation: u64,
    /// The host's version.
    pub host_version: String,
    /// A folder that survives updates of the plugin.
    pub data_folder: String,
    /// The configuration.
    pub config: Configure,
    /// From which level on log records are wanted.
    #[serde(default = "level_before_it_was_said")]
    pub log_level: Level,
}

/// A host before plugin-api 0.1.1 says no level. It chooses among all records from this one on.
fn level_before_it_was_said() -> Level {
    Level::Debug
}

/// The values of all keys of the manifest that have one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Configure {
    /// By the key's full name.
    pub values: BTreeMap<String, Secret>,
}

/// The plugin is ready for work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The kinds of service that its code offers.
    pub kinds: Vec<ServiceKind>,
    /// The version of plugin-api that it was built with.
    pub api_version: String,
}

/// The plugin cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Why, in a sentence for the operator.
    pub reason: String,
    /// Where a panic happened: its backtrace.
    #[serde(default)]
    pub backtrace: Option<String>,
}

/// The plugin is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// How long it may take, in milliseconds.
    pub deadline_ms: u64,
}

/// A frame that is answered by one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered<T> {
    /// The asker's number for it.
    pub id: u64,
    /// What is asked or answered.
    pub body: T,
}

/// An event for one of the plugin's handlers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDelivery {
    /// The host's number for it, to be given back in [`EventDone`].
    pub id: u64,
    /// The event.
    pub event: Event,
}

/// What a handler made of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDone {
    /// The event's number.
    pub id: u64,
    /// What it made of it.
    pub result: Result<Handled>,
}

/// What a handler made of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Handled {
    /// What to deliver.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// What to tell a publisher that asked.
    #[serde(default)]
    pub answer: Option<Properties>,
}

/// A user to listen for, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// The user.
    pub account: Account,
    /// Whether to begin or to end.
    pub begin: bool,
}

/// An HTTP request for one of the plugin's routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// The name of the route in the manifest.
    pub route: String,
    /// The method, upper case.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, without `?`.
    #[serde(default)]
    pub query: String,
    /// The user of the session that made it.
    #[serde(default)]
    pub user: Option<crate::user::User>,
    /// The body.
    #[serde(default)]
    pub body: Bytes,
}

/// The answer to an [`HttpCall`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The type of the body.
    #[serde(default)]
    pub content_type: String,
    /// The body.
    #[serde(default)]
    pub body: Bytes,
}

/// What a credential backend is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialQuestion {
    /// The provider's name: `apns`, `fcm`.
    pub provider: String,
}

/// A transport can deliver again: its account was set up anew, say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportReady {
    /// The transport's name.
    pub transport: String,
}

/// What logs in to a push provider.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProviderCredential {
    /// By name: `keystore`, `password`, `key`, `key-id`, `team-id`, `topic`, `production`,
    /// `service-account`.
    pub fields: BTreeMap<String, Secret>,
}

/// Events to keep until every handler has dealt with them; answered when they are on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The events, in order.
    pub events: Vec<Event>,
}

/// What the host answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// It is done.
    Done,
    /// What each handler answered; those that answered nothing are left out.
    Answers(Vec<Properties>),
    /// The credential, where a backend has one.
    Credential(Option<ProviderCredential>),
}

/// The answer to a question of the plugin's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The asker's number.
    pub id: u64,
    /// The answer.
    pub result: Result<Answered, Error>,
}
