//! A new mail as a person sees it on a phone.

mod cut;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use belfry_plugin_api::mail::NewMail;
use belfry_plugin_api::user::User;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use cut::{cut, encoded_len};

/// What APNs and FCM take of a push's content, in bytes of JSON.
pub const PAYLOAD_LIMIT_BYTES: usize = 4096;

const NO_SUBJECT: &str = "(no subject)";
const NO_SENDER: &str = "(no sender)";

/// The account of the mail in the app, and its folder separator.
const ACCOUNT: &str = "default0/";

/// The payload for an Apple device.
pub fn apns_payload(mail: &NewMail) -> Bytes {
    let payload = fitted(mail, |texts| {
        let mut aps = json!({
            "alert": {"title": texts.sender, "body": texts.subject},
            "sound": "default",
        });
        if let Some(unread) = mail.unread {
            aps["badge"] = unread.into();
        }
        json!({"aps": aps, "cid": texts.cid(mail.uid)})
    });
    Bytes::from(payload.to_string())
}

/// The data of a message to an Android device: an object of strings, as FCM wants them.
pub fn fcm_data(mail: &NewMail) -> Value {
    fitted(mail, |texts| {
        let mut data = json!({
            "cid": texts.cid(mail.uid),
            "subject": texts.subject,
            "sender": texts.sender,
        });
        if let Some(unread) = mail.unread {
            data["unread"] = unread.to_string().into();
        }
        data
    })
}

/// The name under which the reports of one mail are one push on an Apple device: the same for the
/// same user, mailbox and mail, 43 bytes of at most 64.
pub fn collapse_id(user: User, mail: &NewMail) -> String {
    let mut hash = Sha256::new();
    // Numbers have a fixed width and stand first, so no two mails give the same bytes.
    for number in [user.context, user.id, mail.uid_validity, mail.uid] {
        hash.update(number.to_be_bytes());
    }
    hash.update(mail.folder.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// What `shape` makes of a mail's texts, with the texts cut so that it keeps the limit: first the
/// subject, then the sender, and only where a mailbox has a name of kilobytes also that.
fn fitted(mail: &NewMail, shape: impl Fn(&Texts<'_>) -> Value) -> Value {
    let mut texts = Texts::of(mail);
    for part in [Part::Subject, Part::Sender, Part::Folder] {
        let shaped = shape(&texts);
        let excess_bytes = shaped.to_string().len().saturating_sub(PAYLOAD_LIMIT_BYTES);
        if excess_bytes == 0 {
            return shaped;
        }
        let text = match part {
            Part::Subject => &mut texts.subject,
            Part::Sender => &mut texts.sender,
            Part::Folder => &mut texts.folder,
        };
        *text = cut(text, encoded_len(text).saturating_sub(excess_bytes));
    }
    shape(&texts)
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Subject,
    Sender,
    Folder,
}

/// The parts of a push whose length the sender of a mail decides.
#[derive(Debug, Clone, Copy)]
struct Texts<'a> {
    subject: &'a str,
    sender: &'a str,
    folder: &'a str,
}

impl<'a> Texts<'a> {
    fn of(mail: &'a NewMail) -> Self {
        let shown = |text: &'a Option<String>, otherwise| match text.as_deref() {
            Some(text) if !text.trim().is_empty() => text,
            _ => otherwise,
        };
        Self {
            subject: shown(&mail.subject, NO_SUBJECT),
            sender: shown(&mail.sender, NO_SENDER),
            folder: &mail.folder,
        }
    }

    fn cid(&self, uid: u32) -> String {
        format!("{ACCOUNT}{}:{uid}", self.folder)
    }
}

#[cfg(test)]
#[path = "render/tests.rs"]
mod tests;
