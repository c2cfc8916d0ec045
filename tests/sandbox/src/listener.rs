//! Accepting connections: TCP, TLS, and a task for each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::connection::{Connection, Limits, Service};
use crate::counts::count;
use crate::double::{Double, StartError};
use crate::tls::ALPN_H2;
use crate::wire::{Edits, Wire};

/// A client that says nothing is let go after this.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What of a double makes services for its connections.
pub(crate) trait Provide: Send + Sync + 'static {
    type Service: Service;

    fn double(&self) -> &Double;

    /// What serves connection `number`, whose client showed this certificate of the authority.
    fn connection(
        self: &Arc<Self>,
        number: u64,
        certificate: Option<&CertificateDer<'_>>,
    ) -> (Self::Service, Limits);
}

/// A running listener; dropping it closes its port and its connections.
#[derive(Debug)]
pub(crate) struct Listener(JoinHandle<()>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Listener {
    pub(crate) fn spawn<P: Provide>(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        provider: Arc<P>,
    ) -> Self {
        Self(tokio::spawn(accept(
            listener,
            TlsAcceptor::from(tls),
            provider,
        )))
    }
}

async fn accept<P: Provide>(listener: TcpListener, tls: TlsAcceptor, provider: Arc<P>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of descriptors: some have to come back first.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                number += 1;
                let double = provider.double();
                count(&double.counters.connections);
                if double.faults().strike_new_connection() {
                    count(&double.counters.resets);
                    let _ = stream.set_zero_linger();
                } else {
                    connections.spawn(serve(stream, tls.clone(), Arc::clone(&provider), number));
                }
                double.notify();
            }
            Some(_) = connections.join_next() => {}
            () = provider.double().hang_up.notified() => connections.abort_all(),
        }
    }
}

async fn serve<P: Provide>(stream: TcpStream, tls: TlsAcceptor, provider: Arc<P>, number: u64) {
    let open = OpenConnection::new(Arc::clone(&provider));
    match tokio::time::timeout(HANDSHAKE_TIME, handshake(stream, tls, &provider, number)).await {
        Ok(Some(connection)) => connection.serve().await,
        Ok(None) | Err(_) => {
            count(&provider.double().counters.failed_handshakes);
            provider.double().notify();
        }
    }
    drop(open);
}

async fn handshake<P: Provide>(
    stream: TcpStream,
    tls: TlsAcceptor,
    provider: &Arc<P>,
    number: u64,
) -> Option<Connection<P::Service>> {
    stream.set_nodelay(true).ok()?;
    let stream = tls.accept(stream).await.ok()?;
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(ALPN_H2) {
        provider
            .double()
            .violation(number, "the client did not choose h2 by ALPN");
        return None;
    }
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let (service, limits) = provider.connection(number, certificate);
    let edits = Arc::new(Edits {
        first_streams: limits.first_streams,
        streams: limits.streams,
        last_stream: AtomicU32::new(u32::MAX),
        reset: AtomicBool::new(false),
    });
    Connection::open(
        Wire::new(stream, Arc::clone(&edits)),
        edits,
        limits,
        number,
        service,
    )
    .await
    .ok()
}

/// Counts a connection as open for as long as it lives.
struct OpenConnection<P: Provide>(Arc<P>);

impl<P: Provide> OpenConnection<P> {
    fn new(provider: Arc<P>) -> Self {
        count(&provider.double().counters.open_connections);
        Self(provider)
    }
}

impl<P: Provide> Drop for OpenConnection<P> {
    fn drop(&mut self) {
        self.0
            .double()
            .counters
            .open_connections
            .fetch_sub(1, Ordering::Relaxed);
        self.0.double().notify();
    }
}
