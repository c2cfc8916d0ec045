//! Where a provider is.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use rustls_pki_types::ServerName;

/// Scheme, host and port of a provider; the scheme is always `https`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    host: String,
    port: u16,
    server_name: ServerName<'static>,
}

/// What was given is not the address of a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is not an https address: {why}; write it as https://api.push.apple.com or https://127.0.0.1:2197"
)]
pub struct ParseOriginError {
    given: String,
    why: &'static str,
}

impl Origin {
    /// Host name or address, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name that the provider's certificate must carry.
    pub(super) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }

    /// Splits an address into its origin and the path and query behind it.
    ///
    /// # Errors
    ///
    /// Where the address is not an `https` one.
    pub fn with_path(address: &str) -> Result<(Self, String), ParseOriginError> {
        let error = |why| ParseOriginError {
            given: address.to_owned(),
            why,
        };
        let uri: Uri = address.parse().map_err(|_| error("it does not parse"))?;
        if uri.scheme_str() != Some("https") {
            return Err(error("providers are reached by https only"));
        }
        let authority = uri.authority().ok_or_else(|| error("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(error("it holds a user name"));
        }
        let host = authority.host().to_owned();
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let server_name = ServerName::try_from(bare)
            .map_err(|_| error("its host is neither a name nor an address"))?;
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == host => 443,
            None => return Err(error("its port is not a number up to 65535")),
        };
        let path = uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let origin = Self {
            host,
            port,
            server_name,
        };
        Ok((origin, path))
    }

    /// The absolute address of a path on this origin, `None` where the path holds what no path
    /// may hold (RFC 3986, section 3.3).
    pub fn uri(&self, path: &str) -> Option<Uri> {
        let authority = match self.port {
            443 => self.host.clone(),
            port => format!("{}:{port}", self.host),
        };
        Uri::builder()
            .scheme("https")
            .authority(authority)
            .path_and_query(path)
            .build()
            .ok()
    }
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(address: &str) -> Result<Self, Self::Err> {
        match Self::with_path(address)? {
            (origin, path) if path == "/" => Ok(origin),
            _ => Err(ParseOriginError {
                given: address.to_owned(),
                why: "it has a path",
            }),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port() {
        for (address, shown) in [
            (
                "https://api.push.apple.com",
                "https://api.push.apple.com:443",
            ),
            (
                "https://api.push.apple.com/",
                "https://api.push.apple.com:443",
            ),
            ("https://127.0.0.1:2197", "https://127.0.0.1:2197"),
            ("https://[::1]:2197", "https://[::1]:2197"),
        ] {
            assert_eq!(address.parse::<Origin>().unwrap().to_string(), shown);
        }
        assert_eq!("https://[::1]:1".parse::<Origin>().unwrap().host(), "::1");
    }

    #[test]
    fn what_is_no_https_address_is_refused() {
        for address in [
            "",
            "api.push.apple.com",
            "http://api.push.apple.com",
            "https://user@host",
            "https://host/path",
            "https://host:99999",
            "https://",
        ] {
            assert!(address.parse::<Origin>().is_err(), "{address:?}");
        }
    }

    #[test]
    fn a_token_end_point_keeps_its_path() {
        let (origin, path) = Origin::with_path("https://oauth2.googleapis.com/token").unwrap();
        assert_eq!(origin.host(), "oauth2.googleapis.com");
        assert_eq!(path, "/token");
        assert_eq!(
            origin.uri(&path).unwrap().to_string(),
            "https://oauth2.googleapis.com/token"
        );
        assert_eq!(origin.uri("/with a space"), None);
    }
}
