//! The body of a notification, as Dovecot's driver `ox` writes it.

use belfry_plugin_api::event::Event;
use belfry_plugin_api::mail::NewMail;
use belfry_plugin_api::user::User;
use belfry_plugin_api::{Error, Result};
use serde::Deserialize;

use crate::text;

/// The event that tells of new mail; the driver knows no other today. Written in any letter case.
const MESSAGE_NEW: &str = "messageNew";

/// What the driver sends. Texts stand as they do in the mail: not decoded, not unfolded.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Body {
    event: String,
    folder: String,
    imap_uid: u32,
    imap_uidvalidity: u32,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    snippet: Option<String>,
    #[serde(default)]
    unseen: Option<u32>,
}

/// The event that a body means; none where it tells of something that is not known here.
///
/// # Errors
///
/// A permanent one: the body is of another form.
pub fn event(body: &[u8], user: User) -> Result<Option<Event>> {
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        Error::permanent(format_args!("the notification cannot be read: {error}"))
    })?;
    if !body.event.eq_ignore_ascii_case(MESSAGE_NEW) {
        tracing::info!(
            event = text::subject(&body.event),
            "an event that is not known was ignored"
        );
        return Ok(None);
    }
    let mail = NewMail {
        folder: body.folder,
        uid_validity: body.imap_uidvalidity,
        uid: body.imap_uid,
        sender: body.from.as_deref().and_then(text::sender),
        subject: body.subject.as_deref().and_then(text::subject),
        snippet: body.snippet.as_deref().and_then(text::snippet),
        unread: body.unseen,
    };
    Ok(Some(mail.into_event(user)))
}
