//! From what stands in a mail's header to what a person may see.
//!
//! Dovecot reports `From` and `Subject` as they stand in the mail: encoded words (RFC 2047) not
//! decoded, folded lines not unfolded, control characters included, of any length. Whoever sends a
//! mail chooses these bytes, and a phone shows them beside its owner's other notifications.

mod encoded_words;
mod harmless;

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, Address, HeaderValue};

use self::harmless::harmless;

/// How much of a header field is looked at, in bytes. What is decoded from so much fills
/// [`MAX_TEXT_BYTES`] even where every byte is written as `=C3` in words of 75 characters.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Longest subject or snippet, in bytes of UTF-8: more than the largest push takes with everything
/// around it.
pub const MAX_TEXT_BYTES: usize = 4 * 1024;

/// Longest sender, in bytes of UTF-8.
pub const MAX_SENDER_BYTES: usize = 512;

/// A subject as a person reads it; `None` where nothing of it can be seen.
pub fn subject(subject: &str) -> Option<String> {
    let line = header_line(subject);
    let value = MessageStream::new(line.as_bytes()).parse_unstructured();
    harmless(value.as_text()?, MAX_TEXT_BYTES)
}

/// The first words of a mail, which Dovecot has decoded already.
pub fn snippet(snippet: &str) -> Option<String> {
    harmless(snippet, MAX_TEXT_BYTES)
}

/// Whom a mail is from, by the value of its `From` (RFC 5322, section 3.6.2): the display name of
/// the first mailbox, or its address where it has none; of a group without mailboxes the group's
/// name.
pub fn sender(from: &str) -> Option<String> {
    let line = header_line(from);
    let HeaderValue::Address(address) = MessageStream::new(line.as_bytes()).parse_address() else {
        return None;
    };
    match address {
        Address::List(list) => list.iter().find_map(mailbox),
        Address::Group(groups) => groups
            .iter()
            .find_map(|group| group.addresses.iter().find_map(mailbox))
            .or_else(|| groups.iter().find_map(|group| shown(group.name.as_deref()))),
    }
}

fn mailbox(mailbox: &Addr<'_>) -> Option<String> {
    match (mailbox.name.as_deref(), mailbox.address.as_deref()) {
        // The parser takes the quoted local part of `"john doe"@example.org` for a name.
        (Some(name), Some(address)) if address.starts_with('@') => {
            shown(Some(&format!("\"{name}\"{address}")))
        }
        (name, address) => shown(name).or_else(|| shown(address)),
    }
}

fn shown(text: Option<&str>) -> Option<String> {
    harmless(text?, MAX_SENDER_BYTES)
}

/// The beginning of a header field as one line, which is how the parser wants it.
fn header_line(value: &str) -> String {
    let value = value
        .get(..value.floor_char_boundary(MAX_HEADER_BYTES))
        .unwrap_or(value);
    let unfolded: Cow<'_, str> = if value.contains(['\r', '\n']) {
        value.replace(['\r', '\n'], " ").into()
    } else {
        value.into()
    };
    let mut line = encoded_words::joined(&unfolded).into_owned();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests;
