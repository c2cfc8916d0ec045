//! Serving HTTP/1.1 to peers that may be slow, silent or hostile.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// How long a client may take to send the head of a request. Dovecot keeps idle connections open
/// for up to 60 s, in which it sends nothing; closing them costs it nothing.
const HEAD_PATIENCE: Duration = Duration::from_secs(65);

/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long to wait after the operating system refused a connection, as it does when descriptors
/// run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Ends servers: no new connections, and the open ones after their current request.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    token: CancellationToken,
    connections: TaskTracker,
}

impl Ending {
    /// Resolves when the end begins. Answers that never end by themselves have to end then.
    pub async fn begun(&self) {
        self.token.cancelled().await;
    }

    /// Begins the end and waits until all connections are done, to a deadline.
    pub async fn end(&self, within: Duration) {
        self.token.cancel();
        self.connections.close();
        // A client that does not take its answer is cut off by the end of the process.
        let _ = tokio::time::timeout(within, self.connections.wait()).await;
    }
}

/// Serves on a TCP socket until the end begins.
pub async fn serve_tcp(listener: TcpListener, router: Router, ending: Ending) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ending.token.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // An answer is one small packet; waiting for more to send costs 40 ms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "a connection was gone before it was served");
                    continue;
                }
                let connection =
                    connection(stream, router.clone(), Some(peer), ending.token.clone());
                ending.connections.spawn(connection);
            }
            Err(error) => refused(&error).await,
        }
    }
}

/// Serves on a Unix socket until the end begins.
pub async fn serve_unix(listener: UnixListener, router: Router, ending: Ending) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ending.token.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                ending.connections.spawn(connection(
                    stream,
                    router.clone(),
                    None,
                    ending.token.clone(),
                ));
            }
            Err(error) => refused(&error).await,
        }
    }
}

async fn refused(error: &std::io::Error) {
    tracing::warn!(%error, "a connection was not accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    peer: Option<SocketAddr>,
    ending: CancellationToken,
) {
    let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        request.map(axum::body::Body::new)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = peer.map(tracing::field::display), %error, "a connection ended early");
    }
}
