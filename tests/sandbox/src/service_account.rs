//! A Google service account whose key everybody may know.

use std::fmt;
use std::time::{Duration, SystemTime};

use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::ca::CaError;
use crate::jwt;

/// Not a secret: it opens nothing but the double (see `data/README.md`).
const TEST_KEY: &str = include_str!("../data/test-only-service-account-key.pem");
const TEST_KEY_ID: &str = "b31f0c57e5ad4c6f9d0a7a51c2e8f4d6037b1a29";

/// The scope that a messaging token is asked for.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const ASSERTION_LIFETIME: Duration = Duration::from_secs(3600);

/// A project and the account that may send for it.
#[derive(Clone)]
pub struct ServiceAccount {
    project: String,
    client_email: String,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("project", &self.project)
            .field("client_email", &self.client_email)
            .finish_non_exhaustive()
    }
}

impl ServiceAccount {
    /// An account of a project.
    pub fn new(project: &str, client_email: &str) -> Self {
        Self {
            project: project.to_owned(),
            client_email: client_email.to_owned(),
        }
    }

    /// The project's identifier.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The account's address: `iss` of its assertions.
    pub fn client_email(&self) -> &str {
        &self.client_email
    }

    pub(crate) fn key_id(&self) -> &'static str {
        TEST_KEY_ID
    }

    /// The key file as Google's console would hand it out, with a token end-point of one's choice.
    pub fn json(&self, token_uri: &str) -> String {
        let file = serde_json::json!({
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": TEST_KEY_ID,
            "private_key": TEST_KEY,
            "client_email": self.client_email,
            "client_id": "100000000000000000000",
            "token_uri": token_uri,
        });
        format!("{file:#}\n")
    }

    /// An assertion (JWT, RS256) for the token end-point, for clients that a test writes itself.
    ///
    /// # Errors
    ///
    /// The key cannot be used for signing.
    pub fn assertion(&self, token_uri: &str, issued_at: SystemTime) -> Result<String, CaError> {
        let header = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": TEST_KEY_ID});
        let claims = serde_json::json!({
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": token_uri,
            "iat": jwt::seconds(issued_at),
            "exp": jwt::seconds(issued_at + ASSERTION_LIFETIME),
        });
        self.sign(&header, &claims)
    }

    /// Signs any header and claims, for tests of what the token end-point refuses.
    ///
    /// # Errors
    ///
    /// The key cannot be used for signing.
    pub fn sign(
        &self,
        header: &serde_json::Value,
        claims: &serde_json::Value,
    ) -> Result<String, CaError> {
        let key = key_pair()?;
        let mut token = jwt::signing_input(header, claims);
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            token.as_bytes(),
            &mut signature,
        )
        .map_err(|_| rcgen::Error::RingUnspecified)?;
        jwt::append_signature(&mut token, &signature);
        Ok(token)
    }

    /// The public key, DER of `RSAPublicKey` (RFC 8017, appendix A.1.1).
    pub(crate) fn public_key(&self) -> Result<Vec<u8>, CaError> {
        Ok(key_pair()?.public_key().as_ref().to_vec())
    }
}

fn key_pair() -> Result<RsaKeyPair, CaError> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(TEST_KEY.as_bytes())
        .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|_| rcgen::Error::CouldNotParseKeyPair.into())
}
