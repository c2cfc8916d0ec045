//! The OAuth 2 access token of a service account (RFC 7523).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use belfry_plugin_api::secret::Secret;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use serde::{Deserialize, Serialize};

use super::service_account::ServiceAccount;
use crate::clock::{Clock, unix_seconds};
use crate::http2::{Pool, Response};
use crate::jwt::authorization;
use crate::outcome::{CREDENTIAL_PAUSE, Outcome, Scope, Wait, retry_after};

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

/// Google takes assertions of up to an hour.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(3600);

/// A token is renewed while it is still good for this long, or for a fifth of its life.
const RENEW_AHEAD: Duration = Duration::from_secs(5 * 60);

/// What RFC 6749, section 5.1 leaves open, and Google's usual value.
const USUAL_LIFETIME: Duration = Duration::from_secs(3600);

const AFTER_SERVER_ERROR: Wait = Wait::seconds(10);

/// The access token of one account: fetched by whoever needs it first, renewed ahead of time by
/// one of those who use it while the others go on with the old one.
pub(super) struct AccessToken {
    account: Arc<ServiceAccount>,
    pool: Pool,
    uri: Uri,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Why the last attempt failed, and until when that stands.
    failure: Option<(Outcome, SystemTime)>,
    failures: u32,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    renew_at: SystemTime,
    expires_at: SystemTime,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

/// RFC 6749, section 5.2.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: String,
    error_description: String,
}

impl AccessToken {
    /// `pool` leads to the account's token end-point.
    pub(super) fn new(
        account: Arc<ServiceAccount>,
        pool: Pool,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        Some(Self {
            uri: account.token_origin.uri(&account.token_path)?,
            account,
            pool,
            clock,
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// The `authorization` header of a request, or the outcome of a push that cannot have one.
    pub(super) async fn header(&self) -> Result<HeaderValue, Outcome> {
        let (old, _fetching) = match self.known() {
            Known::Good(header) => return Ok(header),
            Known::Failed(outcome) => return Err(outcome),
            Known::Stale(header) => match self.fetching.try_lock() {
                Ok(fetching) => (Some(header), fetching),
                // Somebody else renews it.
                Err(_) => return Ok(header),
            },
            Known::Nothing => (None, self.fetching.lock().await),
        };
        // Whoever held the lock before may have done it.
        let fetched = match self.known() {
            Known::Good(header) => Ok(header),
            Known::Failed(outcome) => Err(outcome),
            Known::Stale(_) | Known::Nothing => self.fetch().await,
        };
        match (fetched, old) {
            (Err(_), Some(old)) => Ok(old),
            (fetched, _) => fetched,
        }
    }

    /// Forgets a token that FCM refused, unless it has been renewed since.
    pub(super) fn discard(&self, refused: &HeaderValue) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .token
            .as_ref()
            .is_some_and(|token| token.header == *refused)
        {
            state.token = None;
        }
    }

    fn known(&self) -> Known {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .failure
            .as_ref()
            .is_some_and(|(_, until)| *until <= now)
        {
            state.failure = None;
        }
        let failed = state.failure.as_ref().map(|(outcome, _)| outcome.clone());
        match (&state.token, failed) {
            (Some(token), _) if now < token.renew_at => Known::Good(token.header.clone()),
            (Some(token), Some(_)) if now < token.expires_at => Known::Good(token.header.clone()),
            (Some(token), None) if now < token.expires_at => Known::Stale(token.header.clone()),
            (_, Some(outcome)) => Known::Failed(outcome),
            (_, None) => Known::Nothing,
        }
    }

    async fn fetch(&self) -> Result<HeaderValue, Outcome> {
        let attempt = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failures;
        let fetched = self.ask(attempt).await;
        // One request an hour is no reason to keep a connection.
        self.pool.retire_all();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(token) => {
                state.failures = 0;
                state.failure = None;
                state.token = Some(token.clone());
                Ok(token.header)
            }
            Err(outcome) => {
                state.failures = state.failures.saturating_add(1);
                if let Outcome::RetryLater { after, .. }
                | Outcome::CredentialRefused { after, .. } = &outcome
                {
                    state.failure = Some((outcome.clone(), self.clock.now() + *after));
                }
                Err(outcome)
            }
        }
    }

    async fn ask(&self, attempt: u32) -> Result<Token, Outcome> {
        let asked_at = self.clock.now();
        let claims = Claims {
            iss: &self.account.client_email,
            scope: SCOPE,
            aud: &self.account.token_uri,
            iat: unix_seconds(asked_at),
            exp: unix_seconds(asked_at + ASSERTION_LIFETIME),
        };
        let assertion = self
            .account
            .key
            .sign(None, &claims)
            .map_err(|error| refused(&error.to_string()))?;
        let assertion = assertion.expose_str().unwrap_or_default();
        // Base64url and dots stand for themselves in a form.
        let form = Bytes::from(format!("grant_type={GRANT}&assertion={assertion}"));
        let sent = self.pool.send(|| {
            let mut request = Request::new(form.clone());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = self.uri.clone();
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, kind);
            request
        });
        match sent.await {
            Ok(response) => read(&response, asked_at, attempt),
            Err(failure) => Err(later(
                Outcome::of_failure(&failure, attempt),
                &format!("no access token from {}: {failure}", self.account.token_uri),
            )),
        }
    }
}

enum Known {
    Good(HeaderValue),
    /// Still good, and due for renewal.
    Stale(HeaderValue),
    Nothing,
    Failed(Outcome),
}

fn read(response: &Response, asked_at: SystemTime, attempt: u32) -> Result<Token, Outcome> {
    let status = response.status;
    if status.is_success() {
        let granted: Granted = serde_json::from_slice(&response.body).map_err(|_| {
            refused("the token end-point's answer holds no access token; check token_uri")
        })?;
        let header = authorization("Bearer", &Secret::from(granted.access_token))
            .ok_or_else(|| refused("the access token cannot be sent; check token_uri"))?;
        let lifetime = granted
            .expires_in
            .map_or(USUAL_LIFETIME, Duration::from_secs);
        return Ok(Token {
            header,
            renew_at: asked_at + (lifetime - RENEW_AHEAD.min(lifetime / 5)),
            expires_at: asked_at + lifetime,
        });
    }
    let denied: Denied = serde_json::from_slice(&response.body).unwrap_or_default();
    match status.as_u16() {
        400 | 401 | 403 if !denied.error.is_empty() => Err(refused(&format!(
            "{:?} {:?}; check the service account in the Google console and this machine's clock",
            denied.error, denied.error_description
        ))),
        status => Err(Outcome::RetryLater {
            after: AFTER_SERVER_ERROR.resolve(retry_after(&response.headers, asked_at), attempt),
            scope: Scope::Account,
            reason: format!("no access token: the token end-point answered with status {status}"),
            possibly_delivered: false,
        }),
    }
}

fn refused(reason: &str) -> Outcome {
    Outcome::CredentialRefused {
        after: CREDENTIAL_PAUSE,
        reason: format!("Google gives no access token: {reason}"),
    }
}

/// A lost request for a token is a wait for the whole account, and certainly no push.
fn later(outcome: Outcome, why: &str) -> Outcome {
    match outcome {
        Outcome::RetryLater { after, .. } => Outcome::RetryLater {
            after,
            scope: Scope::Account,
            reason: why.to_owned(),
            possibly_delivered: false,
        },
        other => other,
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
