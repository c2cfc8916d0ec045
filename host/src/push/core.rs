//! What is known, and what it means for a user.

use std::sync::Arc;

use belfry_plugin_api::frame::MailCredentials;
use belfry_plugin_api::user::User;

use super::clients::is_allowed;
use super::decide::{Candidate, Circumstances, CredentialSource, Decision, decide};
use super::directory::Directory;
use super::listeners::ListenerPlugins;
use super::registry::Registry;
use super::sessions::{Limits, Session, Table};
use super::settings::{LiveSettings, Settings};
use crate::storage::{Login, Registration, StorageError};

/// What is known of users, from the configuration, the database, the sessions and the plugins.
pub(super) struct Core {
    pub(super) settings: LiveSettings,
    pub(super) directory: Directory,
    pub(super) registry: Registry,
    pub(super) sessions: Table,
    pub(super) plugins: Arc<dyn ListenerPlugins>,
}

/// What should be the case for a user's listener.
pub(super) struct Wanted {
    pub(super) decision: Decision,
    /// The login at the mail store; none where the user is gone.
    pub(super) login: Option<Login>,
    /// What opens the mailbox now.
    pub(super) credentials: Option<MailCredentials>,
    /// Whether registrations have ended of which the listener does not know yet.
    pub(super) ended: bool,
    pub(super) candidates: Vec<Candidate>,
}

impl Core {
    pub(super) fn limits(&self) -> Limits {
        let settings = self.settings.current();
        Limits {
            idle: settings.session_idle,
            total: settings.session_limit,
        }
    }

    pub(super) async fn wanted(&self, user: User) -> Result<Wanted, StorageError> {
        let settings = self.settings.current();
        let registrations = self.registry.registrations(user).await?;
        let record = self.directory.record(user).await?;
        let sessions = self.sessions.of(user);
        let candidates = self.plugins.candidates();
        let decision = decide(&Circumstances {
            permanent_allowed: settings.permanent_allowed,
            registered: registrations
                .iter()
                .any(|registration| !registration.ending),
            registered_by_allowed: holding(&registrations, &settings).next().is_some(),
            in_session: in_session(&registrations, &sessions, &settings),
            master: settings.master.is_some(),
            password: !sessions.is_empty(),
            candidates: &candidates,
        });
        Ok(Wanted {
            credentials: credentials(&decision, &settings, &sessions),
            decision,
            login: record.map(|record| record.login.clone()),
            ended: registrations.iter().any(|registration| registration.ending),
            candidates,
        })
    }

    /// Whether anybody waits for this user's mail. It does not matter whether the listener runs
    /// at the moment: a mail server goes on reporting while its plugin is replaced.
    pub(super) async fn is_registered(&self, user: User) -> Result<bool, StorageError> {
        let settings = self.settings.current();
        let registrations = self.registry.registrations(user).await?;
        if settings.permanent_allowed && holding(&registrations, &settings).next().is_some() {
            return Ok(true);
        }
        let sessions = self.sessions.of(user);
        Ok(in_session(&registrations, &sessions, &settings))
    }
}

/// The registrations that count: not ending, and by clients that are allowed.
fn holding<'a>(
    registrations: &'a [Registration],
    settings: &'a Settings,
) -> impl Iterator<Item = &'a Registration> {
    registrations.iter().filter(|registration| {
        !registration.ending && is_allowed(&settings.allowed_clients, &registration.client)
    })
}

fn in_session(
    registrations: &[Registration],
    sessions: &[Arc<Session>],
    settings: &Settings,
) -> bool {
    holding(registrations, settings).any(|registration| {
        let mut clients = sessions.iter().map(|session| &*session.client);
        clients.any(|client| client == registration.client)
    })
}

/// What opens the mailbox. Where nothing is to be listened to it may be needed, too, for taking
/// leave.
fn credentials(
    decision: &Decision,
    settings: &Settings,
    sessions: &[Arc<Session>],
) -> Option<MailCredentials> {
    let from_session = || {
        let password = sessions.first()?.password.clone();
        Some(MailCredentials::Password { password })
    };
    match decision {
        Decision::Permanent { credentials, .. } | Decision::SessionBound { credentials, .. } => {
            match credentials {
                CredentialSource::Master => settings.master.clone(),
                CredentialSource::Session => from_session(),
                CredentialSource::NextLogin => None,
            }
        }
        Decision::None { .. } => settings.master.clone().or_else(from_session),
    }
}
