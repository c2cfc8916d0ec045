//! The credential for APNs: a certificate with its key, or a key that signs tokens.

use belfry_plugin_api::secret::Secret;
use p12_keystore::Pkcs12Archive;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use crate::certificate::End;
use crate::contents::Contents;
use crate::names::{Apns, ApnsLogin};
use crate::offer::{Offer, credential};

/// Makes an offer of what `restricted.toml` names.
///
/// # Errors
///
/// Says which file cannot be used and why.
pub(crate) fn offer(contents: &Contents, apns: &Apns) -> Result<Offer, String> {
    let topic = apns.topic.clone().map(Secret::from);
    let production = apns.production.map(|flag| Secret::from(flag.to_string()));
    match &apns.login {
        ApnsLogin::Certificate { keystore, password } => {
            let file = contents.file(keystore)?;
            let path = contents.path(keystore);
            let end = open(&file.bytes, password.as_ref())
                .map_err(|why| format!("{} {why}", path.display()))?;
            Ok(Offer {
                credential: credential([
                    ("keystore", Some(file.bytes.clone())),
                    ("password", password.clone()),
                    ("topic", topic),
                    ("production", production),
                ]),
                what: format!("the certificate in {}", path.display()),
                end: Some(end),
            })
        }
        ApnsLogin::Token {
            key,
            key_id,
            team_id,
        } => {
            let file = contents.file(key)?;
            let path = contents.path(key);
            check_key(file.bytes.expose()).map_err(|why| format!("{} {why}", path.display()))?;
            Ok(Offer {
                credential: credential([
                    ("key", Some(file.bytes.clone())),
                    ("key-id", Some(key_id.as_str().into())),
                    ("team-id", Some(team_id.as_str().into())),
                    ("topic", topic),
                    ("production", production),
                ]),
                what: format!("key {key_id} of team {team_id} in {}", path.display()),
                end: None,
            })
        }
    }
}

/// Opens a keystore (PKCS#12, RFC 7292) and looks for a key with its certificate.
fn open(keystore: &Secret, password: Option<&Secret>) -> Result<End, String> {
    let password = password.and_then(Secret::expose_str).unwrap_or_default();
    let archive = Pkcs12Archive::from_pkcs12(keystore.expose(), password).map_err(|error| {
        use p12_keystore::error::Error;
        match error {
            Error::MacError(_) => "does not open with apns.password, or is damaged".to_owned(),
            other => format!("cannot be read as a PKCS#12 keystore: {other}"),
        }
    })?;
    let [key, ..] = &archive.keys[..] else {
        return Err("holds no private key".into());
    };
    let id = key.local_key_id.as_ref().map(AsRef::as_ref);
    let of_key = archive
        .certs
        .iter()
        .find(|bag| bag.local_key_id.as_deref() == id);
    match of_key.or(archive.certs.first()) {
        Some(bag) => End::of(bag.cert.as_der()),
        None => Err("holds no certificate".into()),
    }
}

/// APNs takes tokens that are signed with ES256, so it is a key of the curve P-256.
fn check_key(pem: &[u8]) -> Result<(), String> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| {
        "is not a private key in PEM, as Apple's .p8 files are (BEGIN PRIVATE KEY)".to_owned()
    })?;
    let der = key.secret_pkcs8_der();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
        .map(drop)
        .map_err(|error| format!("holds no key of the curve P-256: {error}"))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_key_is_taken_with_and_without_the_name_of_its_curve_inside() {
        let key = rcgen::KeyPair::generate().unwrap();
        assert_eq!(check_key(key.serialize_pem().as_bytes()), Ok(()));
        assert_eq!(check_key(as_apple_writes_it(&key).as_bytes()), Ok(()));
    }

    /// The parameters of RFC 5915 are optional; Apple's files have them.
    fn as_apple_writes_it(key: &rcgen::KeyPair) -> String {
        const PARAMETERS: [u8; 12] = [0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        // Where the three lengths around the private key are, and where that ends.
        const LENGTHS: [usize; 3] = [2, 28, 30];
        const END: usize = 68;
        let mut der = key.serialize_der();
        assert_eq!((der.len(), der[END]), (138, 0xa1));
        for place in LENGTHS {
            der[place] += 12;
        }
        der.splice(END..END, PARAMETERS);
        let body = STANDARD.encode(&der);
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    #[test]
    fn what_is_no_such_key_is_refused() {
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = key.serialize_pem();
        for text in [
            "",
            &pem[..pem.len() / 2],
            &pem.replace("PRIVATE KEY", "EC PRIVATE KEY"),
            &key.public_key_pem(),
        ] {
            let why = check_key(text.as_bytes()).unwrap_err();
            assert!(why.starts_with("is not a private key in PEM"), "{why}");
        }
        assert!(check_key(key.serialized_der()).is_err());
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let why = check_key(other.serialize_pem().as_bytes()).unwrap_err();
        assert!(why.starts_with("holds no key of the curve P-256"), "{why}");
    }

    #[test]
    fn a_keystore_without_a_key_or_certificate_is_refused() {
        let store = p12_keystore::KeyStore::new();
        let bytes = store.writer("").write().unwrap();
        assert_eq!(
            open(&Secret::new(bytes), None),
            Err("holds no private key".into())
        );
    }
}
