//! APNs: one app's account at Apple, and how a push gets there.
//!
//! Rules: Apple, "Sending notification requests to APNs" and "Handling notification responses from
//! APNs".

mod answer;
mod request;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderValue;

use crate::gate::Gate;
use crate::http2::{Options, Origin, Pool, Response, TlsError, Trust, client_config};
use crate::jwt::ProviderToken;
use crate::keystore::Identity;
use crate::outcome::{CREDENTIAL_PAUSE, Outcome, retry_after};
use answer::{Answer, Verdict, judge, refused};
use request::Prepared;

pub use request::{ApnsRequest, Priority, PushType};

/// Where pushes for apps from the App Store and TestFlight go.
pub const PRODUCTION_ENDPOINT: &str = "https://api.push.apple.com";

/// Where pushes for apps that a developer installed go.
pub const SANDBOX_ENDPOINT: &str = "https://api.sandbox.push.apple.com";

/// How an account shows who it is.
#[derive(Debug, Clone)]
pub enum ApnsAuth {
    /// By a client certificate.
    Certificate(Identity),
    /// By a token in each request, signed with a `.p8` key.
    Token(Arc<ProviderToken>),
}

/// What an account is made of.
#[derive(Debug, Clone)]
pub struct ApnsSettings {
    /// Where it is.
    pub endpoint: Origin,
    /// Whose certificates are accepted from there.
    pub trust: Trust,
    /// The app's bundle id. May be left out with a certificate that names it.
    pub topic: Option<String>,
    /// Who we are.
    pub auth: ApnsAuth,
    /// How the connections behave.
    pub connections: Options,
}

/// Why an account cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ApnsSetupError {
    /// No topic.
    #[error("no topic is given, which is the app's bundle id; APNs requires it with a key")]
    NoTopic,
    /// A topic that no header can carry.
    #[error("{0:?} is no topic; it must be the app's bundle id, as in org.example.mail")]
    BadTopic(String),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// One app at Apple: its connections and credentials. Dropping it closes the connections.
pub struct ApnsAccount {
    pool: Pool,
    topic: Option<HeaderValue>,
    token: Option<Arc<ProviderToken>>,
    gate: Gate,
}

impl ApnsAccount {
    /// Sets an account up. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// Where the topic or the trusted certificates cannot be used.
    pub fn new(settings: ApnsSettings) -> Result<Self, ApnsSetupError> {
        let (identity, token, certificate_topic) = match settings.auth {
            ApnsAuth::Certificate(identity) => (Some(identity.certified), None, identity.topic),
            ApnsAuth::Token(token) => (None, Some(token), None),
        };
        // A certificate stands for its topic where none is given, named in it or not.
        let topic = match settings.topic.or(certificate_topic) {
            Some(topic) if topic.is_empty() => return Err(ApnsSetupError::BadTopic(topic)),
            Some(topic) => match HeaderValue::from_str(&topic) {
                Ok(header) => Some(header),
                Err(_) => return Err(ApnsSetupError::BadTopic(topic)),
            },
            None if token.is_some() => return Err(ApnsSetupError::NoTopic),
            None => None,
        };
        let options = Options {
            first_request_alone: token.is_some(),
            ..settings.connections
        };
        let tls = client_config(&settings.trust, identity)?;
        Ok(Self {
            pool: Pool::new(settings.endpoint, tls, options),
            topic,
            token,
            gate: Gate::default(),
        })
    }

    /// Sends a push and says what became of it. What APNs surely did not process has been sent
    /// again already; anything else that is to be repeated is the caller's, with the same
    /// `apns_id` and `collapse_id`.
    pub async fn send(&self, request: &ApnsRequest) -> Outcome {
        if let Some(outcome) = self.gate.check() {
            return outcome;
        }
        let prepared = match request.prepare(self.pool.origin(), self.topic.as_ref()) {
            Ok(prepared) => prepared,
            Err(outcome) => return outcome,
        };
        let mut renewed = false;
        loop {
            let (response, token) = match self.try_once(&prepared, request.attempt).await {
                Ok(response) => response,
                Err(outcome) => return outcome,
            };
            let verdict = judge(&Answer {
                status: response.status.as_u16(),
                body: &response.body,
                retry_after: retry_after(&response.headers, SystemTime::now()),
                attempt: request.attempt,
            });
            let outcome = match verdict {
                Verdict::Done(outcome) => outcome,
                Verdict::DoneAndRetire(outcome) => {
                    self.pool.retire(response.connection);
                    outcome
                }
                Verdict::RenewToken => {
                    // First the connection, then the token: whoever takes the new token from here
                    // on finds only connections that have not seen the old one refused.
                    self.pool.retire(response.connection);
                    match self.renew(token.as_ref(), renewed) {
                        Ok(()) => {
                            renewed = true;
                            continue;
                        }
                        Err(outcome) => outcome,
                    }
                }
            };
            self.gate.learn(&outcome);
            return outcome;
        }
    }

    async fn try_once(
        &self,
        prepared: &Prepared,
        attempt: u32,
    ) -> Result<(Response, Option<HeaderValue>), Outcome> {
        let mut token = None;
        if let Some(provider) = &self.token {
            // Also for the key's own errors, which the closure below cannot report.
            token = Some(provider.header().map_err(|error| unusable_key(&error))?);
        }
        let response = self.pool.send(|| {
            if let Some(Ok(current)) = self.token.as_ref().map(|provider| provider.header()) {
                token = Some(current);
            }
            prepared.build(token.as_ref())
        });
        match response.await {
            Ok(response) => Ok((response, token)),
            Err(failure) => {
                let outcome = Outcome::of_failure(&failure, attempt);
                if matches!(outcome, Outcome::CredentialRefused { .. }) {
                    self.gate.learn(&outcome);
                }
                Err(outcome)
            }
        }
    }

    fn renew(&self, expired: Option<&HeaderValue>, again: bool) -> Result<(), Outcome> {
        let (Some(provider), Some(expired)) = (&self.token, expired) else {
            return Err(refused(
                "ExpiredProviderToken",
                "though no token was sent; check the end-point",
            ));
        };
        if again {
            let advice = "though the token was just renewed; check this machine's clock";
            return Err(refused("ExpiredProviderToken", advice));
        }
        match provider.replace(expired) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(too_soon)) => Err(Outcome::CredentialRefused {
                after: too_soon.wait.min(CREDENTIAL_PAUSE),
                reason: format!("APNs: ExpiredProviderToken; {too_soon}"),
            }),
            Err(error) => Err(unusable_key(&error)),
        }
    }
}

fn unusable_key(error: &crate::jwt::KeyError) -> Outcome {
    Outcome::CredentialRefused {
        after: CREDENTIAL_PAUSE,
        reason: format!("the .p8 key cannot be used: {error}"),
    }
}

impl fmt::Debug for ApnsAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApnsAccount")
            .field("pool", &self.pool)
            .field("topic", &self.topic)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
