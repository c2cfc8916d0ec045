//! A certificate authority for tests: server certificates for loopback, client keystores for APNs.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey,
    PrivateKeyChain,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// `UID` of an X.500 name (RFC 4519, section 2.39): where Apple's push certificates carry the bundle
/// identifier.
pub(crate) const USER_ID_OID: [u64; 7] = [0, 9, 2342, 19_200_300, 100, 1, 1];

/// Names under which the doubles can be reached.
const SERVER_NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

const FRIENDLY_NAME: &str = "apns";

/// How a keystore is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeystoreFormat {
    /// PBES2 with AES-256 and HMAC-SHA-256, as OpenSSL 3 writes.
    #[default]
    Modern,
    /// Triple DES and a SHA-1 MAC, as old exports from a Mac's keychain are.
    Legacy,
}

/// Why the authority could not do something.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A certificate or key could not be made or read.
    #[error("the test authority cannot make or read a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A keystore could not be written.
    #[error("the test authority cannot write a keystore: {0}")]
    Keystore(#[from] p12_keystore::error::Error),
    /// TLS does not take what the authority made.
    #[error("TLS refuses the test authority's certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// The folder cannot be read or written.
    #[error("the test authority's files: {0}")]
    Io(#[from] std::io::Error),
}

/// A certificate authority that exists for one test, or for one sandbox folder.
///
/// Clones are the same authority.
#[derive(Clone)]
pub struct TestCa {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
}

impl fmt::Debug for TestCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestCa")
    }
}

impl TestCa {
    /// A new authority with a key of its own.
    ///
    /// # Errors
    ///
    /// The system has no randomness to give.
    pub fn new() -> Result<Self, CaError> {
        Self::with_key(KeyPair::generate()?)
    }

    /// The authority of a folder: the one that its `ca.key` belongs to, or a new one, whose `ca.pem` and
    /// `ca.key` (readable by its owner only) are written there.
    ///
    /// # Errors
    ///
    /// The folder cannot be read or written, or `ca.key` is no PKCS#8 key.
    pub fn load_or_create(folder: &Path) -> Result<Self, CaError> {
        let key_file = folder.join("ca.key");
        let authority = match fs::read_to_string(&key_file) {
            Ok(pem) => Self::with_key(KeyPair::from_pem(&pem)?)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write_private(&key_file, key.serialize_pem().as_bytes())?;
                Self::with_key(key)?
            }
            Err(error) => return Err(error.into()),
        };
        fs::write(folder.join("ca.pem"), authority.pem())?;
        Ok(authority)
    }

    fn with_key(key: KeyPair) -> Result<Self, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Belfry sandbox authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self {
            issuer: Arc::new(CertifiedIssuer::self_signed(params, key)?),
        })
    }

    /// The authority's certificate, PEM: what a client has to trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's certificate, DER.
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// The authority as the only trusted root, for clients that are built with rustls.
    ///
    /// # Errors
    ///
    /// The certificate is not usable as a trust anchor.
    pub fn roots(&self) -> Result<RootCertStore, CaError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der())?;
        Ok(roots)
    }

    /// A push certificate for one topic and its key, as a PKCS#12 keystore (RFC 7292).
    ///
    /// # Errors
    ///
    /// The system has no randomness to give, or the topic cannot stand in a name.
    pub fn client_keystore(&self, topic: &str, password: &str) -> Result<Vec<u8>, CaError> {
        self.client_keystore_in(topic, password, KeystoreFormat::Modern)
    }

    /// The same in a format of one's choice.
    ///
    /// # Errors
    ///
    /// As [`TestCa::client_keystore`].
    pub fn client_keystore_in(
        &self,
        topic: &str,
        password: &str,
        format: KeystoreFormat,
    ) -> Result<Vec<u8>, CaError> {
        let (certificate, key) = self.client_identity(topic)?;
        let chain = PrivateKeyChain::new(
            FRIENDLY_NAME,
            PrivateKey::from_der(key.secret_der())?,
            [Certificate::from_der(&certificate)?],
        );
        let mut keystore = KeyStore::new();
        keystore.add_entry(FRIENDLY_NAME, KeyStoreEntry::PrivateKeyChain(chain));
        let writer = keystore.writer(password);
        let writer = match format {
            KeystoreFormat::Modern => writer,
            KeystoreFormat::Legacy => writer
                .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
                .mac_algorithm(MacAlgorithm::HmacSha1),
        };
        Ok(writer.write()?)
    }

    /// A push certificate for one topic and its key, for clients that are built with rustls.
    ///
    /// # Errors
    ///
    /// As [`TestCa::client_keystore`].
    pub fn client_identity(
        &self,
        topic: &str,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), CaError> {
        let mut name = named(&format!("Apple Push Services: {topic}"));
        name.push(DnType::CustomDnType(USER_ID_OID.to_vec()), topic);
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    pub(crate) fn server_identity(
        &self,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), CaError> {
        let mut params = CertificateParams::new(SERVER_NAMES.map(String::from))?;
        params.distinguished_name = named("Belfry sandbox");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), CaError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &*self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((certificate.der().clone(), key))
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(content)
}
