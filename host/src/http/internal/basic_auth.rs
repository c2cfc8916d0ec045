//! Basic authentication (RFC 7617) of mail servers.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::config::Snapshot;

const LOGIN: &str = "com.openexchange.rest.services.basic-auth.login";
const PASSWORD: &str = "com.openexchange.rest.services.basic-auth.password";

/// How long the answer to wrong credentials is held back. Somebody who guesses gets a hundred
/// tries for each second over all their connections; a mail server with right ones never waits.
const PENALTY: Duration = Duration::from_secs(1);

/// Wrong tries that are held back at once; further ones are answered when these are done.
const HELD_BACK: usize = 100;

/// What keeps those who guess busy.
#[derive(Debug, Clone)]
pub struct Penalties {
    places: Arc<Semaphore>,
}

impl Default for Penalties {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(HELD_BACK)),
        }
    }
}

impl Penalties {
    pub(super) async fn serve(&self) {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        tokio::time::sleep(PENALTY).await;
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The operator set no login or password.
    NotSet,
    /// No credentials, or not in the form of Basic authentication.
    Missing,
    /// Other credentials.
    Wrong,
}

impl Refused {
    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::NotSet => "the operator has set no login and password for mail servers",
            Self::Missing => "Basic authentication is required",
            Self::Wrong => "the login or the password is wrong",
        }
    }
}

/// Compares in a time that tells nothing of how much was right.
pub(super) fn check(config: &Snapshot, headers: &HeaderMap) -> Result<(), Refused> {
    let (Some(login), Some(password)) = (config.get(LOGIN), config.get(PASSWORD)) else {
        return Err(Refused::NotSet);
    };
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .ok_or(Refused::Missing)?;
    let mut wanted = Sha256::new();
    wanted.update(login);
    wanted.update(b":");
    wanted.update(password);
    if bool::from(Sha256::digest(&given).ct_eq(&wanted.finalize())) {
        Ok(())
    } else {
        Err(Refused::Wrong)
    }
}
