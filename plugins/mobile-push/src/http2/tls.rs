//! What the client trusts, and who it says it is.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Whose certificates are accepted from a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Trust {
    /// Those that the system's trust store vouches for.
    #[default]
    System,
    /// Those that the certificates of this PEM file vouch for, and no others.
    File(PathBuf),
}

/// Why a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file does not hold PEM certificates.
    #[error("the CA file {} cannot be used: {reason}; it must hold PEM certificates", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system vouches for nobody.
    #[error(
        "the system has no trusted certificates ({0}); install the package ca-certificates or name a CA file"
    )]
    NoSystemRoots(String),
    /// The key of the client certificate does not sign.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The TLS configuration of a client that speaks HTTP/2 only.
///
/// # Errors
///
/// Where the trusted certificates cannot be read.
pub fn client_config(
    trust: &Trust,
    identity: Option<Arc<CertifiedKey>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(trust)?);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(OneIdentity(identity))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn roots(trust: &Trust) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _unusable) = roots.add_parsable_certificates(found.certs);
            if added == 0 {
                let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
                let reasons = if reasons.is_empty() {
                    "the store is empty".to_owned()
                } else {
                    reasons.join("; ")
                };
                return Err(TlsError::NoSystemRoots(reasons));
            }
        }
        Trust::File(path) => {
            let error = |reason: String| TlsError::File {
                path: path.clone(),
                reason,
            };
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|cause| error(cause.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|cause| error(cause.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|cause| error(cause.to_string()))?;
            }
            if roots.is_empty() {
                return Err(error("it holds no certificate".to_owned()));
            }
        }
    }
    Ok(roots)
}

/// Shows the one certificate that there is, whatever issuers the server lists: a list that leaves
/// out an intermediate is no reason to come without credentials.
#[derive(Debug)]
struct OneIdentity(Arc<CertifiedKey>);

impl ResolvesClientCert for OneIdentity {
    fn resolve(
        &self,
        _issuers: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_is_missing_or_empty_is_named() {
        let missing = Trust::File("/nonexistent/ca.pem".into());
        let error = client_config(&missing, None).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/ca.pem"), "{error}");

        let empty = Trust::File("/dev/null".into());
        let error = client_config(&empty, None).unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
    }
}
