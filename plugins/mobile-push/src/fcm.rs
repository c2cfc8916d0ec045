//! FCM HTTP v1: one Firebase project's account at Google, and how a push gets there.
//!
//! Rules: Google, "projects.messages" and "rest/v1/ErrorCode".

mod access_token;
mod answer;
mod service_account;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::gate::Gate;
use crate::http2::{Options, Origin, Pool, TlsError, Trust, client_config};
use crate::outcome::{Outcome, retry_after};
use access_token::AccessToken;
use answer::{Answer, Verdict, judge, refused};

pub use service_account::{ServiceAccount, ServiceAccountError};

/// Where Google is.
pub const ENDPOINT: &str = "https://fcm.googleapis.com";

/// The longest that FCM stores a message for a device that is off: four weeks.
pub const LONGEST_TTL: Duration = Duration::from_secs(2_419_200);

/// What an account is made of.
#[derive(Debug)]
pub struct FcmSettings {
    /// Who we are.
    pub account: ServiceAccount,
    /// Where FCM is; where the access token comes from, the account says.
    pub endpoint: Origin,
    /// Whose certificates are accepted from both.
    pub trust: Trust,
    /// How the connections behave.
    pub connections: Options,
    /// What tokens are dated with.
    pub clock: Arc<dyn Clock>,
}

/// Why an account cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum FcmSetupError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Project or token end-point make no address.
    #[error("project_id or token_uri of the service account make no address")]
    Address,
}

/// One push to one device.
#[derive(Clone)]
pub struct FcmRequest {
    /// The device's registration token.
    pub token: String,
    /// The data, an object of strings.
    pub data: Value,
    /// How long FCM stores the message for a device that is off, at most [`LONGEST_TTL`].
    pub ttl: Duration,
    /// Tries of this push before this one.
    pub attempt: u32,
}

impl fmt::Debug for FcmRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FcmRequest")
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl FcmRequest {
    fn body(&self) -> Bytes {
        let ttl = self.ttl.min(LONGEST_TTL).as_secs();
        let message = json!({
            "message": {
                "token": self.token,
                "data": self.data,
                "android": {"priority": "HIGH", "ttl": format!("{ttl}s")},
            },
        });
        Bytes::from(message.to_string())
    }
}

/// One project at Google: its connections and credentials. Dropping it closes the connections.
#[derive(Debug)]
pub struct FcmAccount {
    pool: Pool,
    uri: Uri,
    token: AccessToken,
    gate: Gate,
}

impl FcmAccount {
    /// Sets an account up. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// Where the trusted certificates cannot be used.
    pub fn new(settings: FcmSettings) -> Result<Self, FcmSetupError> {
        let tls = client_config(&settings.trust, None)?;
        let account = Arc::new(settings.account);
        let path = format!("/v1/projects/{}/messages:send", account.project_id);
        let uri = settings.endpoint.uri(&path).ok_or(FcmSetupError::Address)?;
        let options = Options {
            first_request_alone: false,
            ..settings.connections
        };
        let token_pool = Pool::new(account.token_origin.clone(), tls.clone(), options.clone());
        let token =
            AccessToken::new(account, token_pool, settings.clock).ok_or(FcmSetupError::Address)?;
        Ok(Self {
            pool: Pool::new(settings.endpoint, tls, options),
            uri,
            token,
            gate: Gate::default(),
        })
    }

    /// Sends a push and says what became of it. What FCM surely did not process has been sent
    /// again already; anything else that is to be repeated is the caller's.
    pub async fn send(&self, request: &FcmRequest) -> Outcome {
        if let Some(outcome) = self.gate.check() {
            return outcome;
        }
        let body = request.body();
        let mut renewed = false;
        loop {
            let token = match self.token.header().await {
                Ok(token) => token,
                Err(outcome) => return outcome,
            };
            let response = match self.pool.send(|| self.build(&body, &token)).await {
                Ok(response) => response,
                Err(failure) => return Outcome::of_failure(&failure, request.attempt),
            };
            let verdict = judge(&Answer {
                status: response.status.as_u16(),
                body: &response.body,
                retry_after: retry_after(&response.headers, std::time::SystemTime::now()),
                attempt: request.attempt,
            });
            let outcome = match verdict {
                Verdict::Done(outcome) => outcome,
                Verdict::RenewToken if !renewed => {
                    self.token.discard(&token);
                    renewed = true;
                    continue;
                }
                Verdict::RenewToken => refused(
                    "FCM: status 401, also with a fresh access token",
                    "check that the service account belongs to the project",
                ),
            };
            self.gate.learn(&outcome);
            return outcome;
        }
    }

    fn build(&self, body: &Bytes, token: &HeaderValue) -> Request<Bytes> {
        let mut request = Request::new(body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }
}
