//! The double of the Apple Push Notification service.

mod options;
mod provider_token;
mod reason;
mod request;

use std::ops::Deref;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use rustls_pki_types::CertificateDer;
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub use self::options::{ApnsOptions, TokenRenewal};
use self::provider_token::{ProviderTokens, Shown};
use self::reason::{Reason, answer};
use crate::answer::Answer;
use crate::ca::USER_ID_OID;
use crate::connection::{Limits, Reply, Service};
use crate::double::{Double, StartError};
use crate::fault::FaultAnswer;
use crate::listener::{Listener, Provide, bind};
use crate::provider_key::AcceptedKey;
use crate::record::Provider;
use crate::tls;
use crate::verdict::{Arrival, Verdict};

const APNS_ID: HeaderName = HeaderName::from_static("apns-id");

/// A running APNs double; dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Apns {
    apple: Arc<Apple>,
    _listener: Listener,
}

impl Deref for Apns {
    type Target = Double;

    fn deref(&self) -> &Double {
        &self.apple.double
    }
}

impl Apns {
    /// Starts a double.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or the authority cannot make a certificate.
    pub async fn start(options: ApnsOptions) -> Result<Self, StartError> {
        let tls = tls::server_config(&options.ca, options.client_certificates)?;
        let (listener, address) = bind(options.listen).await?;
        let apple = Arc::new(Apple {
            double: Double::new(Provider::Apns, address, options.record),
            topics: options.topics,
            tokens: ProviderTokens::new(options.keys, options.token_renewal),
            streams: options.streams,
            one_stream_at_first: options.one_stream_at_first,
        });
        let listener = Listener::spawn(listener, tls, Arc::clone(&apple));
        Ok(Self {
            apple,
            _listener: listener,
        })
    }

    /// Takes provider tokens of one more key.
    pub fn accept_key(&self, key: AcceptedKey) {
        self.apple.tokens.accept_key(key);
    }

    /// Takes no provider tokens of this key any more; a connection that has shown one keeps its right.
    pub fn revoke_key(&self, key_id: &str) {
        self.apple.tokens.revoke_key(key_id);
    }

    /// Lets the next new provider token of every key be taken, however early: after a test has killed
    /// a provider that could not keep its token.
    pub fn allow_token_renewal(&self) {
        self.apple.tokens.allow_renewal();
    }
}

/// What all connections share.
#[derive(Debug)]
struct Apple {
    double: Double,
    topics: Vec<String>,
    tokens: ProviderTokens,
    streams: u32,
    one_stream_at_first: bool,
}

impl Provide for Apple {
    type Service = ApnsConnection;

    fn double(&self) -> &Double {
        &self.double
    }

    fn connection(
        self: &Arc<Self>,
        number: u64,
        certificate: Option<&CertificateDer<'_>>,
    ) -> (ApnsConnection, Limits) {
        let credential = match certificate {
            Some(certificate) => Credential::Certificate {
                topic: certificate_topic(certificate),
            },
            None => Credential::Token(Shown::default()),
        };
        let one_stream = self.one_stream_at_first && matches!(credential, Credential::Token(_));
        let limits = Limits {
            streams: self.streams,
            first_streams: one_stream.then_some(1),
        };
        (
            ApnsConnection {
                apple: Arc::clone(self),
                number,
                credential,
            },
            limits,
        )
    }
}

struct ApnsConnection {
    apple: Arc<Apple>,
    number: u64,
    credential: Credential,
}

enum Credential {
    Certificate { topic: Option<String> },
    Token(Shown),
}

impl Service for ApnsConnection {
    fn double(&self) -> &Double {
        &self.apple.double
    }

    fn handle(&mut self, nth: u64, head: &Parts, body: &[u8]) -> Reply {
        let authentication = self.authenticate(head);
        let given_id = head.headers.get(APNS_ID).cloned();
        let id = given_id.unwrap_or_else(|| fresh_id(&Uuid::new_v4()));
        let verdict = match authentication.and_then(|()| self.check(head, body)) {
            Ok(()) => Verdict::Accept(Answer::empty(StatusCode::OK).with(APNS_ID, id.clone())),
            Err(reason) => Verdict::Refuse {
                status: reason.status(),
                reason: reason.name().into(),
                answer: answer(reason.status(), reason.name(), None).with(APNS_ID, id.clone()),
            },
        };
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let arrival = Arrival {
            provider: Provider::Apns,
            connection: self.number,
            nth,
            token: request::device(head),
            apns_id: id.to_str().ok(),
            collapse_id: header("apns-collapse-id"),
            topic: header("apns-topic"),
            head,
            body,
        };
        let apple = Arc::clone(&self.apple);
        let mut reply = arrival.conclude(&apple.double, verdict, |fault| self.refuse(fault, &id));
        reply.authenticated = authentication.is_ok();
        reply
    }
}

impl ApnsConnection {
    fn authenticate(&mut self, head: &Parts) -> Result<(), Reason> {
        request::check_target(head)?;
        request::check_single_headers(&head.headers)?;
        match &mut self.credential {
            Credential::Certificate { topic } => {
                topic.as_ref().map(|_| ()).ok_or(Reason::BadCertificate)
            }
            Credential::Token(shown) => self.apple.tokens.check(&head.headers, shown),
        }
    }

    fn check(&self, head: &Parts, body: &[u8]) -> Result<(), Reason> {
        request::check_headers(&head.headers)?;
        self.check_topic(head)?;
        request::check_payload(&head.headers, body)?;
        request::check_device(request::device(head))
    }

    fn check_topic(&self, head: &Parts) -> Result<(), Reason> {
        let topic = match (request::topic(&head.headers)?, &self.credential) {
            (None, Credential::Token(_)) => return Err(Reason::MissingTopic),
            // A certificate for one topic says it all.
            (None, Credential::Certificate { topic }) => topic.as_deref().unwrap_or_default(),
            (Some(named), Credential::Certificate { topic }) if topic.as_deref() != Some(named) => {
                return Err(Reason::TopicDisallowed);
            }
            (Some(named), _) => named,
        };
        if self.apple.topics.iter().any(|known| known == topic) {
            Ok(())
        } else {
            Err(Reason::TopicDisallowed)
        }
    }

    fn refuse(&mut self, fault: &FaultAnswer, id: &HeaderValue) -> Answer {
        if fault.reason == Reason::ExpiredProviderToken.name()
            && let Credential::Token(shown) = &mut self.credential
        {
            self.apple.tokens.expire(shown);
        }
        answer(fault.status, &fault.reason, fault.timestamp).with(APNS_ID, id.clone())
    }
}

fn fresh_id(id: &Uuid) -> HeaderValue {
    HeaderValue::from_str(&id.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The topic that a push certificate is for: `UID` of its subject.
fn certificate_topic(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let is_user_id = |oid: &x509_parser::der_parser::Oid<'_>| {
        oid.iter()
            .is_some_and(|mut arcs| arcs.by_ref().eq(USER_ID_OID))
    };
    let user_id = certificate
        .subject()
        .iter_attributes()
        .find(|attribute| is_user_id(attribute.attr_type()))?;
    user_id.as_str().ok().map(str::to_owned)
}
