//! Apple's token-based authentication from the provider's side: a `.p8` key and the tokens it signs.

use std::fmt;
use std::time::SystemTime;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::ca::CaError;
use crate::jwt;

/// Apple's key and team identifiers are ten capitals and digits.
const IDENTIFIER_LENGTH: usize = 10;
const IDENTIFIER_ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A provider's signing key (`AuthKey_KEYID.p8`), with its identifiers.
#[derive(Clone)]
pub struct ProviderKey {
    p8: String,
    key_id: String,
    team_id: String,
    public_key: Vec<u8>,
}

/// The half of a [`ProviderKey`] that a double needs.
#[derive(Clone, Debug)]
pub struct AcceptedKey {
    pub(crate) key_id: String,
    pub(crate) team_id: String,
    /// The point in uncompressed form (SEC 1, section 2.3.3).
    pub(crate) public_key: Vec<u8>,
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderKey")
            .field("key_id", &self.key_id)
            .field("team_id", &self.team_id)
            .finish_non_exhaustive()
    }
}

impl ProviderKey {
    /// A new key of a team.
    ///
    /// # Errors
    ///
    /// The system has no randomness to give.
    pub fn generate(team_id: &str) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Self::from_pair(&key, &random_identifier()?, team_id))
    }

    /// A key that was written before.
    ///
    /// # Errors
    ///
    /// `p8` is no PKCS#8 key in PEM, or not one on the P-256 curve.
    pub fn from_p8(p8: &str, key_id: &str, team_id: &str) -> Result<Self, CaError> {
        let key = KeyPair::from_pem(p8)?;
        if !key.is_compatible(&PKCS_ECDSA_P256_SHA256) {
            return Err(rcgen::Error::UnsupportedSignatureAlgorithm.into());
        }
        Ok(Self::from_pair(&key, key_id, team_id))
    }

    fn from_pair(key: &KeyPair, key_id: &str, team_id: &str) -> Self {
        Self {
            p8: key.serialize_pem(),
            key_id: key_id.to_owned(),
            team_id: team_id.to_owned(),
            public_key: key.der_bytes().to_vec(),
        }
    }

    /// The `.p8` file: PKCS#8 in PEM.
    pub fn p8(&self) -> &str {
        &self.p8
    }

    /// What goes into `kid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What goes into `iss`.
    pub fn team_id(&self) -> &str {
        &self.team_id
    }

    /// What [`crate::ApnsOptions::key`] wants.
    pub fn accepted(&self) -> AcceptedKey {
        AcceptedKey {
            key_id: self.key_id.clone(),
            team_id: self.team_id.clone(),
            public_key: self.public_key.clone(),
        }
    }

    /// A provider token (JWT, ES256), for clients that a test writes itself.
    ///
    /// # Errors
    ///
    /// The key cannot be used for signing.
    pub fn token(&self, issued_at: SystemTime) -> Result<String, CaError> {
        let header = serde_json::json!({"alg": "ES256", "kid": self.key_id});
        let claims = serde_json::json!({"iss": self.team_id, "iat": jwt::seconds(issued_at)});
        self.sign(&header, &claims)
    }

    /// Signs any header and claims, for tests of what APNs refuses.
    ///
    /// # Errors
    ///
    /// The key cannot be used for signing.
    pub fn sign(
        &self,
        header: &serde_json::Value,
        claims: &serde_json::Value,
    ) -> Result<String, CaError> {
        let random = SystemRandom::new();
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.p8.as_bytes())
            .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_pkcs8_der(),
            &random,
        )
        .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let mut token = jwt::signing_input(header, claims);
        let signature = key
            .sign(&random, token.as_bytes())
            .map_err(|_| rcgen::Error::RingUnspecified)?;
        jwt::append_signature(&mut token, signature.as_ref());
        Ok(token)
    }
}

fn random_identifier() -> Result<String, CaError> {
    let mut bytes = [0_u8; IDENTIFIER_LENGTH];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| rcgen::Error::RingUnspecified)?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(IDENTIFIER_ALPHABET[usize::from(byte % 32)]))
        .collect())
}
