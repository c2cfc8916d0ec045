//! Whether a mail login and a password belong together.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use belfry_imap::{Error, ImapEndpoint, Login};
use belfry_plugin_api::secret::Secret;
use futures_util::future::BoxFuture;

use super::settings::Settings;

/// Why a login was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The mail server does not know this login with this password.
    #[error("the mail server refused the login or the password")]
    Wrong,
    /// The mail server could not be asked; the sentence is for the operator.
    #[error("{0}")]
    Unavailable(String),
}

/// Who knows whether a password is right.
pub trait PasswordCheck: Send + Sync {
    /// Asks once.
    fn check<'a>(
        &'a self,
        settings: &'a Settings,
        login: &'a str,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<(), CheckError>>;
}

/// Asks the mail server at `belfry.imap.url`, by logging in there.
#[derive(Default)]
pub struct ImapPasswordCheck {
    /// Certificates are read once for each setting.
    endpoint: Mutex<Option<KnownEndpoint>>,
}

struct KnownEndpoint {
    url: String,
    ca: Option<PathBuf>,
    endpoint: Arc<ImapEndpoint>,
}

impl ImapPasswordCheck {
    async fn endpoint(&self, settings: &Settings) -> Result<Arc<ImapEndpoint>, CheckError> {
        let (url, ca) = (settings.imap_url.clone(), settings.imap_ca.clone());
        if let Some(known) = &*self.lock()
            && (&known.url, &known.ca) == (&url, &ca)
        {
            return Ok(Arc::clone(&known.endpoint));
        }
        let read = tokio::task::spawn_blocking(move || {
            let endpoint = ImapEndpoint::parse(&url, ca.as_deref())?;
            Ok::<_, belfry_imap::EndpointError>(KnownEndpoint {
                endpoint: Arc::new(endpoint),
                url,
                ca,
            })
        });
        let known = match read.await {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                let what = format!("belfry.imap.url or belfry.imap.ca cannot be used: {error}");
                return Err(CheckError::Unavailable(what));
            }
            Err(error) => return Err(CheckError::Unavailable(error.to_string())),
        };
        let endpoint = Arc::clone(&known.endpoint);
        *self.lock() = Some(known);
        Ok(endpoint)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<KnownEndpoint>> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PasswordCheck for ImapPasswordCheck {
    fn check<'a>(
        &'a self,
        settings: &'a Settings,
        login: &'a str,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<(), CheckError>> {
        Box::pin(async move {
            let endpoint = self.endpoint(settings).await?;
            match endpoint.login(&Login::user(login, password.clone())).await {
                Ok(session) => {
                    // The app need not wait for the mail server's goodbye.
                    tokio::spawn(session.logout());
                    Ok(())
                }
                Err(Error::WrongCredentials(_)) => Err(CheckError::Wrong),
                Err(error) => Err(CheckError::Unavailable(error.to_string())),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(imap_url: String) -> Result<(), CheckError> {
        let settings = Settings {
            permanent_allowed: true,
            allowed_clients: vec![],
            mobile_mail_app: true,
            context: 1,
            auto_provision: true,
            session_idle: std::time::Duration::from_secs(1),
            session_limit: 1,
            imap_url,
            imap_ca: None,
            master: None,
        };
        let check = ImapPasswordCheck::default();
        check.check(&settings, "anna", &"hunter2".into()).await
    }

    #[tokio::test]
    async fn a_mail_server_that_is_away_is_not_a_wrong_password() {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let url = format!("imap://127.0.0.1:{port}");
        let error = check(url.clone()).await.unwrap_err();
        assert!(matches!(error, CheckError::Unavailable(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&url) && !text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn a_url_that_cannot_be_used_is_the_operators_matter() {
        let error = check("imap://127.0.0.1/INBOX".into()).await.unwrap_err();
        assert!(error.to_string().contains("belfry.imap.url"), "{error}");
    }
}
