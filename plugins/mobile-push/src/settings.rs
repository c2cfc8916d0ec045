//! What the operator wants.

use std::path::PathBuf;

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::{Config, Result};

use crate::http2::Trust;

/// What the operator wants of both providers.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) apns: ApnsWanted,
    pub(crate) fcm: FcmWanted,
    /// How long a push is of use, in seconds.
    pub(crate) time_to_live_s: u32,
}

/// What the operator wants of Apple's service.
#[derive(Debug, Clone)]
pub(crate) struct ApnsWanted {
    pub(crate) enabled: bool,
    pub(crate) keystore: Option<PathBuf>,
    pub(crate) password: Option<Secret>,
    pub(crate) production: Option<bool>,
    pub(crate) endpoint: Option<String>,
    pub(crate) trust: Trust,
    pub(crate) topic: Option<String>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) key_id: Option<String>,
    pub(crate) team_id: Option<String>,
}

/// What the operator wants of Google's service.
#[derive(Debug, Clone)]
pub(crate) struct FcmWanted {
    pub(crate) enabled: bool,
    pub(crate) service_account: Option<PathBuf>,
    /// The key of the original's configuration: a path today.
    pub(crate) original_key: Option<Secret>,
    pub(crate) endpoint: Option<String>,
    pub(crate) trust: Trust,
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self> {
        let original = |name: &str| format!("com.openxchange.mobilepush.events.{name}");
        let own = |name: &str| format!("belfry.mobile-push.{name}");
        let path = |key: &str| config.text(key).map(PathBuf::from);
        let text = |key: &str| config.text(key).map(str::to_owned);
        let trust = |key: &str| path(key).map_or(Trust::System, Trust::File);
        Ok(Self {
            apns: ApnsWanted {
                enabled: config.flag(&original("apn.ios.enabled"))?,
                keystore: path(&original("apn.ios.keystore")),
                password: config.secret(&original("apn.ios.password")),
                production: config.parse(&original("apn.ios.production"))?,
                endpoint: text(&own("apns.endpoint")),
                trust: trust(&own("apns.ca")),
                topic: text(&own("apns.topic")),
                key: path(&own("apns.key")),
                key_id: text(&own("apns.key-id")),
                team_id: text(&own("apns.team-id")),
            },
            fcm: FcmWanted {
                enabled: config.flag(&original("gcm.enabled"))?,
                service_account: path(&own("fcm.service-account")),
                original_key: config.secret(&original("gcm.key")),
                endpoint: text(&own("fcm.endpoint")),
                trust: trust(&own("fcm.ca")),
            },
            time_to_live_s: config.parse(&own("time-to-live-s"))?.unwrap_or(86_400),
        })
    }
}
