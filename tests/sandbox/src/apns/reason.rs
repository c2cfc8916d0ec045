//! Why APNs refuses (Apple: "Handling notification responses from APNs").

use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use serde_json::json;

use crate::answer::Answer;

/// The reasons that the double finds by itself; faults can name any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    BadCollapseId,
    BadDeviceToken,
    BadExpirationDate,
    BadMessageId,
    BadPriority,
    BadTopic,
    DuplicateHeaders,
    InvalidPushType,
    MissingDeviceToken,
    MissingTopic,
    PayloadEmpty,
    TopicDisallowed,
    BadCertificate,
    ExpiredProviderToken,
    InvalidProviderToken,
    MissingProviderToken,
    UnrelatedKeyIdInToken,
    BadPath,
    MethodNotAllowed,
    PayloadTooLarge,
    TooManyProviderTokenUpdates,
}

impl Reason {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::BadCertificate
            | Self::ExpiredProviderToken
            | Self::InvalidProviderToken
            | Self::MissingProviderToken
            | Self::UnrelatedKeyIdInToken => 403,
            Self::BadPath => 404,
            Self::MethodNotAllowed => 405,
            Self::PayloadTooLarge => 413,
            Self::TooManyProviderTokenUpdates => 429,
            _ => 400,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BadCollapseId => "BadCollapseId",
            Self::BadDeviceToken => "BadDeviceToken",
            Self::BadExpirationDate => "BadExpirationDate",
            Self::BadMessageId => "BadMessageId",
            Self::BadPriority => "BadPriority",
            Self::BadTopic => "BadTopic",
            Self::DuplicateHeaders => "DuplicateHeaders",
            Self::InvalidPushType => "InvalidPushType",
            Self::MissingDeviceToken => "MissingDeviceToken",
            Self::MissingTopic => "MissingTopic",
            Self::PayloadEmpty => "PayloadEmpty",
            Self::TopicDisallowed => "TopicDisallowed",
            Self::BadCertificate => "BadCertificate",
            Self::ExpiredProviderToken => "ExpiredProviderToken",
            Self::InvalidProviderToken => "InvalidProviderToken",
            Self::MissingProviderToken => "MissingProviderToken",
            Self::UnrelatedKeyIdInToken => "UnrelatedKeyIdInToken",
            Self::BadPath => "BadPath",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::PayloadTooLarge => "PayloadTooLarge",
            Self::TooManyProviderTokenUpdates => "TooManyProviderTokenUpdates",
        }
    }
}

/// An error answer: `{"reason": …}`, for a 410 with the `timestamp` in milliseconds since when the
/// device has been gone.
pub(crate) fn answer(status: u16, reason: &str, gone_since: Option<SystemTime>) -> Answer {
    let mut body = json!({"reason": reason});
    if status == StatusCode::GONE.as_u16() {
        let since = gone_since.unwrap_or_else(SystemTime::now);
        let milliseconds = since
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        body["timestamp"] = u64::try_from(milliseconds).unwrap_or(u64::MAX).into();
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer::json(status, &body)
}
