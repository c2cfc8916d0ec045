//! Events: what the bus carries.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::user::User;

/// The name that an event is published under: tokens joined by `/`, as OSGi's Event Admin
/// (Compendium 7, section 113.3.1) writes them. A token holds letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

/// What was given is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a topic: tokens of letters, digits, '_' and '-', joined by '/'")]
pub struct ParseTopicError(String);

impl Topic {
    /// The topic of new mail, login and mail-deleted events.
    pub const PUSH: &'static str = "com/openexchange/push";

    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// [`Topic::PUSH`], parsed.
    pub fn push() -> Self {
        Self(Self::PUSH.to_owned())
    }
}

impl FromStr for Topic {
    type Err = ParseTopicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let token = |token: &str| {
            !token.is_empty()
                && token
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        if text.split('/').all(token) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseTopicError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Topic {
    type Error = ParseTopicError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which topics a handler is subscribed to: one topic, a prefix ending in `/*`, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern(String);

impl TopicPattern {
    /// Whether the pattern covers the topic. `a/*` covers `a/b` and `a/b/c`, not `a`.
    pub fn matches(&self, topic: &Topic) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => topic.0.starts_with(prefix),
            None => self.0 == topic.0,
        }
    }
}

impl FromStr for TopicPattern {
    type Err = ParseTopicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefix = match text {
            "*" => return Ok(Self(text.to_owned())),
            _ => text.strip_suffix("/*").unwrap_or(text),
        };
        prefix.parse::<Topic>()?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for TopicPattern {
    type Error = ParseTopicError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of an event's property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Several values; a filter matches where one of them does.
    List(Vec<Value>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{value}")?;
                }
                Ok(())
            }
        }
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

/// The properties of an event, by name.
pub type Properties = BTreeMap<String, Value>;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is about.
    pub topic: Topic,
    /// Whose it is. Events of one user reach each handler in the order of their publication.
    #[serde(default)]
    pub user: Option<User>,
    /// What it says.
    #[serde(default)]
    pub properties: Properties,
}

impl Event {
    /// An event without a user and properties.
    pub fn new(topic: Topic) -> Self {
        Self {
            topic,
            user: None,
            properties: Properties::new(),
        }
    }

    /// The same event, with one property more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }

    /// The text of a property, where it is there and is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.properties.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of a property, where it is there and is one.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.properties.get(name) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }
}
