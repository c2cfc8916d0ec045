//! From an origin to a connection that is ready for requests.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{ConnectFault, setup_fault};
use super::origin::Origin;

/// What one address of a provider may take; the rest is for the others.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(4);

/// Room for the unread body of each stream; a provider's answer is below 4 KiB.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;

/// Room for unread bodies on a connection. `h2` also derives from it how many small DATA frames
/// may lie unread before it gives up on the peer, and every refusal of a push is one.
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Streams that were given up and may still be answered; answers to them are dropped.
const ABANDONED_STREAMS: usize = 1024;

/// A stream limit that no peer can set: the sign that its SETTINGS have not come yet.
const SETTINGS_AWAITED: usize = usize::MAX - 1;

/// The stream over which a provider is spoken to.
pub(super) type Wire = Connection<TlsStream<TcpStream>, Bytes>;

/// A connection whose peer has said how many streams it takes.
pub(super) struct Fresh {
    pub(super) send: SendRequest<Bytes>,
    pub(super) wire: Wire,
}

/// Opens connections to one origin.
pub(super) struct Connector {
    pub(super) origin: Origin,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) timeout: Duration,
}

impl Connector {
    /// Opens a connection and waits for the peer's SETTINGS: no stream count is ever assumed, and
    /// a client certificate that the peer refuses shows here, not at the first push.
    pub(super) async fn connect(&self) -> Result<Fresh, ConnectFault> {
        let deadline = Instant::now() + self.timeout;
        let late = |step| ConnectFault::TimedOut {
            origin: self.origin.to_string(),
            step,
            after: self.timeout,
        };
        let tcp = timeout_at(deadline, self.reach())
            .await
            .map_err(|_| late("the TCP connection"))??;
        let tls = TlsConnector::from(self.tls.clone()).connect(self.origin.server_name(), tcp);
        let tls = timeout_at(deadline, tls)
            .await
            .map_err(|_| late("the TLS handshake"))?
            .map_err(|error| setup_fault(self.origin.to_string(), self.certified(), &error))?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2".as_slice()) {
            return Err(ConnectFault::NotHttp2 {
                origin: self.origin.to_string(),
                reason: "it did not choose h2 by ALPN".to_owned(),
            });
        }
        timeout_at(deadline, self.greet(tls))
            .await
            .map_err(|_| late("the HTTP/2 SETTINGS"))?
    }

    /// Whether we show a certificate.
    pub(super) fn certified(&self) -> bool {
        self.tls.client_auth_cert_resolver.has_certs()
    }

    async fn reach(&self) -> Result<TcpStream, ConnectFault> {
        let origin = self.origin.to_string();
        let addresses = tokio::net::lookup_host((self.origin.host(), self.origin.port()))
            .await
            .map_err(|error| ConnectFault::Resolve {
                origin: origin.clone(),
                reason: error.to_string(),
            })?;
        let mut reason = "it has no address".to_owned();
        for address in addresses {
            let attempt = async {
                let tcp = TcpStream::connect(address).await?;
                tcp.set_nodelay(true)?;
                Ok::<_, io::Error>(tcp)
            };
            match tokio::time::timeout(ADDRESS_TIMEOUT, attempt).await {
                Ok(Ok(tcp)) => return Ok(tcp),
                Ok(Err(error)) => reason = format!("{address}: {error}"),
                Err(_) => {
                    reason = format!("{address}: no answer in {} s", ADDRESS_TIMEOUT.as_secs())
                }
            }
        }
        Err(ConnectFault::Unreachable { origin, reason })
    }

    async fn greet(&self, tls: TlsStream<TcpStream>) -> Result<Fresh, ConnectFault> {
        let fault = |error: h2::Error| match error.get_io() {
            Some(error) => setup_fault(self.origin.to_string(), self.certified(), error),
            None => ConnectFault::NotHttp2 {
                origin: self.origin.to_string(),
                reason: error.to_string(),
            },
        };
        let (send, mut wire) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_max_send_streams(SETTINGS_AWAITED)
            .max_concurrent_reset_streams(ABANDONED_STREAMS)
            .handshake::<_, Bytes>(tls)
            .await
            .map_err(fault)?;
        let closed = poll_fn(|cx| match Pin::new(&mut wire).poll(cx) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending if wire.max_concurrent_send_streams() != SETTINGS_AWAITED => {
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        })
        .await;
        match closed {
            None => Ok(Fresh { send, wire }),
            Some(Err(error)) => Err(fault(error)),
            Some(Ok(())) => Err(ConnectFault::NotHttp2 {
                origin: self.origin.to_string(),
                reason: "it closed the connection".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tls::{Trust, client_config};
    use super::*;

    fn connector(port: u16) -> Connector {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&ca, certificate.cert.pem()).unwrap();
        Connector {
            origin: format!("https://127.0.0.1:{port}").parse().unwrap(),
            tls: client_config(&Trust::File(ca), None).unwrap(),
            timeout: Duration::from_millis(300),
        }
    }

    #[tokio::test]
    async fn no_byte_waits_for_another() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connector = connector(listener.local_addr().unwrap().port());
        assert!(connector.reach().await.unwrap().nodelay().unwrap());
    }

    #[tokio::test]
    async fn who_listens_and_says_nothing_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connector = connector(listener.local_addr().unwrap().port());
        match connector.connect().await.err() {
            Some(ConnectFault::TimedOut { step, .. }) => assert_eq!(step, "the TLS handshake"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_named_with_its_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let fault = connector(address.port()).connect().await.err().unwrap();
        let text = fault.to_string();
        assert!(matches!(fault, ConnectFault::Unreachable { .. }), "{text}");
        assert!(text.contains(&address.to_string()), "{text}");
    }
}
