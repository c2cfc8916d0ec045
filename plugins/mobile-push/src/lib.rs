//! The transport to Apple's and Google's push services.
//!
//! An event of new mail is [rendered](render) once for each provider; the host fans it out over
//! the user's devices and hands each delivery back, which [`apns`] or [`fcm`] sends. Which
//! certificates and keys that happens with is [`accounts`]' business.
#![forbid(unsafe_code)]

mod accounts;
pub mod apns;
pub mod backoff;
pub mod clock;
pub mod fcm;
mod gate;
pub mod http2;
pub mod jwt;
pub mod keystore;
pub mod outcome;
pub mod render;
mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use belfry_plugin_api::event::Event;
use belfry_plugin_api::frame::{Delivery, Handled, Message, Outcome, Rendition, Scope};
use belfry_plugin_api::mail::NewMail;
use belfry_plugin_api::{Config, EventHandler, Host, Plugin, Result, Transport, export_plugin};
use bytes::Bytes;

use accounts::Accounts;
use apns::{ApnsRequest, Priority, PushType};
use fcm::FcmRequest;

/// The transport's name for Apple devices.
const APNS: &str = "apns";

/// The transport's name for Android devices.
const FCM: &str = "fcm";

/// The plugin.
pub struct MobilePush {
    accounts: Accounts,
}

impl Plugin for MobilePush {
    async fn start(host: Host, config: Config) -> Result<Self> {
        Ok(Self {
            accounts: Accounts::set_up(host, config).await?,
        })
    }

    async fn configure(&self, config: Config) -> Result<()> {
        self.accounts.configure(config).await
    }

    async fn credential_changed(&self, provider: String) {
        self.accounts.credential_changed(&provider).await;
    }
}

impl EventHandler for MobilePush {
    async fn handle(&self, event: Event) -> Result<Handled> {
        let Some((user, mail)) = NewMail::from_event(&event) else {
            return Ok(Handled::default());
        };
        let time_to_live_s = self.accounts.time_to_live_s();
        let rendition = |payload, collapse_key| Rendition {
            payload,
            collapse_key,
            time_to_live_s,
        };
        let mut renditions = BTreeMap::new();
        if self.accounts.apns_enabled() {
            let collapse_id = render::collapse_id(user, &mail);
            let apns = rendition(render::apns_payload(&mail), Some(collapse_id));
            renditions.insert(APNS.to_owned(), apns);
        }
        if self.accounts.fcm_enabled() {
            let data = Bytes::from(render::fcm_data(&mail).to_string());
            renditions.insert(FCM.to_owned(), rendition(data, None));
        }
        let message = Message {
            user,
            key: format!("mail/{}/{}/{}", mail.uid_validity, mail.uid, mail.folder),
            renditions,
        };
        Ok(Handled {
            messages: vec![message],
            answer: None,
        })
    }
}

impl Transport for MobilePush {
    async fn deliver(&self, delivery: Delivery) -> Outcome {
        match delivery.transport.as_str() {
            APNS => self.to_apns(delivery).await,
            FCM => self.to_fcm(delivery).await,
            other => Outcome::Refused {
                reason: format!("mobile-push is no transport {other:?}"),
            },
        }
    }
}

impl MobilePush {
    async fn to_apns(&self, delivery: Delivery) -> Outcome {
        let account = match self.accounts.apns() {
            Ok(account) => account,
            Err(reason) => return no_account(reason),
        };
        let Some(token) = delivery.token.expose_str() else {
            return not_text();
        };
        let request = ApnsRequest {
            token: token.to_owned(),
            apns_id: delivery.message_id,
            collapse_id: delivery.collapse_key,
            expiration: u64::try_from(delivery.expires_at_s).unwrap_or(0),
            priority: Priority::Immediate,
            push_type: PushType::Alert,
            payload: delivery.payload,
            attempt: delivery.attempts,
        };
        answer(account.send(&request).await)
    }

    async fn to_fcm(&self, delivery: Delivery) -> Outcome {
        let account = match self.accounts.fcm() {
            Ok(account) => account,
            Err(reason) => return no_account(reason),
        };
        let Some(token) = delivery.token.expose_str() else {
            return not_text();
        };
        let data = match serde_json::from_slice(&delivery.payload) {
            Ok(data) => data,
            Err(error) => {
                let reason = format!("the data of the message cannot be read: {error}");
                return Outcome::Refused { reason };
            }
        };
        let left = delivery
            .expires_at_s
            .saturating_sub_unsigned(clock::now_s());
        let request = FcmRequest {
            token: token.to_owned(),
            data,
            ttl: Duration::from_secs(u64::try_from(left).unwrap_or(0)),
            attempt: delivery.attempts,
        };
        answer(account.send(&request).await)
    }
}

fn not_text() -> Outcome {
    Outcome::TokenDead {
        since_ms: None,
        reason: "the token is no text".into(),
    }
}

fn no_account(reason: String) -> Outcome {
    Outcome::Retry {
        after_ms: Some(accounts::PAUSE_MS),
        scope: Scope::Transport,
        reason,
    }
}

fn milliseconds(duration: Duration) -> Option<u64> {
    u64::try_from(duration.as_millis()).ok()
}

/// What the host is told of an outcome.
fn answer(outcome: outcome::Outcome) -> Outcome {
    match outcome {
        outcome::Outcome::Delivered => Outcome::Delivered,
        outcome::Outcome::TokenDead { since_ms, reason } => Outcome::TokenDead {
            since_ms: since_ms.and_then(|ms| i64::try_from(ms).ok()),
            reason,
        },
        outcome::Outcome::RetryLater {
            after,
            scope,
            reason,
            ..
        } => Outcome::Retry {
            after_ms: milliseconds(after),
            scope: match scope {
                outcome::Scope::Token => Scope::Device,
                outcome::Scope::Account => Scope::Transport,
            },
            reason,
        },
        outcome::Outcome::CredentialRefused { after, reason } => Outcome::Retry {
            after_ms: milliseconds(after),
            scope: Scope::Transport,
            reason,
        },
        outcome::Outcome::Rejected { reason } => Outcome::Refused { reason },
    }
}

export_plugin!(MobilePush: EventHandler, Transport);
