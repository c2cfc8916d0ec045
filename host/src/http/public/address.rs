//! Where a client is.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::PublicState;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that failed logins are counted for.
pub(super) struct ClientAddress(pub(super) IpAddr);

impl FromRequestParts<PublicState> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &PublicState,
    ) -> Result<Self, Self::Rejection> {
        let peer: Option<&ConnectInfo<SocketAddr>> = parts.extensions.get();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let snapshot = state.config.snapshot();
        let trusted = snapshot.read("belfry.http.public.trusted-proxies");
        let trusted: Vec<String> = trusted.ok().flatten().unwrap_or_default();
        let trusted: Vec<IpAddr> = trusted
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        Ok(Self(client(peer, &parts.headers, &trusted)))
    }
}

/// The last address on the way that is none of our own proxies. What stands before it in the
/// header is what somebody else claims.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let values = headers.get_all(FORWARDED_FOR).into_iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let mut hops = values.iter().rev().flat_map(|value| value.rsplit(','));
    let mut client = peer.to_canonical();
    while trusted.contains(&client)
        && let Some(Ok(hop)) = hops.next().map(|hop| hop.trim().parse::<IpAddr>())
    {
        client = hop.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(peer: &str, forwarded_for: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded_for {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted = ["127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_proxy_of_ours_is_believed_and_nobody_else() {
        for (peer, forwarded_for, expected) in [
            ("192.0.2.7", &[][..], "192.0.2.7"),
            ("192.0.2.7", &["198.51.100.1"], "192.0.2.7"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["203.0.113.5, 198.51.100.1"], "198.51.100.1"),
            (
                "127.0.0.1",
                &["203.0.113.5", "198.51.100.1"],
                "198.51.100.1",
            ),
            ("127.0.0.1", &["198.51.100.1, 10.0.0.1"], "198.51.100.1"),
            ("127.0.0.1", &["10.0.0.1"], "10.0.0.1"),
            ("127.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", &["198.51.100.1, nonsense"], "127.0.0.1"),
        ] {
            assert_eq!(
                client_of(peer, forwarded_for),
                expected,
                "{peer} {forwarded_for:?}"
            );
        }
    }
}
