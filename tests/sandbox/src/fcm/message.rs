//! What FCM checks of a message (firebase.google.com: "rest/v1/projects.messages").

use serde_json::{Map, Value};

use crate::fcm::error::FcmError;

/// Keys and values of the data, and the texts of a notification, together.
const PAYLOAD_BYTES: usize = 4096;
/// Four weeks.
const TTL_SECONDS: u64 = 2_419_200;
const LONGEST_TOKEN: usize = 4096;

const REQUEST_FIELDS: [&str; 3] = ["message", "validate_only", "validateOnly"];
const MESSAGE_FIELDS: [&str; 11] = [
    "android",
    "apns",
    "condition",
    "data",
    "fcm_options",
    "fcmOptions",
    "name",
    "notification",
    "token",
    "topic",
    "webpush",
];
const ANDROID_FIELDS: [&str; 16] = [
    "bandwidth_constrained_ok",
    "bandwidthConstrainedOk",
    "collapse_key",
    "collapseKey",
    "data",
    "direct_boot_ok",
    "directBootOk",
    "fcm_options",
    "fcmOptions",
    "notification",
    "priority",
    "restricted_package_name",
    "restrictedPackageName",
    "restricted_satellite_ok",
    "restrictedSatelliteOk",
    "ttl",
];

/// What the double needs of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Message<'a> {
    pub(crate) token: &'a str,
    pub(crate) collapse_key: Option<&'a str>,
    pub(crate) validate_only: bool,
}

/// The parts that can be named before the message was checked.
pub(crate) fn outline(request: &Value) -> Message<'_> {
    let message = &request["message"];
    let android = &message["android"];
    let validate_only = request
        .get("validate_only")
        .or_else(|| request.get("validateOnly"));
    Message {
        token: message["token"].as_str().unwrap_or_default(),
        collapse_key: android["collapse_key"]
            .as_str()
            .or_else(|| android["collapseKey"].as_str()),
        validate_only: validate_only.and_then(Value::as_bool).unwrap_or(false),
    }
}

pub(crate) fn check(request: &Value) -> Result<(), FcmError> {
    let request = object(request, "")?;
    known_fields(request, &REQUEST_FIELDS, "")?;
    let message = request
        .get("message")
        .ok_or_else(|| FcmError::bad_field("message", "The message is not set."))?;
    let message = object(message, "message")?;
    known_fields(message, &MESSAGE_FIELDS, "message")?;
    let data_bytes = message
        .get("data")
        .map_or(Ok(0), |data| check_data(data, "message.data"))?;
    let notification_bytes = message.get("notification").map_or(0, texts);
    let android_bytes = message.get("android").map_or(Ok(0), check_android)?;
    check_target(message)?;
    if data_bytes + notification_bytes + android_bytes > PAYLOAD_BYTES {
        return Err(FcmError::too_big());
    }
    Ok(())
}

fn check_target(message: &Map<String, Value>) -> Result<(), FcmError> {
    let targets = ["token", "topic", "condition"]
        .iter()
        .filter(|name| message.contains_key(**name))
        .count();
    match (targets, message.get("token")) {
        (0, _) => Err(FcmError::bad_field(
            "message.token",
            "Recipient of the message is not set.",
        )),
        (1, Some(Value::String(token))) if is_token(token) => Ok(()),
        (1, Some(Value::String(_))) => Err(FcmError::bad_token()),
        (1, Some(other)) => Err(not_text("message.token", other)),
        (1, None) => Err(FcmError::bad_field(
            "message",
            "This double delivers to tokens only.",
        )),
        _ => Err(FcmError::bad_field(
            "message",
            "oneof field 'target' is already set.",
        )),
    }
}

fn is_token(token: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    !token.is_empty() && token.len() <= LONGEST_TOKEN && token.bytes().all(is_plain)
}

fn check_android(android: &Value) -> Result<usize, FcmError> {
    let android = object(android, "message.android")?;
    known_fields(android, &ANDROID_FIELDS, "message.android")?;
    match android
        .get("priority")
        .map(|priority| (priority, priority.as_str()))
    {
        // Google's pages write it both ways.
        None | Some((_, Some("HIGH" | "NORMAL" | "high" | "normal"))) => {}
        Some((other, _)) => {
            let problem = format!(
                "Invalid value at 'message.android.priority' (type.googleapis.com/google.firebase.fcm.v1.AndroidConfig.MessagePriority), {other}"
            );
            return Err(FcmError::bad_field("message.android.priority", problem));
        }
    }
    if let Some(ttl) = android.get("ttl") {
        let is_valid = ttl.as_str().is_some_and(is_ttl);
        if !is_valid {
            let problem = format!(
                "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), {ttl}"
            );
            return Err(FcmError::bad_field("message.android.ttl", problem));
        }
    }
    android
        .get("data")
        .map_or(Ok(0), |data| check_data(data, "message.android.data"))
}

/// Seconds with up to nine decimals and an `s` (JSON form of `google.protobuf.Duration`), up to four
/// weeks.
fn is_ttl(text: &str) -> bool {
    let Some(number) = text.strip_suffix('s') else {
        return false;
    };
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_fraction =
        (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let is_in_range = seconds.parse::<u64>().is_ok_and(|seconds| {
        seconds < TTL_SECONDS
            || (seconds == TTL_SECONDS && fraction.bytes().all(|byte| byte == b'0'))
    });
    is_whole && is_fraction && is_in_range
}

/// The size of the data: all values are strings, no key is one of Google's own.
fn check_data(data: &Value, field: &str) -> Result<usize, FcmError> {
    let mut bytes = 0;
    for (key, value) in object(data, field)? {
        let Value::String(value) = value else {
            return Err(not_text(&format!("{field}[{key}]"), value));
        };
        let is_reserved = matches!(key.as_str(), "from" | "message_type")
            || key.starts_with("google.")
            || key.starts_with("gcm.notification.");
        if is_reserved {
            return Err(FcmError::bad_field(
                field,
                format!("Invalid data payload key: {key}"),
            ));
        }
        bytes += key.len() + value.len();
    }
    Ok(bytes)
}

fn texts(notification: &Value) -> usize {
    ["title", "body"]
        .iter()
        .filter_map(|name| notification[*name].as_str())
        .map(str::len)
        .sum()
}

fn object<'a>(value: &'a Value, field: &str) -> Result<&'a Map<String, Value>, FcmError> {
    value.as_object().ok_or_else(|| {
        FcmError::bad_field(
            field,
            format!("Invalid value at '{field}' (Map), Cannot bind a scalar or list."),
        )
    })
}

fn known_fields(object: &Map<String, Value>, known: &[&str], field: &str) -> Result<(), FcmError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(FcmError::bad_field(
            field,
            format!(
                "Invalid JSON payload received. Unknown name \"{key}\" at '{field}': Cannot find field."
            ),
        )),
    }
}

fn not_text(field: &str, value: &Value) -> FcmError {
    FcmError::bad_field(
        field,
        format!("Invalid value at '{field}' (TYPE_STRING), {value}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_seconds_up_to_four_weeks() {
        for good in ["0s", "86400s", "3.5s", "2419200s", "2419200.000s"] {
            assert!(is_ttl(good), "{good}");
        }
        for bad in [
            "",
            "s",
            "60",
            "-1s",
            "1.s",
            ".5s",
            "2419201s",
            "2419200.1s",
            "1e3s",
            "1.0000000000s",
        ] {
            assert!(!is_ttl(bad), "{bad}");
        }
    }
}
