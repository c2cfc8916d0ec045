//! What a client shows to be recognised.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belfry_plugin_api::secret::Secret;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

/// 256 bits, which nobody guesses.
const TOKEN_BYTES: usize = 32;

/// A session's token, to be handed to the client once and kept nowhere.
#[derive(Debug, Clone)]
pub struct SessionToken(Secret);

/// A session's name among the sessions: the SHA-256 digest of its token. It can be derived from
/// the token and not the other way, so how long a search for it takes tells nothing of any token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; SHA256_OUTPUT_LEN]);

impl SessionToken {
    pub(super) fn random() -> Result<Self, Unspecified> {
        let mut bytes = zeroize::Zeroizing::new([0; TOKEN_BYTES]);
        SystemRandom::new().fill(&mut *bytes)?;
        Ok(Self(Secret::from(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// The token as the client gets it: base64url without padding, 43 characters.
    pub fn expose(&self) -> &str {
        self.0.expose_str().unwrap_or_default()
    }

    pub(super) fn id(&self) -> SessionId {
        SessionId::of(self.expose())
    }
}

impl SessionId {
    /// The name of the session with this token, if there is one.
    pub(super) fn of(token: &str) -> Self {
        let mut id = [0; SHA256_OUTPUT_LEN];
        id.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_not_shown() {
        let (one, other) = (
            SessionToken::random().unwrap(),
            SessionToken::random().unwrap(),
        );
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.expose(), other.expose());
        assert!(!format!("{one:?} {:?}", one.id()).contains(one.expose()));
        assert_eq!(one.id(), SessionId::of(one.expose()));
        assert_ne!(one.id(), other.id());
    }
}
