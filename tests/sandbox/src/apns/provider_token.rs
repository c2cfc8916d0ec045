//! Token-based authentication as APNs enforces it (Apple: "Establishing a token-based connection to
//! APNs").

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, header};
use ring::signature::ECDSA_P256_SHA256_FIXED;

use crate::apns::TokenRenewal;
use crate::apns::reason::Reason;
use crate::double::lock;
use crate::jwt::{Jwt, seconds};
use crate::provider_key::AcceptedKey;

/// A provider token is good for an hour after `iat`.
const LIFETIME: Duration = Duration::from_secs(3600);
/// How far a provider's clock may be ahead.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The keys that a double accepts and the tokens it has seen of each.
#[derive(Debug)]
pub(crate) struct ProviderTokens {
    renewal: TokenRenewal,
    keys: Mutex<HashMap<String, Key>>,
}

#[derive(Debug)]
struct Key {
    accepted: AcceptedKey,
    /// Tokens that were accepted, by their text.
    tokens: HashMap<String, Token>,
    /// When the newest of them was first seen.
    renewed: Option<Instant>,
    /// A provider that was told its token has expired may bring a new one at once.
    may_renew: bool,
}

/// An accepted token; clones are held by the connections that use it.
#[derive(Clone, Debug)]
struct Token {
    issued_at: u64,
    in_use: Arc<()>,
}

/// What a connection remembers of the token it last showed.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    key_id: Option<String>,
    last: Option<(HeaderValue, Token)>,
    expired: bool,
}

impl ProviderTokens {
    pub(crate) fn new(keys: impl IntoIterator<Item = AcceptedKey>, renewal: TokenRenewal) -> Self {
        let key = |accepted: AcceptedKey| {
            let id = accepted.key_id.clone();
            (
                id,
                Key {
                    accepted,
                    tokens: HashMap::new(),
                    renewed: None,
                    may_renew: true,
                },
            )
        };
        Self {
            renewal,
            keys: Mutex::new(keys.into_iter().map(key).collect()),
        }
    }

    pub(crate) fn accept_key(&self, accepted: AcceptedKey) {
        let id = accepted.key_id.clone();
        let key = Key {
            accepted,
            tokens: HashMap::new(),
            renewed: None,
            may_renew: true,
        };
        lock(&self.keys).insert(id, key);
    }

    pub(crate) fn revoke_key(&self, key_id: &str) {
        lock(&self.keys).remove(key_id);
    }

    /// Lets every key bring a new token at once.
    pub(crate) fn allow_renewal(&self) {
        lock(&self.keys)
            .values_mut()
            .for_each(|key| key.may_renew = true);
    }

    /// Checks the credential of one request.
    pub(crate) fn check(&self, headers: &HeaderMap, shown: &mut Shown) -> Result<(), Reason> {
        let header = headers
            .get(header::AUTHORIZATION)
            .ok_or(Reason::MissingProviderToken)?;
        if shown.expired {
            return Err(Reason::ExpiredProviderToken);
        }
        if let Some((last, token)) = &shown.last
            && last == header
            && !token.is_expired()
        {
            return Ok(());
        }
        let (scheme, text) = header
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .ok_or(Reason::InvalidProviderToken)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Reason::InvalidProviderToken);
        }
        let token = self.check_token(text, shown)?;
        shown.last = Some((header.clone(), token));
        Ok(())
    }

    /// Notes that this connection was told that its token has expired: APNs says so again until the
    /// provider comes with a new token on a new connection.
    pub(crate) fn expire(&self, shown: &mut Shown) {
        shown.expired = true;
        if let Some(id) = &shown.key_id
            && let Some(key) = lock(&self.keys).get_mut(id)
        {
            key.may_renew = true;
        }
    }

    fn check_token(&self, text: &str, shown: &mut Shown) -> Result<Token, Reason> {
        let jwt = Jwt::decode(text).ok_or(Reason::InvalidProviderToken)?;
        if jwt.header("alg") != Some("ES256") {
            return Err(Reason::InvalidProviderToken);
        }
        let id = jwt.header("kid").ok_or(Reason::InvalidProviderToken)?;
        if shown.key_id.as_deref().is_some_and(|first| first != id) {
            return Err(Reason::UnrelatedKeyIdInToken);
        }
        let mut keys = lock(&self.keys);
        let key = keys.get_mut(id).ok_or(Reason::InvalidProviderToken)?;
        let token = match key.tokens.get(text) {
            Some(token) => token.clone(),
            None => key.verify(&jwt)?,
        };
        shown.key_id.get_or_insert_with(|| id.to_owned());
        if token.is_expired() {
            drop(keys);
            self.expire(shown);
            return Err(Reason::ExpiredProviderToken);
        }
        if !key.tokens.contains_key(text) {
            key.renew(self.renewal)?;
            key.tokens.insert(text.to_owned(), token.clone());
        }
        Ok(token)
    }
}

impl Key {
    fn verify(&self, jwt: &Jwt<'_>) -> Result<Token, Reason> {
        let is_genuine = jwt.claim("iss") == Some(self.accepted.team_id.as_str())
            && jwt.is_signed_by(&ECDSA_P256_SHA256_FIXED, &self.accepted.public_key);
        match jwt.time("iat") {
            Some(issued_at)
                if is_genuine && issued_at <= seconds(SystemTime::now() + CLOCK_SKEW) =>
            {
                Ok(Token {
                    issued_at,
                    in_use: Arc::new(()),
                })
            }
            _ => Err(Reason::InvalidProviderToken),
        }
    }

    /// Takes a token that was not seen before in place of the earlier ones, if it does not come too soon
    /// after them.
    fn renew(&mut self, renewal: TokenRenewal) -> Result<(), Reason> {
        let too_soon = |every: Duration| self.renewed.is_some_and(|last| last.elapsed() < every);
        let refused = match renewal {
            TokenRenewal::Unlimited => false,
            TokenRenewal::PerKey { every } => too_soon(every),
            TokenRenewal::WhileConnected { every } => too_soon(every) && self.is_in_use(),
        };
        if refused && !self.may_renew {
            return Err(Reason::TooManyProviderTokenUpdates);
        }
        self.may_renew = false;
        self.renewed = Some(Instant::now());
        self.tokens.retain(|_, token| !token.is_expired());
        Ok(())
    }

    fn is_in_use(&self) -> bool {
        self.tokens
            .values()
            .any(|token| Arc::strong_count(&token.in_use) > 1)
    }
}

impl Token {
    fn is_expired(&self) -> bool {
        seconds(SystemTime::now()) >= self.issued_at.saturating_add(LIFETIME.as_secs())
    }
}
