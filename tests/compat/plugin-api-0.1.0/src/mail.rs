//! New mail, as an event says it.

use crate::event::{Event, Topic};
use crate::user::User;

/// Property names of events on [`Topic::PUSH`].
pub mod property {
    /// What happened: [`super::NEW_MAIL`].
    pub const KIND: &str = "com.openexchange.push.kind";
    /// The mailbox's full name, `INBOX`.
    pub const FOLDER: &str = "com.openexchange.push.folder";
    /// UIDVALIDITY of the mailbox (RFC 3501, section 2.3.1.1).
    pub const UID_VALIDITY: &str = "com.openexchange.push.uidvalidity";
    /// UID of the mail.
    pub const UID: &str = "com.openexchange.push.uid";
    /// Display name of the sender, or the address where there is none; absent without a sender.
    pub const SENDER: &str = "com.openexchange.push.sender";
    /// Subject, decoded and harmless; absent without one.
    pub const SUBJECT: &str = "com.openexchange.push.subject";
    /// The first words of the text.
    pub const SNIPPET: &str = "com.openexchange.push.snippet";
    /// Unread mails in the mailbox.
    pub const UNREAD: &str = "com.openexchange.push.unread";
}

/// The value of [`property::KIND`] for new mail.
pub const NEW_MAIL: &str = "new-mail";

/// One new mail in a mailbox.
///
/// Texts are what a person may see: decoded, on one line, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMail {
    /// The mailbox's full name.
    pub folder: String,
    /// UIDVALIDITY of the mailbox.
    pub uid_validity: u32,
    /// UID of the mail.
    pub uid: u32,
    /// Display name or address.
    pub sender: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// The first words of the text.
    pub snippet: Option<String>,
    /// Unread mails in the mailbox.
    pub unread: Option<u32>,
}

impl NewMail {
    /// The event that tells of this mail.
    pub fn into_event(self, user: User) -> Event {
        let mut event = Event::new(Topic::push())
            .with(property::KIND, NEW_MAIL)
            .with(property::FOLDER, self.folder)
            .with(property::UID_VALIDITY, self.uid_validity)
            .with(property::UID, self.uid);
        event.user = Some(user);
        for (name, text) in [
            (property::SENDER, self.sender),
            (property::SUBJECT, self.subject),
            (property::SNIPPET, self.snippet),
        ] {
            if let Some(text) = text {
                event = event.with(name, text);
            }
        }
        match self.unread {
            Some(unread) => event.with(property::UNREAD, unread),
            None => event,
        }
    }

    /// Reads a new mail back from an event; `None` where the event tells of something else or
    /// names no mail.
    pub fn from_event(event: &Event) -> Option<(User, Self)> {
        if event.text(property::KIND) != Some(NEW_MAIL) {
            return None;
        }
        let number = |name| {
            event
                .integer(name)
                .and_then(|value| u32::try_from(value).ok())
        };
        let text = |name| event.text(name).map(str::to_owned);
        let mail = Self {
            folder: text(property::FOLDER)?,
            uid_validity: number(property::UID_VALIDITY)?,
            uid: number(property::UID)?,
            sender: text(property::SENDER),
            subject: text(property::SUBJECT),
            snippet: text(property::SNIPPET),
            unread: number(property::UNREAD),
        };
        Some((event.user?, mail))
    }
}
