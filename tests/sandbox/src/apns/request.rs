//! What APNs checks of a request besides its credential (Apple: "Sending notification requests to
//! APNs").

use http::request::Parts;
use http::{HeaderMap, Method};
use uuid::Uuid;

use crate::apns::reason::Reason;

const DEVICE_PATH: &str = "/3/device/";
const PAYLOAD_BYTES: usize = 4096;
/// VoIP pushes may be larger.
const VOIP_PAYLOAD_BYTES: usize = 5120;
const COLLAPSE_ID_BYTES: usize = 64;
/// Device tokens are 32 bytes today; Apple says not to count on it.
const TOKEN_DIGITS: std::ops::RangeInclusive<usize> = 64..=200;
const PUSH_TYPES: [&str; 11] = [
    "alert",
    "background",
    "complication",
    "controls",
    "fileprovider",
    "liveactivity",
    "location",
    "mdm",
    "pushtotalk",
    "voip",
    "widgets",
];
const SINGLE_HEADERS: [&str; 7] = [
    "apns-collapse-id",
    "apns-expiration",
    "apns-id",
    "apns-priority",
    "apns-push-type",
    "apns-topic",
    "authorization",
];

/// The device that a path names, before anything is known of it.
pub(crate) fn device(head: &Parts) -> &str {
    head.uri
        .path()
        .strip_prefix(DEVICE_PATH)
        .unwrap_or_default()
}

pub(crate) fn check_target(head: &Parts) -> Result<(), Reason> {
    if head.method != Method::POST {
        return Err(Reason::MethodNotAllowed);
    }
    match head.uri.path().strip_prefix(DEVICE_PATH) {
        None => Err(Reason::BadPath),
        Some("") => Err(Reason::MissingDeviceToken),
        Some(device) if device.contains('/') => Err(Reason::BadPath),
        Some(_) => Ok(()),
    }
}

pub(crate) fn check_single_headers(headers: &HeaderMap) -> Result<(), Reason> {
    let repeated = |name: &&str| headers.get_all(*name).iter().nth(1).is_some();
    if SINGLE_HEADERS.iter().any(repeated) {
        Err(Reason::DuplicateHeaders)
    } else {
        Ok(())
    }
}

/// The headers that describe the push; the topic's permission is the credential's affair.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), Reason> {
    if let Some(id) = text(headers, "apns-id", Reason::BadMessageId)? {
        // Only the canonical form: 36 characters in five groups.
        if id.len() != uuid::fmt::Hyphenated::LENGTH || Uuid::parse_str(id).is_err() {
            return Err(Reason::BadMessageId);
        }
    }
    if let Some(expiration) = text(headers, "apns-expiration", Reason::BadExpirationDate)?
        && expiration.parse::<u32>().is_err()
    {
        return Err(Reason::BadExpirationDate);
    }
    let push_type = text(headers, "apns-push-type", Reason::InvalidPushType)?;
    if !push_type.is_some_and(|kind| PUSH_TYPES.contains(&kind)) {
        return Err(Reason::InvalidPushType);
    }
    match (
        text(headers, "apns-priority", Reason::BadPriority)?,
        push_type,
    ) {
        (None | Some("10"), Some("background")) => return Err(Reason::BadPriority),
        (None | Some("10" | "5" | "1"), _) => {}
        _ => return Err(Reason::BadPriority),
    }
    if let Some(id) = headers.get("apns-collapse-id")
        && (id.is_empty() || id.len() > COLLAPSE_ID_BYTES)
    {
        return Err(Reason::BadCollapseId);
    }
    Ok(())
}

/// The topic, where one is named; a bundle identifier has letters, digits, hyphens and dots.
pub(crate) fn topic(headers: &HeaderMap) -> Result<Option<&str>, Reason> {
    let topic = text(headers, "apns-topic", Reason::BadTopic)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if topic.is_some_and(|topic| topic.is_empty() || !topic.chars().all(is_plain)) {
        return Err(Reason::BadTopic);
    }
    Ok(topic)
}

pub(crate) fn check_payload(headers: &HeaderMap, body: &[u8]) -> Result<(), Reason> {
    let is_voip = headers
        .get("apns-push-type")
        .is_some_and(|kind| kind == "voip");
    if body.len()
        > if is_voip {
            VOIP_PAYLOAD_BYTES
        } else {
            PAYLOAD_BYTES
        }
    {
        return Err(Reason::PayloadTooLarge);
    }
    let is_object = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_object || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
        return Err(Reason::PayloadEmpty);
    }
    Ok(())
}

pub(crate) fn check_device(device: &str) -> Result<(), Reason> {
    let is_token = TOKEN_DIGITS.contains(&device.len())
        && device.len().is_multiple_of(2)
        && device.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_token {
        Ok(())
    } else {
        Err(Reason::BadDeviceToken)
    }
}

fn text<'a>(
    headers: &'a HeaderMap,
    name: &str,
    otherwise: Reason,
) -> Result<Option<&'a str>, Reason> {
    headers
        .get(name)
        .map(|value| value.to_str().map_err(|_| otherwise))
        .transpose()
}
