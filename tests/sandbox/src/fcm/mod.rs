//! The double of Firebase Cloud Messaging, HTTP v1, and of the token end-point of its service account.

mod error;
mod message;
mod oauth;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::request::Parts;
use http::{Method, StatusCode, header};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use self::error::{FcmError, fault_answer, not_found};
use self::oauth::AccessTokens;
use crate::answer::Answer;
use crate::ca::{CaError, TestCa};
use crate::connection::{Action, Limits, Reply, Service};
use crate::counts::count;
use crate::double::{Double, StartError};
use crate::fault::Effect;
use crate::listener::{Listener, Provide, bind};
use crate::record::{Provider, Record};
use crate::service_account::ServiceAccount;
use crate::tls;
use crate::verdict::{Arrival, Verdict, retry_after};

const TOKEN_PATH: &str = "/token";
const STREAMS: u32 = 100;
/// Google's tokens are good for an hour less one second.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(3599);

/// How to set up an FCM double.
#[derive(Clone, Debug)]
pub struct FcmOptions {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Issues the double's certificate.
    pub ca: TestCa,
    /// The project, and the account that may send for it.
    pub account: ServiceAccount,
    /// How long an access token is good.
    pub access_token_lifetime: Duration,
    /// Streams at once that are announced.
    pub streams: u32,
    /// How much is kept of what is seen.
    pub record: Record,
}

impl FcmOptions {
    /// A double for one project on a free loopback port that keeps every push.
    pub fn new(ca: &TestCa, account: ServiceAccount) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ca: ca.clone(),
            account,
            access_token_lifetime: ACCESS_TOKEN_LIFETIME,
            streams: STREAMS,
            record: Record::Full,
        }
    }

    /// With access tokens of another lifetime.
    #[must_use]
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.access_token_lifetime = lifetime;
        self
    }

    /// With another record.
    #[must_use]
    pub fn record(mut self, record: Record) -> Self {
        self.record = record;
        self
    }
}

/// A running FCM double; dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Fcm {
    google: Arc<Google>,
    _listener: Listener,
}

impl Deref for Fcm {
    type Target = Double;

    fn deref(&self) -> &Double {
        &self.google.double
    }
}

impl Fcm {
    /// Starts a double.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or the authority cannot make a certificate.
    pub async fn start(options: FcmOptions) -> Result<Self, StartError> {
        let tls = tls::server_config(&options.ca, false)?;
        let (listener, address) = bind(options.listen).await?;
        let double = Double::new(Provider::Fcm, address, options.record);
        let token_uri = format!("{}{TOKEN_PATH}", double.endpoint());
        let tokens = AccessTokens::new(options.account, token_uri, options.access_token_lifetime)?;
        let google = Arc::new(Google {
            double,
            tokens,
            streams: options.streams,
            messages: AtomicU64::new(0),
        });
        let listener = Listener::spawn(listener, tls, Arc::clone(&google));
        Ok(Self {
            google,
            _listener: listener,
        })
    }

    /// Where access tokens are to be had.
    pub fn token_uri(&self) -> &str {
        self.google.tokens.token_uri()
    }

    /// The account's key file, which names this double's token end-point.
    pub fn service_account_json(&self) -> String {
        self.google.tokens.account().json(self.token_uri())
    }

    /// An access token that was not asked for, for clients that a test writes itself.
    ///
    /// # Errors
    ///
    /// The system has no randomness to give.
    pub fn access_token(&self) -> Result<String, CaError> {
        self.google.tokens.grant()
    }

    /// Makes all access tokens void: the next push with one is answered 401.
    pub fn revoke_access_tokens(&self) {
        self.google.tokens.revoke_all();
    }
}

/// What all connections share.
#[derive(Debug)]
struct Google {
    double: Double,
    tokens: AccessTokens,
    streams: u32,
    messages: AtomicU64,
}

impl Provide for Google {
    type Service = FcmConnection;

    fn double(&self) -> &Double {
        &self.double
    }

    fn connection(
        self: &Arc<Self>,
        number: u64,
        _certificate: Option<&CertificateDer<'_>>,
    ) -> (FcmConnection, Limits) {
        let limits = Limits {
            streams: self.streams,
            first_streams: None,
        };
        (
            FcmConnection {
                google: Arc::clone(self),
                number,
            },
            limits,
        )
    }
}

struct FcmConnection {
    google: Arc<Google>,
    number: u64,
}

impl Service for FcmConnection {
    fn double(&self) -> &Double {
        &self.google.double
    }

    fn handle(&mut self, nth: u64, head: &Parts, body: &[u8]) -> Reply {
        if head.uri.path() == TOKEN_PATH {
            return self.google.token(head, body);
        }
        let request = serde_json::from_slice(body);
        let outline = request.as_ref().map(message::outline).unwrap_or_default();
        let verdict = match self.google.check(head, &request) {
            Ok(()) if outline.validate_only => {
                Verdict::Validate(self.google.named("fake_message_id"))
            }
            Ok(()) => Verdict::Accept(self.google.named(&self.google.fresh_id())),
            Err(verdict) => verdict,
        };
        let arrival = Arrival {
            provider: Provider::Fcm,
            connection: self.number,
            nth,
            token: outline.token,
            apns_id: None,
            collapse_id: outline.collapse_key,
            topic: None,
            head,
            body,
        };
        arrival.conclude(&self.google.double, verdict, fault_answer)
    }
}

impl Google {
    fn check(
        &self,
        head: &Parts,
        request: &Result<Value, serde_json::Error>,
    ) -> Result<(), Verdict> {
        let path = head.uri.path();
        let project = path
            .strip_prefix("/v1/projects/")
            .and_then(|rest| rest.strip_suffix("/messages:send"))
            .filter(|project| !project.contains('/') && head.method == Method::POST);
        let Some(project) = project else {
            let reason = "NOT_FOUND".into();
            return Err(Verdict::Refuse {
                status: 404,
                reason,
                answer: not_found(),
            });
        };
        if !self.tokens.check(head) {
            let mut verdict = Verdict::from(FcmError::unauthenticated());
            if let Verdict::Refuse { answer, .. } = &mut verdict {
                let challenge =
                    http::HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
                answer.headers.push((header::WWW_AUTHENTICATE, challenge));
            }
            return Err(verdict);
        }
        if project != self.tokens.account().project() {
            return Err(FcmError::wrong_project(project).into());
        }
        match request {
            Ok(request) => message::check(request).map_err(Verdict::from),
            Err(error) => {
                Err(FcmError::malformed(format!("Invalid JSON payload received. {error}")).into())
            }
        }
    }

    /// The answer to a message that was taken in: its name.
    fn named(&self, id: &str) -> Answer {
        let project = self.tokens.account().project();
        Answer::json(
            StatusCode::OK,
            &json!({"name": format!("projects/{project}/messages/{id}")}),
        )
    }

    fn fresh_id(&self) -> String {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_micros());
        format!(
            "0:{micros}%{:016x}",
            self.messages.fetch_add(1, Ordering::Relaxed)
        )
    }

    fn token(&self, head: &Parts, body: &[u8]) -> Reply {
        count(&self.double.counters.token_requests);
        let answer = self.tokens.answer(head, body);
        let action = match self.double.faults().strike_token_endpoint() {
            Some(Effect::Answer(fault)) => {
                let status =
                    StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut refused = oauth::error_answer(status, &fault.reason, "A fault on demand.");
                if let Some(wait) = fault.retry_after {
                    refused
                        .headers
                        .push((header::RETRY_AFTER, retry_after(wait)));
                }
                Action::Send(refused)
            }
            Some(Effect::Slow(delay)) => Action::SendLate(delay, answer),
            Some(Effect::Hang { .. }) => Action::Silence,
            _ => Action::Send(answer),
        };
        self.double.notify();
        Reply {
            action,
            authenticated: true,
            connection: None,
        }
    }
}
