//! The certificate that says to APNs who we are, from a PKCS#12 keystore (RFC 7292).

use std::sync::Arc;
use std::time::SystemTime;

use belfry_plugin_api::secret::Secret;
use p12_keystore::{Pkcs12Archive, error::Error as P12Error};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::der_parser::{Oid, oid};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::unix_seconds;

/// The subject attribute that holds the topic of a push certificate (`UID`, RFC 4519, section 2.39).
const UID: Oid<'static> = oid!(0.9.2342.19200300.100.1.1);

/// Why a keystore cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// The integrity check failed.
    #[error("the password of the keystore is wrong")]
    WrongPassword,
    /// Not a keystore, or a damaged one.
    #[error("the keystore cannot be read ({0}); it must be a PKCS#12 file (.p12, .pfx)")]
    Unreadable(String),
    /// There is no key that signs.
    #[error(
        "the keystore holds no usable private key; export certificate and private key together, \
         as Keychain Access does for the entry of the key"
    )]
    NoKey,
    /// There is a key, and no certificate that belongs to it.
    #[error("the keystore holds no certificate for its private key; export both together")]
    NoCertificate,
    /// The time of the certificate is over.
    #[error(
        "the certificate of {subject} expired on {date}; get a new one from Apple's developer site"
    )]
    Expired {
        /// Whose certificate.
        subject: String,
        /// The last day.
        date: String,
    },
    /// The certificate's time has not begun.
    #[error("the certificate of {subject} is not valid before {date}; check this machine's clock")]
    NotYetValid {
        /// Whose certificate.
        subject: String,
        /// The first day.
        date: String,
    },
}

/// A client certificate with its key, ready for TLS.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The chain and the key.
    pub certified: Arc<CertifiedKey>,
    /// The topic that the certificate is for, where it names one.
    pub topic: Option<String>,
    /// When the certificate's time is over, in seconds since 1970.
    pub expires_at: i64,
}

/// Reads the certificate, its chain and its key from a keystore.
///
/// # Errors
///
/// Where the password is wrong, key or certificate are missing, or the certificate is not valid
/// at the time given.
pub fn read(
    keystore: &[u8],
    password: &Secret,
    now: SystemTime,
) -> Result<Identity, KeystoreError> {
    let password = password.expose_str().ok_or(KeystoreError::WrongPassword)?;
    let archive = Pkcs12Archive::from_pkcs12(keystore, password).map_err(|error| match error {
        P12Error::MacError(_) => KeystoreError::WrongPassword,
        other => KeystoreError::Unreadable(other.to_string()),
    })?;
    let keys: Vec<Arc<dyn SigningKey>> = archive
        .keys
        .iter()
        .filter_map(|bag| PrivateKeyDer::try_from(bag.key.as_der()).ok())
        .filter_map(|der| rustls::crypto::ring::sign::any_supported_type(&der).ok())
        .collect();
    if keys.is_empty() {
        return Err(KeystoreError::NoKey);
    }
    let ders: Vec<&[u8]> = archive.certs.iter().map(|bag| bag.cert.as_der()).collect();
    let certificates: Vec<X509Certificate<'_>> = ders
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .map(|(_, certificate)| certificate)
        .collect();
    let (key, leaf) = keys
        .into_iter()
        .find_map(|key| {
            let public = key.public_key()?;
            let leaf = certificates
                .iter()
                .position(|certificate| certificate.public_key().raw == public.as_ref())?;
            drop(public);
            Some((key, leaf))
        })
        .ok_or(KeystoreError::NoCertificate)?;
    let certificate = certificates.get(leaf).ok_or(KeystoreError::NoCertificate)?;
    check_validity(certificate, now)?;
    let chain = chain(certificate, &certificates);
    Ok(Identity {
        certified: Arc::new(CertifiedKey::new(chain, key)),
        topic: topic(certificate),
        expires_at: certificate.validity().not_after.timestamp(),
    })
}

fn check_validity(certificate: &X509Certificate<'_>, now: SystemTime) -> Result<(), KeystoreError> {
    let now = i64::try_from(unix_seconds(now)).unwrap_or(i64::MAX);
    let subject = certificate.subject().to_string();
    let validity = certificate.validity();
    if now > validity.not_after.timestamp() {
        let date = validity.not_after.to_string();
        return Err(KeystoreError::Expired { subject, date });
    }
    if now < validity.not_before.timestamp() {
        let date = validity.not_before.to_string();
        return Err(KeystoreError::NotYetValid { subject, date });
    }
    Ok(())
}

/// The certificate and its issuers, without the root, which the server has itself (RFC 8446,
/// section 4.4.2).
fn chain(leaf: &X509Certificate<'_>, all: &[X509Certificate<'_>]) -> Vec<CertificateDer<'static>> {
    let owned =
        |certificate: &X509Certificate<'_>| CertificateDer::from(certificate.as_raw().to_vec());
    let self_signed =
        |certificate: &X509Certificate<'_>| certificate.subject() == certificate.issuer();
    let mut chain = vec![owned(leaf)];
    let mut last = leaf;
    while chain.len() <= all.len() && !self_signed(last) {
        let issuer = all.iter().find(|other| other.subject() == last.issuer());
        match issuer {
            Some(issuer) if !self_signed(issuer) => {
                chain.push(owned(issuer));
                last = issuer;
            }
            _ => break,
        }
    }
    chain
}

fn topic(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut attributes = certificate.subject().iter_by_oid(&UID);
    let topic = attributes.next()?.as_str().ok()?;
    (!topic.is_empty()).then(|| topic.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    const UID_PARTS: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 1];

    /// 2024-06-01.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_717_200_000)
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2025, 1, 1);
        params
            .distinguished_name
            .push(DnType::CommonName, "Apple Push Services");
        let uid = DnType::CustomDnType(UID_PARTS.to_vec());
        params.distinguished_name.push(uid, "org.example.mail");
        params
    }

    fn keystore(params: &CertificateParams, certified: &KeyPair, held: &KeyPair) -> Vec<u8> {
        let certificate = params.self_signed(certified).unwrap();
        let chain = PrivateKeyChain::new(
            "id",
            PrivateKey::from_der(held.serialized_der()).unwrap(),
            [Certificate::from_der(certificate.der()).unwrap()],
        );
        let mut store = KeyStore::new();
        store.add_entry("push", KeyStoreEntry::PrivateKeyChain(chain));
        store.writer("right").write().unwrap()
    }

    fn refusal(keystore: &[u8], password: &str) -> KeystoreError {
        read(keystore, &password.into(), now()).unwrap_err()
    }

    #[test]
    fn a_keystore_gives_certificate_key_and_topic() {
        let key = KeyPair::generate().unwrap();
        let identity = read(&keystore(&params(), &key, &key), &"right".into(), now()).unwrap();
        identity.certified.keys_match().unwrap();
        assert_eq!(identity.topic.as_deref(), Some("org.example.mail"));
        assert_eq!(identity.expires_at, 1_735_689_600);
    }

    #[test]
    fn a_wrong_password_is_named_and_not_shown() {
        let key = KeyPair::generate().unwrap();
        let error = refusal(&keystore(&params(), &key, &key), "hunter2");
        assert_eq!(error, KeystoreError::WrongPassword);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn an_expired_certificate_is_refused_with_its_date() {
        let key = KeyPair::generate().unwrap();
        let mut params = params();
        params.not_after = date_time_ymd(2024, 3, 1);
        let error = refusal(&keystore(&params, &key, &key), "right").to_string();
        assert!(
            error.contains("Apple Push Services") && error.contains("2024"),
            "{error}"
        );

        params.not_before = date_time_ymd(2024, 8, 1);
        params.not_after = date_time_ymd(2025, 1, 1);
        let error = refusal(&keystore(&params, &key, &key), "right");
        assert!(
            matches!(error, KeystoreError::NotYetValid { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_key_without_its_certificate_is_refused() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let error = refusal(&keystore(&params(), &other, &key), "right");
        assert_eq!(error, KeystoreError::NoCertificate);
    }

    #[test]
    fn a_store_without_a_key_is_refused() {
        let key = KeyPair::generate().unwrap();
        let certificate = params().self_signed(&key).unwrap();
        let mut store = KeyStore::new();
        let entry = KeyStoreEntry::Certificate(Certificate::from_der(certificate.der()).unwrap());
        store.add_entry("push", entry);
        assert_eq!(
            refusal(&store.writer("right").write().unwrap(), "right"),
            KeystoreError::NoKey
        );
    }

    #[test]
    fn what_is_no_keystore_is_refused() {
        let error = refusal(b"-----BEGIN CERTIFICATE-----", "right");
        assert!(matches!(error, KeystoreError::Unreadable(_)), "{error}");
    }
}
