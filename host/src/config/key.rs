//! What is known of one key.

use belfry_plugin_api::manifest::{Key, KeyType};

use super::kind::Kind;

/// A key that somebody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpec {
    /// The full, dotted name. In the host's own keys a part `*` stands for any name, such as a
    /// plugin's id; such keys have no default.
    pub name: String,
    /// What its value may be.
    pub kind: Kind,
    /// What holds where nobody sets it.
    pub default: Option<String>,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What it does, in a sentence.
    pub help: String,
}

impl From<&Key> for KeySpec {
    fn from(key: &Key) -> Self {
        let kind = match key.kind {
            KeyType::Text => Kind::Text,
            KeyType::Flag => Kind::Flag,
            KeyType::Integer => Kind::Integer {
                min: 0,
                max: i64::MAX,
            },
            KeyType::List => Kind::List,
            KeyType::Path => Kind::Path,
            KeyType::Url => Kind::url(&[]),
        };
        Self {
            name: key.name.clone(),
            kind,
            default: key.default.clone(),
            secret: key.secret,
            help: key.help.clone(),
        }
    }
}

impl KeySpec {
    /// The name with `ID` for each part that may be any name.
    pub fn display_name(&self) -> String {
        self.name.replace('*', "ID")
    }

    pub(super) fn is_pattern(&self) -> bool {
        self.name.contains('*')
    }

    /// The name with the parts that may be any name taken from `key`; `None` where `key` has
    /// another number of parts.
    pub(super) fn name_like(&self, key: &str) -> Option<String> {
        let same_length = self.name.split('.').count() == key.split('.').count();
        let parts = self.name.split('.').zip(key.split('.'));
        let parts: Vec<&str> = parts
            .map(|(own, theirs)| {
                if own == "*" && !theirs.is_empty() {
                    theirs
                } else {
                    own
                }
            })
            .collect();
        same_length.then(|| parts.join("."))
    }
}
