//! Signed tokens (RFC 7519): ES256 for APNs, RS256 for Google.

mod kept;
mod provider_token;

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use belfry_plugin_api::secret::Secret;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

pub(crate) use provider_token::authorization;
pub use provider_token::{ProviderToken, ProviderTokens, TooSoon};

/// Why a signing key cannot be used. No variant shows anything of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block of the right kind.
    #[error("it holds no PEM block \"BEGIN PRIVATE KEY\" (PKCS#8)")]
    NotPkcs8Pem,
    /// A key of another algorithm or curve, or a damaged one.
    #[error("its key is not a usable {0} key")]
    WrongKind(&'static str),
    /// The random number generator or the key failed.
    #[error("its key could not sign")]
    Signing,
}

/// A key that signs tokens. `Debug` shows its algorithm only.
pub struct SigningKey(Kind);

enum Kind {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
}

impl SigningKey {
    /// The key of an Apple `.p8` file: a P-256 key for ES256 (RFC 7518, section 3.4).
    ///
    /// # Errors
    ///
    /// Where the PEM text holds no such key.
    pub fn es256(pem: &Secret) -> Result<Self, KeyError> {
        let der = pkcs8(pem)?;
        EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_pkcs8_der(),
            &SystemRandom::new(),
        )
        .map(|key| Self(Kind::Es256(Box::new(key))))
        .map_err(|_| KeyError::WrongKind("P-256 (ES256)"))
    }

    /// The key of a Google service account, for RS256 (RFC 7518, section 3.3).
    ///
    /// # Errors
    ///
    /// Where the PEM text holds no such key.
    pub fn rs256(pem: &Secret) -> Result<Self, KeyError> {
        let der = pkcs8(pem)?;
        RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map(|key| Self(Kind::Rs256(Box::new(key))))
            .map_err(|_| KeyError::WrongKind("RSA (RS256, 2048 bits or more)"))
    }

    /// The public half, to tell keys apart by.
    pub(crate) fn public(&self) -> &[u8] {
        match &self.0 {
            Kind::Es256(key) => key.public_key().as_ref(),
            Kind::Rs256(key) => key.public_key().as_ref(),
        }
    }

    /// Signs claims into a token in compact form: base64url without padding, and for ES256 the
    /// signature as r‖s.
    ///
    /// # Errors
    ///
    /// Where the key does not sign.
    pub fn sign(&self, key_id: Option<&str>, claims: &impl Serialize) -> Result<Secret, KeyError> {
        let header = Header {
            alg: match self.0 {
                Kind::Es256(_) => "ES256",
                Kind::Rs256(_) => "RS256",
            },
            typ: "JWT",
            kid: key_id,
        };
        let mut token = format!("{}.{}", encode(&header)?, encode(claims)?);
        let random = SystemRandom::new();
        let signature = match &self.0 {
            Kind::Es256(key) => {
                let signature = key
                    .sign(&random, token.as_bytes())
                    .map_err(|_| KeyError::Signing)?;
                signature.as_ref().to_vec()
            }
            Kind::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature)
                    .map_err(|_| KeyError::Signing)?;
                signature
            }
        };
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::from(token))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Es256(_) => "SigningKey(ES256)",
            Kind::Rs256(_) => "SigningKey(RS256)",
        })
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

fn encode(part: &impl Serialize) -> Result<String, KeyError> {
    let json = serde_json::to_vec(part).map_err(|_| KeyError::Signing)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
}

fn pkcs8(pem: &Secret) -> Result<PrivatePkcs8KeyDer<'static>, KeyError> {
    PrivatePkcs8KeyDer::from_pem_slice(pem.expose()).map_err(|_| KeyError::NotPkcs8Pem)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A fresh P-256 key as a `.p8` file would hold it.
    pub(crate) fn p8() -> Secret {
        Secret::from(rcgen::KeyPair::generate().unwrap().serialize_pem())
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;

    fn decoded(part: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()
    }

    #[test]
    fn a_token_is_three_unpadded_parts_with_a_signature_of_two_halves() {
        let key = SigningKey::es256(&testing::p8()).unwrap();
        let token = key
            .sign(Some("KEY1234567"), &json!({"iss": "TEAM"}))
            .unwrap();
        let token = token.expose_str().unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();

        let header: Value = serde_json::from_slice(&decoded(header)).unwrap();
        assert_eq!(
            header,
            json!({"alg": "ES256", "typ": "JWT", "kid": "KEY1234567"})
        );
        let claims: Value = serde_json::from_slice(&decoded(claims)).unwrap();
        assert_eq!(claims, json!({"iss": "TEAM"}));
        assert!(!token.contains(['=', '+', '/']));

        let signature = decoded(signature);
        assert_eq!(signature.len(), 64);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public())
            .verify(signed.as_bytes(), &signature)
            .unwrap();
    }

    #[test]
    fn what_is_no_key_of_the_kind_is_refused_without_showing_it() {
        let p8 = testing::p8();
        assert_eq!(
            SigningKey::es256(&"hunter2".into()).unwrap_err(),
            KeyError::NotPkcs8Pem
        );
        let error = SigningKey::rs256(&p8).unwrap_err();
        assert_eq!(error, KeyError::WrongKind("RSA (RS256, 2048 bits or more)"));
        assert_eq!(
            format!("{:?}", SigningKey::es256(&p8).unwrap()),
            "SigningKey(ES256)"
        );
    }
}
