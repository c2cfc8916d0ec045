//! Where an IMAP server is and how the way there is made safe.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use url::Url;

use crate::trust;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all: for a server on the same machine, or a network that the operator trusts.
    None,
    /// `STARTTLS` (RFC 3501, section 6.2.1) before anything else; a server without it is refused.
    StartTls,
    /// TLS from the first byte (RFC 8314, section 3.2).
    Tls,
}

/// Where an IMAP server is, as the configuration says it.
///
/// | URL | protection |
/// | --- | --- |
/// | `imap://HOST[:143]` | none for `localhost` and loopback addresses, else `STARTTLS` |
/// | `imap://HOST?starttls=required` | `STARTTLS`, also on loopback |
/// | `imap://HOST?starttls=never` | none, also over a network |
/// | `imaps://HOST[:993]` | TLS from the first byte |
///
/// There is no "if offered": whoever can change what a server offers could then read passwords.
#[derive(Clone)]
pub struct ImapEndpoint {
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) local_address: Option<IpAddr>,
}

/// What is wrong with a configured endpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no URL, or has no host.
    #[error("not a URL such as imap://127.0.0.1:143 or imaps://mail.example.com: {0}")]
    Url(String),
    /// The scheme is neither `imap` nor `imaps`.
    #[error("scheme {0:?} is not known: use imap:// or imaps://")]
    Scheme(String),
    /// Credentials in the URL would end up in logs and listings.
    #[error("the URL may not hold a login or password")]
    Credentials,
    /// There is a path, which has no meaning here.
    #[error("the URL may not have a path")]
    Path,
    /// A parameter after `?` is not known, or does not fit.
    #[error(
        "{0}: write ?starttls=required or ?starttls=never after imap://, nothing after imaps://"
    )]
    Option(String),
    /// The file with additional certificate authorities cannot be used.
    #[error("the certificate authorities in {path} cannot be used: {reason}")]
    Ca {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Neither the system nor the configuration names an authority.
    #[error("no certificate authority is known: install ca-certificates or name a CA file")]
    NoTrust,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl ImapEndpoint {
    /// Reads an endpoint. `ca` names a PEM file with authorities to believe in addition to the
    /// system's; it is not read where no TLS is used.
    ///
    /// Blocks for a few milliseconds while it reads certificates.
    ///
    /// # Errors
    /// Where the URL is none that is listed above, or certificates cannot be read.
    pub fn parse(url: &str, ca: Option<&Path>) -> Result<Self, EndpointError> {
        let parsed = Url::parse(url).map_err(|error| EndpointError::Url(error.to_string()))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        let default_port = match parsed.scheme() {
            "imap" => 143,
            "imaps" => 993,
            other => return Err(EndpointError::Scheme(other.to_owned())),
        };
        let host = parsed
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| EndpointError::Url("it names no host".to_owned()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if !matches!(parsed.path(), "" | "/") || parsed.fragment().is_some() {
            return Err(EndpointError::Path);
        }
        let security = security(&parsed, host)?;
        let tls = match security {
            Security::None => None,
            Security::StartTls | Security::Tls => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|error| EndpointError::Url(error.to_string()))?;
                Some((trust::client_config(ca)?, name))
            }
        };
        Ok(Self {
            url: url.to_owned(),
            host: host.to_owned(),
            port: parsed.port().unwrap_or(default_port),
            security,
            tls,
            local_address: None,
        })
    }

    /// The same endpoint, reached from this address of ours. The port is the system's choice.
    ///
    /// For a machine with several addresses of which the mail server knows one; servers count
    /// failed logins by the address they come from.
    #[must_use]
    pub fn with_local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// How connections are protected.
    pub fn security(&self) -> Security {
        self.security
    }
}

/// What the URL says about protection, or the default for its host.
fn security(url: &Url, host: &str) -> Result<Security, EndpointError> {
    let mut chosen = None;
    for (name, value) in url.query_pairs() {
        chosen = match (url.scheme(), name.as_ref(), value.as_ref(), chosen) {
            ("imap", "starttls", "required", None) => Some(Security::StartTls),
            ("imap", "starttls", "never", None) => Some(Security::None),
            _ => {
                let what = format!(
                    "the parameter {:?} is not allowed",
                    format!("{name}={value}")
                );
                return Err(EndpointError::Option(what));
            }
        };
    }
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
    Ok(match (url.scheme(), chosen) {
        ("imaps", _) => Security::Tls,
        (_, Some(security)) => security,
        (_, None) if loopback => Security::None,
        (_, None) => Security::StartTls,
    })
}

impl fmt::Display for ImapEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Debug for ImapEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapEndpoint")
            .field("url", &self.url)
            .field("security", &self.security)
            .field("local_address", &self.local_address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<(String, u16, Security), EndpointError> {
        ImapEndpoint::parse(url, None)
            .map(|endpoint| (endpoint.host, endpoint.port, endpoint.security))
    }

    #[test]
    fn passwords_cross_a_network_only_by_an_operators_explicit_wish() {
        let security = |url| parse(url).unwrap().2;
        assert_eq!(security("imap://127.0.0.1:143"), Security::None);
        assert_eq!(security("imap://localhost"), Security::None);
        assert_eq!(security("imap://[::1]"), Security::None);
        assert_eq!(security("imap://mail.example.com"), Security::StartTls);
        assert_eq!(security("imap://10.0.0.1"), Security::StartTls);
        assert_eq!(
            security("imap://mail.example.com?starttls=never"),
            Security::None
        );
        assert_eq!(
            security("imap://127.0.0.1/?starttls=required"),
            Security::StartTls
        );
        assert_eq!(security("imaps://127.0.0.1"), Security::Tls);
    }

    #[test]
    fn ports_default_to_the_registered_ones() {
        assert_eq!(parse("imap://localhost").unwrap().1, 143);
        assert_eq!(parse("imaps://mail.example.com").unwrap().1, 993);
        assert_eq!(
            parse("imaps://[::1]:1993").unwrap(),
            ("::1".into(), 1993, Security::Tls)
        );
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_a_reason() {
        for url in [
            "",
            "127.0.0.1:143",
            "imap:",
            "imap://",
            "http://localhost",
            "imap://localhost/INBOX",
            "imap://localhost?starttls=maybe",
            "imap://localhost?starttls=never&starttls=required",
            "imap://localhost?tls=no",
            "imaps://localhost?starttls=required",
            "imaps://exa mple.com",
            "imap://localhost:99999",
        ] {
            assert!(parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_without_being_repeated() {
        let error = parse("imap://anna:hunter2@localhost").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = ImapEndpoint::parse("imaps://localhost", Some(file.path())).unwrap_err();
        assert!(
            error.to_string().contains(file.path().to_str().unwrap()),
            "{error}"
        );
    }
}
