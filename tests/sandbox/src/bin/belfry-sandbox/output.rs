//! What the program prints.

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use belfry_sandbox::{Counts, Outcome, Provider, Push, Violation};
use serde_json::{Value, json};

const SECONDS_A_DAY: u64 = 86_400;
const SHOWN_TOKEN_LENGTH: usize = 12;

/// Text or JSON lines on standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    pub(crate) fn ready(self, apns: &str, fcm: &str, folder: &str) -> io::Result<()> {
        self.line(
            || json!({"event": "ready", "apns": apns, "fcm": fcm, "dir": folder}),
            || {
                format!(
                    "APNs double: {apns}\nFCM double:  {fcm}\nCredentials and sandbox.properties: {folder}\n\
                     Waiting for pushes; Ctrl-C ends.\n"
                )
            },
        )
    }

    pub(crate) fn push(self, push: &Push) -> io::Result<()> {
        self.line(|| push_json(push), || push_text(push))
    }

    pub(crate) fn violation(self, provider: Provider, violation: &Violation) -> io::Result<()> {
        self.line(
            || {
                json!({
                    "event": "violation",
                    "at_ms": milliseconds(violation.at),
                    "provider": provider.to_string(),
                    "connection": violation.connection,
                    "what": violation.what,
                })
            },
            || {
                format!(
                    "{} {provider:<4} broken rule, {violation}\n",
                    clock(violation.at)
                )
            },
        )
    }

    pub(crate) fn summary(self, apns: &Counts, fcm: &Counts) -> io::Result<()> {
        self.line(
            || json!({"event": "summary", "apns": counts_json(apns), "fcm": counts_json(fcm)}),
            || format!("{}{}", counts_text("APNs", apns), counts_text("FCM", fcm)),
        )
    }

    /// The answer to a command.
    pub(crate) fn note(self, text: &str) -> io::Result<()> {
        self.line(
            || json!({"event": "note", "text": text}),
            || format!("{text}\n"),
        )
    }

    fn line(self, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> io::Result<()> {
        let line = if self.json {
            format!("{}\n", json())
        } else {
            text()
        };
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.flush()
    }
}

/// One line on standard error; where that is closed nobody is left to hear it.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn push_text(push: &Push) -> String {
    let unread = match (push.provider, push.unread()) {
        (_, None) => String::new(),
        (Provider::Apns, Some(badge)) => format!(" [badge {badge}]"),
        (Provider::Fcm, Some(unread)) => format!(" [unread {unread}]"),
    };
    let outcome = match &push.outcome {
        Outcome::Accepted => String::new(),
        Outcome::AcceptedUnanswered => " -> taken in, answer lost".to_owned(),
        Outcome::Validated => " -> validated only".to_owned(),
        Outcome::Refused { status, reason } => format!(" -> {status} {}", harmless(reason)),
        Outcome::Dropped => " -> not taken in, not answered".to_owned(),
    };
    format!(
        "{} {:<4} {:<13} {} - {}{unread} {}{outcome}\n",
        clock(push.at),
        push.provider.to_string(),
        short(&push.token),
        harmless(push.sender().unwrap_or("?")),
        harmless(push.subject().unwrap_or("?")),
        harmless(push.cid().unwrap_or("(no cid)")),
    )
}

fn push_json(push: &Push) -> Value {
    let (outcome, status, reason) = match &push.outcome {
        Outcome::Accepted => ("accepted", Some(200), None),
        Outcome::AcceptedUnanswered => ("accepted-unanswered", None, None),
        Outcome::Validated => ("validated", Some(200), None),
        Outcome::Refused { status, reason } => ("refused", Some(*status), Some(reason)),
        Outcome::Dropped => ("dropped", None, None),
    };
    json!({
        "event": "push",
        "at_ms": milliseconds(push.at),
        "provider": push.provider.to_string(),
        "connection": push.connection,
        "token": push.token,
        "apns_id": push.apns_id,
        "collapse_id": push.collapse_id,
        "topic": push.topic,
        "sender": push.sender(),
        "subject": push.subject(),
        "unread": push.unread(),
        "cid": push.cid(),
        "outcome": outcome,
        "status": status,
        "reason": reason,
        "payload": push.payload,
    })
}

fn counts_text(name: &str, counts: &Counts) -> String {
    format!(
        "{name}: {} requests, {} taken in, {} refused, {} dropped, on {} connections (at most {} streams at \
         once), {} broken rules\n",
        counts.requests,
        counts.delivered,
        counts.refused,
        counts.dropped,
        counts.connections,
        counts.max_concurrent_streams,
        counts.violations,
    )
}

fn counts_json(counts: &Counts) -> Value {
    json!({
        "connections": counts.connections,
        "failed_handshakes": counts.failed_handshakes,
        "max_concurrent_streams": counts.max_concurrent_streams,
        "requests": counts.requests,
        "delivered": counts.delivered,
        "refused": counts.refused,
        "dropped": counts.dropped,
        "token_requests": counts.token_requests,
        "goaways": counts.goaways,
        "resets": counts.resets,
        "violations": counts.violations,
    })
}

fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Time of day, UTC.
fn clock(at: SystemTime) -> String {
    let milliseconds = milliseconds(at);
    let seconds = milliseconds / 1000 % SECONDS_A_DAY;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        milliseconds % 1000
    )
}

fn short(token: &str) -> String {
    let token = harmless(token);
    match token.char_indices().nth(SHOWN_TOKEN_LENGTH) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None if token.is_empty() => "(no device)".to_owned(),
        None => token,
    }
}

/// Text from outside for a terminal: what would move the cursor or turn the line around is shown as its
/// code.
fn harmless(text: &str) -> String {
    let is_bidi = |c| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_bidi(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}
