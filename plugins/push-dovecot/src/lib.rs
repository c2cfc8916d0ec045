//! The listener for Dovecot.
//!
//! Dovecot reports new mail with a request to the host's internal HTTP; [`notify`] reads it,
//! [`text`] makes its texts fit to be shown. Dovecot reports only the users whose mail was asked
//! for, by an entry of server metadata: [`metadata`].
#![forbid(unsafe_code)]

pub mod metadata;
pub mod notify;
mod settings;
pub mod text;

use std::sync::{Arc, PoisonError, RwLock};

use belfry_imap::Login;
use belfry_plugin_api::event::Event;
use belfry_plugin_api::frame::{Account, MailCredentials, Report};
use belfry_plugin_api::{Config, Error, Host, Listener, Plugin, Result, export_plugin};

use settings::Settings;

/// The plugin.
pub struct PushDovecot {
    settings: RwLock<Arc<Settings>>,
}

impl PushDovecot {
    fn settings(&self) -> Arc<Settings> {
        // The lock guards one pointer, which is replaced whole.
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Plugin for PushDovecot {
    async fn start(_host: Host, config: Config) -> Result<Self> {
        let settings = Settings::read(&config).await?;
        Ok(Self {
            settings: RwLock::new(settings.into()),
        })
    }

    async fn configure(&self, config: Config) -> Result<()> {
        let settings = Settings::read(&config).await?;
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = settings.into();
        Ok(())
    }
}

impl Listener for PushDovecot {
    async fn listen(&self, account: Account) -> Result<()> {
        let settings = self.settings();
        let login = login(&settings, &account)?;
        metadata::register(&settings.endpoint, &login, account.user).await?;
        tracing::info!(user = %account.user, "Dovecot reports the user's mail");
        Ok(())
    }

    async fn unlisten(&self, account: Account) -> Result<()> {
        let settings = self.settings();
        let login = login(&settings, &account)?;
        metadata::unregister(&settings.endpoint, &login).await?;
        tracing::info!(user = %account.user, "Dovecot reports the user's mail no longer");
        Ok(())
    }

    async fn report(&self, report: Report) -> Result<Vec<Event>> {
        let user = report.user()?;
        Ok(notify::event(&report.body, user)?.into_iter().collect())
    }
}

/// The login that the operator's configuration and the host's credentials allow.
fn login(settings: &Settings, account: &Account) -> Result<Login> {
    match (&account.credentials, settings.master_only) {
        (
            Some(MailCredentials::Master {
                master,
                password,
                separator,
            }),
            _,
        ) => Ok(Login::Master {
            user: account.login.clone(),
            master_user: master.clone(),
            master_password: password.clone(),
            separator: separator.clone(),
        }),
        (Some(MailCredentials::Password { password }), false) => {
            Ok(Login::user(account.login.clone(), password.clone()))
        }
        (Some(MailCredentials::Password { .. }), true) => Err(Error::permanent(
            "belfry.push-dovecot.metadata is master, and there is no master user: set \
             com.openexchange.mail.passwordSource = global, com.openexchange.mail.masterPassword \
             and belfry.imap.master-user",
        )),
        (None, _) => Err(Error::permanent(format_args!(
            "there are no credentials for the mailbox of {}: the user has to log in again, or a \
             master user is needed",
            account.user
        ))),
    }
}

export_plugin!(PushDovecot: Listener);

#[cfg(test)]
mod tests;
