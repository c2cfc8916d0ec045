//! The properties that this module obeys, read in one place.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use belfry_plugin_api::frame::MailCredentials;
use belfry_plugin_api::secret::Secret;

use crate::config::{Config, Snapshot, ValueError};

/// The properties in force at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `com.openexchange.push.allowPermanentPush`
    pub permanent_allowed: bool,
    /// `com.openexchange.push.allowedClient`
    pub allowed_clients: Vec<String>,
    /// `com.openexchange.capability.mobile_mail_app`
    pub mobile_mail_app: bool,
    /// `belfry.user.context`: where users are made known at their first login.
    pub context: u32,
    /// `belfry.user.auto-provision`: whether they are.
    pub auto_provision: bool,
    /// `belfry.session.idle-timeout`: after how long without a request a session ends.
    pub session_idle: Duration,
    /// `belfry.session.limit`: how many sessions there may be.
    pub session_limit: usize,
    /// `belfry.imap.url`
    pub imap_url: String,
    /// `belfry.imap.ca`
    pub imap_ca: Option<PathBuf>,
    /// What opens every mailbox, with `com.openexchange.mail.passwordSource = global`.
    pub master: Option<MailCredentials>,
}

impl Settings {
    fn read(snapshot: &Snapshot) -> Result<Self, ValueError> {
        Ok(Self {
            permanent_allowed: snapshot.require("com.openexchange.push.allowPermanentPush")?,
            allowed_clients: snapshot.require("com.openexchange.push.allowedClient")?,
            mobile_mail_app: snapshot.require("com.openexchange.capability.mobile_mail_app")?,
            context: snapshot.require("belfry.user.context")?,
            auto_provision: snapshot.require("belfry.user.auto-provision")?,
            session_idle: snapshot.require("belfry.session.idle-timeout")?,
            session_limit: snapshot.require("belfry.session.limit")?,
            imap_url: snapshot.require("belfry.imap.url")?,
            imap_ca: snapshot.read("belfry.imap.ca")?,
            master: master(snapshot)?,
        })
    }
}

/// Without a master user everybody has the master password, as in the system that the
/// properties come from.
fn master(snapshot: &Snapshot) -> Result<Option<MailCredentials>, ValueError> {
    let source: String = snapshot.require("com.openexchange.mail.passwordSource")?;
    if source != "global" {
        return Ok(None);
    }
    let password: Secret = snapshot.require("com.openexchange.mail.masterPassword")?;
    let separator = snapshot.require("belfry.imap.master-separator")?;
    Ok(Some(match snapshot.read("belfry.imap.master-user")? {
        Some(master) => MailCredentials::Master {
            master,
            password,
            separator,
        },
        None => MailCredentials::Password { password },
    }))
}

/// The settings of the configuration in force, read anew when that has changed.
pub(super) struct LiveSettings {
    config: Arc<Config>,
    last: RwLock<(Arc<Snapshot>, Arc<Settings>)>,
}

impl LiveSettings {
    pub(super) fn new(config: Arc<Config>) -> Result<Self, ValueError> {
        let snapshot = config.snapshot();
        let settings = Arc::new(Settings::read(&snapshot)?);
        Ok(Self {
            config,
            last: RwLock::new((snapshot, settings)),
        })
    }

    /// Those in force now. Where the configuration has become contradictory, the last good ones.
    pub(super) fn current(&self) -> Arc<Settings> {
        let snapshot = self.config.snapshot();
        {
            let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&last.0, &snapshot) {
                return Arc::clone(&last.1);
            }
        }
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last.0, &snapshot) {
            match Settings::read(&snapshot) {
                Ok(settings) => *last = (snapshot, Arc::new(settings)),
                Err(error) => {
                    tracing::error!("users and listeners are treated as before: {error}");
                    last.0 = snapshot;
                }
            }
        }
        Arc::clone(&last.1)
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}
