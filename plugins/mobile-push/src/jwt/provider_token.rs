//! The token that says to APNs who we are.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use belfry_plugin_api::secret::Secret;
use http::HeaderValue;
use serde::Serialize;

use super::kept;
use super::{KeyError, SigningKey};
use crate::clock::{Clock, unix_seconds};

/// APNs answers 429 TooManyProviderTokenUpdates to who renews oftener (Apple, "Establishing a
/// token-based connection to APNs").
const YOUNGEST_RENEWAL: Duration = Duration::from_secs(20 * 60);

/// APNs refuses a token older than 60 minutes; the rest is for clocks that differ.
const RENEW_AFTER: Duration = Duration::from_secs(50 * 60);

/// The provider token of one key. However many connections and tasks use it, it is signed once
/// and renewed by one of them when it is 50 minutes old.
pub struct ProviderToken {
    key: SigningKey,
    key_id: String,
    team_id: String,
    clock: Arc<dyn Clock>,
    /// Where the token outlives this process.
    file: Option<PathBuf>,
    current: Mutex<Option<Signed>>,
}

struct Signed {
    header: HeaderValue,
    at: SystemTime,
    /// When a token that had to last longer was last replaced.
    early_at: Option<SystemTime>,
}

/// APNs calls a token expired again that was just renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the provider token was renewed early and counts as expired again; check this machine's clock"
)]
pub struct TooSoon {
    /// When it may be renewed again.
    pub wait: Duration,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: u64,
}

impl ProviderToken {
    /// A token that is signed when it is first needed.
    pub fn new(key: SigningKey, key_id: &str, team_id: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            key,
            key_id: key_id.to_owned(),
            team_id: team_id.to_owned(),
            clock,
            file: None,
            current: Mutex::new(None),
        }
    }

    /// Keeps the token in a file, and goes on with the one that an earlier process kept there:
    /// restarts must not look like a flood of tokens.
    fn kept_in(mut self, file: PathBuf) -> Self {
        let kept = kept::read(&file, &self.key).and_then(|(token, at)| {
            Some(Signed {
                header: authorization("bearer", &token)?,
                at,
                early_at: None,
            })
        });
        self.current = Mutex::new(kept);
        self.file = Some(file);
        self
    }

    /// The `authorization` header of a request, renewed where it is due.
    ///
    /// # Errors
    ///
    /// Where the key does not sign.
    pub fn header(&self) -> Result<HeaderValue, KeyError> {
        let now = self.clock.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            // A date in the future, as it is after the clock was set back, is refused by APNs.
            Some(signed)
                if now
                    .duration_since(signed.at)
                    .is_ok_and(|age| age < RENEW_AFTER) =>
            {
                Ok(signed.header.clone())
            }
            signed => {
                let early_at = signed.as_ref().and_then(|signed| signed.early_at);
                self.sign(&mut current, now, early_at)
            }
        }
    }

    /// Renews the token that APNs called expired, unless somebody has done so already. A token that
    /// should have lasted longer is renewed once in 20 minutes: a clock that is wrong must not
    /// become a flood of tokens.
    ///
    /// # Errors
    ///
    /// `Ok(Err(TooSoon))` where APNs would not take a new token yet.
    pub fn replace(&self, expired: &HeaderValue) -> Result<Result<(), TooSoon>, KeyError> {
        let now = self.clock.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut early_at = None;
        if let Some(signed) = &*current {
            if signed.header != *expired {
                return Ok(Ok(()));
            }
            early_at = signed.early_at;
            if age(signed.at, now) < YOUNGEST_RENEWAL {
                if let Some(wait) =
                    early_at.and_then(|at| YOUNGEST_RENEWAL.checked_sub(age(at, now)))
                {
                    return Ok(Err(TooSoon { wait }));
                }
                early_at = Some(now);
            }
        }
        self.sign(&mut current, now, early_at).map(|_| Ok(()))
    }

    fn sign(
        &self,
        current: &mut Option<Signed>,
        now: SystemTime,
        early_at: Option<SystemTime>,
    ) -> Result<HeaderValue, KeyError> {
        let claims = Claims {
            iss: &self.team_id,
            iat: unix_seconds(now),
        };
        let token = self.key.sign(Some(&self.key_id), &claims)?;
        let header = authorization("bearer", &token).ok_or(KeyError::Signing)?;
        if let Some(file) = &self.file {
            kept::write(file, &token);
        }
        *current = Some(Signed {
            header: header.clone(),
            at: now,
            early_at,
        });
        Ok(header)
    }
}

impl fmt::Debug for ProviderToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderToken")
            .field("key_id", &self.key_id)
            .field("team_id", &self.team_id)
            .finish_non_exhaustive()
    }
}

fn age(since: SystemTime, now: SystemTime) -> Duration {
    // The clock was set back: nothing is known of the age, and the limit has been kept so far.
    now.duration_since(since).unwrap_or(YOUNGEST_RENEWAL)
}

/// A token as the value of an `authorization` header that no log shows. The scheme is written as
/// the provider's pages write it.
pub(crate) fn authorization(scheme: &str, token: &Secret) -> Option<HeaderValue> {
    let text = Secret::from(format!("{scheme} {}", token.expose_str()?));
    let mut header = HeaderValue::from_bytes(text.expose()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The tokens in use, one a key: accounts that share a key share its token, and one that is set
/// up again with the same key goes on with the token it had.
#[derive(Debug)]
pub struct ProviderTokens {
    clock: Arc<dyn Clock>,
    folder: Option<PathBuf>,
    tokens: Mutex<HashMap<Identity, Arc<ProviderToken>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    team_id: String,
    key_id: String,
    public_key: Vec<u8>,
}

impl ProviderTokens {
    /// No tokens yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            folder: None,
            tokens: Mutex::default(),
        }
    }

    /// Tokens that are kept in a folder, so that they outlive this process and are shared with
    /// the generation that follows.
    pub fn kept_in(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            folder: Some(folder.to_owned()),
            ..Self::new(clock)
        }
    }

    /// The token of a key.
    pub fn of(&self, key: SigningKey, key_id: &str, team_id: &str) -> Arc<ProviderToken> {
        let identity = Identity {
            team_id: team_id.to_owned(),
            key_id: key_id.to_owned(),
            public_key: key.public().to_vec(),
        };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .entry(identity)
            .or_insert_with(|| {
                let token = ProviderToken::new(key, key_id, team_id, self.clock.clone());
                Arc::new(match &self.folder {
                    Some(folder) => token.kept_in(folder.join(kept::file_name(team_id, key_id))),
                    None => token,
                })
            })
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::testing::HandClock;
    use crate::jwt::testing::p8;

    const MINUTE: Duration = Duration::from_secs(60);

    fn token() -> (Arc<HandClock>, ProviderToken) {
        let clock = Arc::new(HandClock::at(1_700_000_000));
        let key = SigningKey::es256(&p8()).unwrap();
        (clock.clone(), ProviderToken::new(key, "KEY", "TEAM", clock))
    }

    #[test]
    fn a_token_stays_the_same_for_fifty_minutes() {
        let (clock, token) = token();
        let first = token.header().unwrap();
        clock.advance(50 * MINUTE - Duration::from_secs(1));
        assert_eq!(token.header().unwrap(), first);
        clock.advance(Duration::from_secs(1));
        assert_ne!(token.header().unwrap(), first);
    }

    #[test]
    fn an_expired_token_is_renewed_once_however_many_saw_it_expire() {
        let (clock, token) = token();
        let expired = token.header().unwrap();
        clock.advance(20 * MINUTE);
        token.replace(&expired).unwrap().unwrap();
        let renewed = token.header().unwrap();
        assert_ne!(renewed, expired);
        token.replace(&expired).unwrap().unwrap();
        assert_eq!(token.header().unwrap(), renewed);
    }

    #[test]
    fn a_young_token_that_counts_as_expired_is_renewed_once_in_twenty_minutes() {
        let (clock, token) = token();
        let first = token.header().unwrap();
        clock.advance(MINUTE);
        token.replace(&first).unwrap().unwrap();
        let second = token.header().unwrap();
        assert_ne!(second, first);

        clock.advance(15 * MINUTE);
        let refusal = token.replace(&second).unwrap().unwrap_err();
        assert_eq!(refusal.wait, 5 * MINUTE);
        assert!(refusal.to_string().contains("clock"), "{refusal}");
        assert_eq!(token.header().unwrap(), second);

        clock.advance(5 * MINUTE);
        token.replace(&second).unwrap().unwrap();
        assert_ne!(token.header().unwrap(), second);
    }

    #[test]
    fn a_token_from_the_future_is_renewed() {
        let (clock, token) = token();
        let future = token.header().unwrap();
        clock.turn_back(10 * MINUTE);
        assert_ne!(token.header().unwrap(), future);
    }

    #[test]
    fn accounts_with_one_key_share_its_token() {
        let tokens = ProviderTokens::new(Arc::new(HandClock::at(0)));
        let pem = p8();
        let key = || SigningKey::es256(&pem).unwrap();
        let one = tokens.of(key(), "KEY", "TEAM");
        assert!(Arc::ptr_eq(&one, &tokens.of(key(), "KEY", "TEAM")));
        assert!(!Arc::ptr_eq(&one, &tokens.of(key(), "KEY", "OTHER")));
        let other = SigningKey::es256(&p8()).unwrap();
        assert!(!Arc::ptr_eq(&one, &tokens.of(other, "KEY", "TEAM")));
    }

    #[test]
    fn no_token_shows_in_debug() {
        let (_, token) = token();
        let header = token.header().unwrap();
        let secret = header.to_str().unwrap().trim_start_matches("bearer ");
        assert!(!format!("{token:?} {header:?}").contains(secret));
    }
}
