//! A push as a request to APNs.

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderValue, Method, Request, Uri};
use uuid::Uuid;

use crate::http2::Origin;
use crate::outcome::Outcome;
use crate::render::PAYLOAD_LIMIT_BYTES;

const APNS_ID: HeaderName = HeaderName::from_static("apns-id");
const APNS_TOPIC: HeaderName = HeaderName::from_static("apns-topic");
const APNS_PUSH_TYPE: HeaderName = HeaderName::from_static("apns-push-type");
const APNS_PRIORITY: HeaderName = HeaderName::from_static("apns-priority");
const APNS_EXPIRATION: HeaderName = HeaderName::from_static("apns-expiration");
const APNS_COLLAPSE_ID: HeaderName = HeaderName::from_static("apns-collapse-id");

/// The longest `apns-collapse-id`.
const COLLAPSE_ID_LIMIT_BYTES: usize = 64;

/// How urgent a push is (`apns-priority`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// 10: at once.
    #[default]
    Immediate,
    /// 5: when it suits the device's battery.
    PowerSaving,
    /// 1: power before all else, never waking the device.
    Low,
}

/// What a push does on the device (`apns-push-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PushType {
    /// It shows, sounds or sets the badge.
    #[default]
    Alert,
    /// It wakes the app only.
    Background,
}

/// One push to one device.
#[derive(Clone)]
pub struct ApnsRequest {
    /// The device's token in hexadecimal digits.
    pub token: String,
    /// The identity of the push, the same over all tries.
    pub apns_id: Uuid,
    /// Pushes with the same one show as one; at most 64 bytes.
    pub collapse_id: Option<String>,
    /// Until when APNs stores the push for a device that is off, in seconds since 1970; 0: not.
    pub expiration: u64,
    /// How urgent it is.
    pub priority: Priority,
    /// What it does.
    pub push_type: PushType,
    /// The JSON, at most 4,096 bytes.
    pub payload: Bytes,
    /// Tries of this push before this one.
    pub attempt: u32,
}

impl fmt::Debug for ApnsRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApnsRequest")
            .field("apns_id", &self.apns_id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// A push whose parts have been looked at; each try is built from it.
pub(super) struct Prepared {
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    payload: Bytes,
}

impl ApnsRequest {
    /// Checks what APNs would refuse, so that a fault of ours costs no request.
    pub(super) fn prepare(
        &self,
        origin: &Origin,
        topic: Option<&HeaderValue>,
    ) -> Result<Prepared, Outcome> {
        let hexadecimal =
            !self.token.is_empty() && self.token.bytes().all(|byte| byte.is_ascii_hexdigit());
        let uri = hexadecimal
            .then(|| origin.uri(&format!("/3/device/{}", self.token)))
            .flatten()
            .ok_or_else(|| Outcome::TokenDead {
                since_ms: None,
                reason: "the token is not one of APNs: it is not hexadecimal".to_owned(),
            })?;
        if self.payload.is_empty() || self.payload.len() > PAYLOAD_LIMIT_BYTES {
            return Err(Outcome::Rejected {
                reason: format!(
                    "the payload has {} bytes; APNs takes 1 to {PAYLOAD_LIMIT_BYTES}",
                    self.payload.len()
                ),
            });
        }
        let mut headers = vec![
            (APNS_ID, unique(&self.apns_id.hyphenated().to_string())?),
            (
                APNS_PUSH_TYPE,
                HeaderValue::from_static(self.push_type.as_str()),
            ),
            (
                APNS_PRIORITY,
                HeaderValue::from_static(self.priority.as_str()),
            ),
            (APNS_EXPIRATION, HeaderValue::from(self.expiration)),
        ];
        headers.extend(topic.map(|topic| (APNS_TOPIC, topic.clone())));
        if let Some(id) = &self.collapse_id {
            if id.is_empty() || id.len() > COLLAPSE_ID_LIMIT_BYTES {
                return Err(Outcome::Rejected {
                    reason: format!(
                        "the collapse id has {} bytes; APNs takes 1 to {COLLAPSE_ID_LIMIT_BYTES}",
                        id.len()
                    ),
                });
            }
            headers.push((APNS_COLLAPSE_ID, unique(id)?));
        }
        Ok(Prepared {
            uri,
            headers,
            payload: self.payload.clone(),
        })
    }
}

/// A value that no other push has: it is kept out of the header tables (RFC 7541, section 6.2.3),
/// where it would only drive out what all pushes share.
fn unique(text: &str) -> Result<HeaderValue, Outcome> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Outcome::Rejected {
        reason: format!("{text:?} cannot be sent as a header"),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Prepared {
    pub(super) fn build(&self, authorization: Option<&HeaderValue>) -> Request<Bytes> {
        let mut request = Request::new(self.payload.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }
}

impl Priority {
    fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "10",
            Self::PowerSaving => "5",
            Self::Low => "1",
        }
    }
}

impl PushType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Background => "background",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ApnsRequest {
        ApnsRequest {
            token: "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0".to_owned(),
            apns_id: Uuid::from_u128(0x123e_4567_e89b_12d3_a456_4266_1417_4000),
            collapse_id: Some("abc".to_owned()),
            expiration: 1_700_000_000,
            priority: Priority::Immediate,
            push_type: PushType::Alert,
            payload: Bytes::from_static(b"{}"),
            attempt: 0,
        }
    }

    fn prepare(request: &ApnsRequest) -> Result<Request<Bytes>, Outcome> {
        let origin = "https://api.push.apple.com".parse().unwrap();
        let topic = HeaderValue::from_static("org.example.mail");
        let prepared = request.prepare(&origin, Some(&topic))?;
        Ok(prepared.build(Some(&HeaderValue::from_static("bearer x"))))
    }

    #[test]
    fn a_push_is_a_post_with_the_headers_of_apns() {
        let built = prepare(&request()).unwrap();
        assert_eq!(built.method(), Method::POST);
        assert_eq!(
            built.uri().to_string(),
            format!("https://api.push.apple.com/3/device/{}", request().token)
        );
        for (name, value) in [
            ("apns-id", "123e4567-e89b-12d3-a456-426614174000"),
            ("apns-topic", "org.example.mail"),
            ("apns-push-type", "alert"),
            ("apns-priority", "10"),
            ("apns-expiration", "1700000000"),
            ("apns-collapse-id", "abc"),
            ("authorization", "bearer x"),
        ] {
            assert_eq!(built.headers()[name], value, "{name}");
        }
        assert_eq!(built.headers().len(), 7);
    }

    #[test]
    fn a_token_that_is_not_hexadecimal_is_dead() {
        for token in ["", "xyz", "../3/device/00", "00 11", "00?a=b"] {
            let outcome = prepare(&ApnsRequest {
                token: token.to_owned(),
                ..request()
            });
            assert!(
                matches!(outcome, Err(Outcome::TokenDead { .. })),
                "{token:?}"
            );
        }
    }

    #[test]
    fn what_apns_would_refuse_is_not_sent() {
        for faulty in [
            ApnsRequest {
                payload: Bytes::new(),
                ..request()
            },
            ApnsRequest {
                payload: vec![b' '; 4097].into(),
                ..request()
            },
            ApnsRequest {
                collapse_id: Some("x".repeat(65)),
                ..request()
            },
            ApnsRequest {
                collapse_id: Some("a\nb".to_owned()),
                ..request()
            },
        ] {
            assert!(matches!(prepare(&faulty), Err(Outcome::Rejected { .. })));
        }
    }

    #[test]
    fn a_device_token_does_not_show_in_debug() {
        assert!(!format!("{:?}", request()).contains("00fc13ad"));
    }
}
