//! The token end-point of a service account (developers.google.com: "Using OAuth 2.0 for server to
//! server applications"; RFC 7523).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{Method, StatusCode, header};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use serde_json::json;

use crate::answer::Answer;
use crate::ca::CaError;
use crate::jwt::{Jwt, seconds};
use crate::service_account::{SCOPE, ServiceAccount};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const LONGEST_ASSERTION: u64 = 3600;
const CLOCK_SKEW_SECONDS: u64 = 60;
const TOKEN_BYTES: usize = 48;

/// Hands out access tokens and knows them again.
pub(crate) struct AccessTokens {
    account: ServiceAccount,
    public_key: Vec<u8>,
    token_uri: String,
    lifetime: Duration,
    granted: RwLock<HashMap<String, Instant>>,
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessTokens")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// An error of the token end-point (RFC 6749, section 5.2).
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

const fn refused(error: &'static str, description: &'static str) -> Refused {
    Refused {
        status: StatusCode::BAD_REQUEST,
        error,
        description,
    }
}

impl AccessTokens {
    pub(crate) fn new(
        account: ServiceAccount,
        token_uri: String,
        lifetime: Duration,
    ) -> Result<Self, CaError> {
        let public_key = account.public_key()?;
        Ok(Self {
            account,
            public_key,
            token_uri,
            lifetime,
            granted: RwLock::default(),
        })
    }

    pub(crate) fn account(&self) -> &ServiceAccount {
        &self.account
    }

    pub(crate) fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// Whether a request shows a token that is still good.
    pub(crate) fn check(&self, head: &Parts) -> bool {
        let header = head
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = header.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        let granted = self.granted.read().unwrap_or_else(PoisonError::into_inner);
        scheme.eq_ignore_ascii_case("bearer")
            && granted
                .get(token)
                .is_some_and(|until| Instant::now() < *until)
    }

    pub(crate) fn revoke_all(&self) {
        self.granted
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// A new token, good from now on.
    pub(crate) fn grant(&self) -> Result<String, CaError> {
        let mut bytes = [0; TOKEN_BYTES];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| rcgen::Error::RingUnspecified)?;
        let token = format!("ya29.{}", URL_SAFE_NO_PAD.encode(bytes));
        let mut granted = self.granted.write().unwrap_or_else(PoisonError::into_inner);
        granted.insert(token.clone(), Instant::now() + self.lifetime);
        Ok(token)
    }

    /// Answers a request for a token.
    pub(crate) fn answer(&self, head: &Parts, body: &[u8]) -> Answer {
        let granted = self.check_request(head, body).and_then(|()| {
            self.grant().map_err(|_| Refused {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                error: "internal_failure",
                description: "No randomness.",
            })
        });
        match granted {
            Ok(token) => Answer::json(
                StatusCode::OK,
                &json!({
                    "access_token": token,
                    "expires_in": self.lifetime.as_secs(),
                    "token_type": "Bearer",
                }),
            ),
            Err(Refused {
                status,
                error,
                description,
            }) => error_answer(status, error, description),
        }
    }

    fn check_request(&self, head: &Parts, body: &[u8]) -> Result<(), Refused> {
        if head.method != Method::POST {
            return Err(Refused {
                status: StatusCode::METHOD_NOT_ALLOWED,
                ..refused("invalid_request", "The request is a POST.")
            });
        }
        let content_type = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
        {
            return Err(refused(
                "invalid_request",
                "The body is a URL-encoded form.",
            ));
        }
        let form: HashMap<_, _> = url::form_urlencoded::parse(body).collect();
        match form.get("grant_type").map(AsRef::as_ref) {
            Some(GRANT_TYPE) => {}
            None => {
                return Err(refused(
                    "invalid_request",
                    "Required parameter is missing: grant_type",
                ));
            }
            Some(_) => return Err(refused("unsupported_grant_type", "Invalid grant_type")),
        }
        let assertion = form.get("assertion").ok_or(refused(
            "invalid_request",
            "Required parameter is missing: assertion",
        ))?;
        self.check_assertion(assertion)
    }

    fn check_assertion(&self, assertion: &str) -> Result<(), Refused> {
        let jwt =
            Jwt::decode(assertion).ok_or(refused("invalid_grant", "Bad Request: not a JWT"))?;
        let kid = jwt.header("kid");
        if jwt.header("alg") != Some("RS256") || kid.is_some_and(|kid| kid != self.account.key_id())
        {
            return Err(refused(
                "invalid_grant",
                "Invalid JWT: unknown algorithm or key",
            ));
        }
        if jwt.claim("iss") != Some(self.account.client_email()) {
            return Err(refused("invalid_grant", "Invalid grant: account not found"));
        }
        if !jwt.is_signed_by(&RSA_PKCS1_2048_8192_SHA256, &self.public_key) {
            return Err(refused("invalid_grant", "Invalid JWT Signature."));
        }
        if jwt.claim("aud") != Some(self.token_uri.as_str()) {
            return Err(refused(
                "invalid_grant",
                "Invalid JWT: Failed audience check.",
            ));
        }
        let has_scope = |scopes: &str| scopes.split(' ').any(|scope| scope == SCOPE);
        if !jwt.claim("scope").is_some_and(has_scope) {
            return Err(refused(
                "invalid_scope",
                "Invalid OAuth scope or ID token audience provided.",
            ));
        }
        let now = seconds(SystemTime::now());
        let is_timely = jwt
            .time("iat")
            .zip(jwt.time("exp"))
            .is_some_and(|(issued, expires)| {
                issued <= now + CLOCK_SKEW_SECONDS
                    && now < expires
                    && expires
                        .checked_sub(issued)
                        .is_some_and(|life| life <= LONGEST_ASSERTION)
            });
        if !is_timely {
            return Err(refused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
                 Check your iat and exp values in the JWT claim.",
            ));
        }
        Ok(())
    }
}

pub(crate) fn error_answer(status: StatusCode, error: &str, description: &str) -> Answer {
    Answer::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}
