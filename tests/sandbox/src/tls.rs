//! TLS of the doubles: HTTP/2 by ALPN, TLS 1.2 and 1.3, client certificates where wanted.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use crate::ca::{CaError, TestCa};

/// The protocol's name in ALPN (RFC 9113, section 3.1).
pub(crate) const ALPN_H2: &[u8] = b"h2";

/// The server's side. With `client_certificates`, one is asked for, taken only from `ca`, and may be
/// missing: a provider token comes later, in a header.
pub(crate) fn server_config(
    ca: &TestCa,
    client_certificates: bool,
) -> Result<Arc<ServerConfig>, CaError> {
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&crypto))
        .with_safe_default_protocol_versions()?;
    let builder = if client_certificates {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()?), crypto)
            .allow_unauthenticated()
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let (certificate, key) = ca.server_identity()?;
    let mut config = builder.with_single_cert(vec![certificate, ca.der()], key)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    Ok(Arc::new(config))
}
