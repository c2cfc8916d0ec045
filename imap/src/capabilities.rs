//! What a server says it can do.

use std::collections::BTreeSet;

use imap_proto::Capability;

/// The capabilities of a server (RFC 3501, section 7.2.1). Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities(BTreeSet<String>);

impl Capabilities {
    /// Whether the server has it: `METADATA`, `AUTH=PLAIN`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name.to_ascii_uppercase())
    }

    /// All of them, in upper case and in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn add(&mut self, list: &[Capability<'_>]) {
        self.0
            .extend(list.iter().map(|capability| match capability {
                Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
                Capability::Auth(mechanism) => format!("AUTH={}", mechanism.to_ascii_uppercase()),
                Capability::Atom(atom) => atom.to_ascii_uppercase(),
            }));
    }
}
