//! The task that carries one connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Weak;
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::connect::Wire;
use super::pool::Shared;

/// How long a connection that nobody uses any more may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// When a connection is looked after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    pub(super) ping_after_idle: Duration,
    pub(super) pong_timeout: Duration,
}

/// Carries a connection until it ends: the peer closes it, or does not answer a PING, or the pool
/// lets go of it. Tells the pool what the peer allows, and of the end.
pub(super) async fn drive(
    mut wire: Wire,
    id: u64,
    pool: Weak<Shared>,
    checks: mpsc::Receiver<()>,
    rhythm: Rhythm,
) {
    let pings = wire.ping_pong();
    let mut limit = wire.max_concurrent_send_streams();
    let ended = {
        let watch = async {
            match pings {
                Some(pings) => watch(pings, id, &pool, checks, rhythm).await,
                None => std::future::pending().await,
            }
        };
        let running = poll_fn(|cx| {
            let polled = Pin::new(&mut wire).poll(cx);
            let allowed = wire.max_concurrent_send_streams();
            if allowed != limit
                && let Some(pool) = pool.upgrade()
            {
                limit = allowed;
                pool.limit_changed(id, allowed);
            }
            polled
        });
        tokio::select! {
            end = running => Some(end),
            watched = watch => match watched {
                Watched::Gone => {
                    tracing::info!("a provider's connection no longer answers and is closed");
                    Some(Ok(()))
                }
                Watched::LetGo => None,
            },
        }
    };
    match ended {
        Some(end) => {
            if let Err(error) = end {
                tracing::debug!(%error, "a provider's connection ended");
            }
            // Streams that still run learn of the end by this, before the pool does.
            drop(wire);
            if let Some(pool) = pool.upgrade() {
                pool.ended(id);
            }
        }
        None => {
            let _closed = timeout(CLOSE_TIMEOUT, wire).await;
        }
    }
}

/// Why the pool's interest in a connection ended.
enum Watched {
    /// The peer does not answer.
    Gone,
    /// The pool dropped the connection's entry.
    LetGo,
}

/// Sends a PING when the connection was idle for an hour and whenever the pool has its doubts.
async fn watch(
    mut pings: PingPong,
    id: u64,
    pool: &Weak<Shared>,
    mut checks: mpsc::Receiver<()>,
    rhythm: Rhythm,
) -> Watched {
    let mut last_ping = Instant::now();
    loop {
        let last_used = pool
            .upgrade()
            .and_then(|pool| pool.last_used(id))
            .unwrap_or(last_ping);
        let due = last_used.max(last_ping) + rhythm.ping_after_idle;
        tokio::select! {
            () = sleep_until(due) => {
                let last_used = pool.upgrade().and_then(|pool| pool.last_used(id));
                if last_used.is_some_and(|used| used + rhythm.ping_after_idle > Instant::now()) {
                    continue;
                }
            }
            check = checks.recv() => if check.is_none() {
                return Watched::LetGo;
            },
        }
        match timeout(rhythm.pong_timeout, pings.ping(Ping::opaque())).await {
            Ok(Ok(_pong)) => last_ping = Instant::now(),
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => return Watched::Gone,
        }
    }
}
