//! The connections to one origin, shared by all requests.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Connector, Fresh};
use super::driver::{Rhythm, drive};
use super::error::{ConnectFault, Failure, classify, ends_connection, unanswered_fault};
use super::exchange::exchange;
use super::origin::Origin;
use super::state::{Entry, Next, State, Waiter};
use crate::backoff::exponential;

/// How often a request that a peer did not process is sent again before the caller hears of it.
const SILENT_RESENDS: u32 = 10;

/// The wait before the third try and, doubled each time, those after it; the second is at once.
const FIRST_RESEND_WAIT: Duration = Duration::from_millis(5);

/// How a pool behaves; the defaults suit Apple and Google.
#[derive(Debug, Clone)]
pub struct Options {
    /// From the first address look-up to the peer's SETTINGS.
    pub connect_timeout: Duration,
    /// How long a request may wait for a free stream.
    pub queue_timeout: Duration,
    /// How long the response to a request that was sent may take.
    pub request_timeout: Duration,
    /// How long a connection stays idle before it is kept alive with a PING; Apple asks for an
    /// hour ("Establishing a connection to APNs").
    pub ping_after_idle: Duration,
    /// How long a peer may take to answer a PING before it counts as gone.
    pub pong_timeout: Duration,
    /// Connections that take requests at the same time. More than one is opened only when the
    /// streams that the peer allows are all taken.
    pub max_connections: usize,
    /// Whether the first request on a connection runs alone until it was accepted, as APNs wants
    /// it where a token authenticates.
    pub first_request_alone: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            queue_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(20),
            ping_after_idle: Duration::from_secs(3600),
            pong_timeout: Duration::from_secs(10),
            max_connections: 4,
            first_request_alone: false,
        }
    }
}

/// Names one connection of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId(u64);

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most 64 KiB of it.
    pub body: Bytes,
    /// The connection that it came over.
    pub connection: ConnectionId,
}

/// HTTP/2 connections to one origin. A pool opens its first connection with its first request,
/// one however many requests wait for it, and closes all when it is dropped.
pub struct Pool {
    shared: Arc<Shared>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("origin", &self.shared.connector.origin)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool without connections.
    pub fn new(origin: Origin, tls: Arc<ClientConfig>, options: Options) -> Self {
        let origin_text = origin.to_string();
        let connector = Connector {
            origin,
            tls,
            timeout: options.connect_timeout,
        };
        Self {
            shared: Arc::new(Shared {
                connector: Arc::new(connector),
                options,
                state: Mutex::new(State::new(origin_text)),
            }),
        }
    }

    /// Where the requests go.
    pub fn origin(&self) -> &Origin {
        &self.shared.connector.origin
    }

    /// Sends a request and returns the response, whatever its status. `build` is called for each
    /// try, at the moment of sending, so that a credential in it is never older than the
    /// connection.
    ///
    /// # Errors
    ///
    /// See [`Failure`]: what the peer certainly did not process has been tried again already.
    pub async fn send(
        &self,
        mut build: impl FnMut() -> Request<Bytes>,
    ) -> Result<Response, Failure> {
        let ticket = self.shared.state().next_ticket();
        let mut resends = 0;
        loop {
            let mut slot = self.shared.slot(ticket).await?;
            let request = build();
            if self.shared.is_draining(slot.id) {
                continue;
            }
            let limit = self.shared.options.request_timeout;
            let error = match timeout(limit, exchange(&mut slot.send, request)).await {
                Ok(Ok(answer)) => {
                    self.shared.answered(slot.id, answer.status);
                    return Ok(Response {
                        status: answer.status,
                        headers: answer.headers,
                        body: answer.body,
                        connection: ConnectionId(slot.id),
                    });
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    self.shared.unanswered(slot.id);
                    return Err(Failure::Timeout { after: limit });
                }
            };
            if ends_connection(&error) {
                self.shared.broke(slot.id, &error);
            }
            let failure = classify(&error);
            if !matches!(failure, Failure::Unprocessed { .. }) || resends == SILENT_RESENDS {
                return Err(failure);
            }
            drop(slot);
            if resends > 0 {
                sleep(exponential(FIRST_RESEND_WAIT, resends - 1)).await;
            }
            resends += 1;
        }
    }

    /// Gives a connection no new requests; it closes when those that run on it are done.
    pub fn retire(&self, connection: ConnectionId) {
        self.shared.drain(connection.0);
    }

    /// Gives no connection that is open now new requests.
    pub fn retire_all(&self) {
        let open: Vec<u64> = self
            .shared
            .state()
            .entries
            .iter()
            .map(|entry| entry.id)
            .collect();
        for id in open {
            self.shared.drain(id);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closed = true;
        let entries = std::mem::take(&mut state.entries);
        let waiters = std::mem::take(&mut state.waiters);
        let connecting = state.connecting.take();
        drop(state);
        if let Some(connecting) = connecting {
            connecting.abort();
        }
        for entry in entries.iter().filter(|entry| entry.running > 0) {
            entry.driver.abort();
        }
        drop((entries, waiters));
    }
}

/// One request's right to one stream of a connection.
pub(super) struct Slot {
    /// `None` once the right was taken back.
    held: Option<Arc<Shared>>,
    id: u64,
    send: SendRequest<Bytes>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(shared) = self.held.take() {
            shared.released(self.id);
        }
    }
}

pub(super) struct Shared {
    connector: Arc<Connector>,
    options: Options,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a stream. Who drew the lowest ticket is served first, so that a request which
    /// has to be sent again is not overtaken again and again.
    async fn slot(self: &Arc<Self>, ticket: u64) -> Result<Slot, Failure> {
        let (reply, slot) = oneshot::channel();
        {
            let mut state = self.state();
            let since = Instant::now();
            state.waiters.insert(ticket, Waiter { since, reply });
            self.progress(&mut state);
        }
        let limit = self.options.queue_timeout;
        match timeout(limit, slot).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) => Err(Failure::CannotConnect {
                fault: ConnectFault::ShuttingDown {
                    origin: self.connector.origin.to_string(),
                },
                retry_after: Duration::ZERO,
            }),
            Err(_) => Err(Failure::Unprocessed {
                reason: format!("no stream was free within {} s", limit.as_secs()),
            }),
        }
    }

    /// Hands out the streams that are free, then opens a connection or gives up where that is
    /// due. Called after every change.
    fn progress(self: &Arc<Self>, state: &mut State) {
        let first_alone = self.options.first_request_alone;
        let now = Instant::now();
        while let Some((id, send, waiter)) = state.grant(first_alone, now) {
            let held = Some(self.clone());
            if let Err(Ok(mut unwanted)) = waiter.reply.send(Ok(Slot { held, id, send })) {
                // Its drop would take the lock that is held here.
                unwanted.held = None;
                state.ungrant(id);
            }
        }
        match state.next(self.options.max_connections, first_alone, now) {
            Next::Wait => {}
            Next::Connect => self.connect(state),
            Next::Fail(failure) => {
                for waiter in std::mem::take(&mut state.waiters).into_values() {
                    let _gave_up = waiter.reply.send(Err(failure.clone()));
                }
            }
        }
    }

    fn connect(self: &Arc<Self>, state: &mut State) {
        let connector = self.connector.clone();
        let pool = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            let connected = connector.connect().await;
            if let Some(pool) = pool.upgrade() {
                pool.connected(connected);
            }
        });
        state.connecting = Some(task.abort_handle());
    }

    fn connected(self: &Arc<Self>, connected: Result<Fresh, ConnectFault>) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.connecting = None;
        match connected {
            Ok(fresh) => {
                let id = state.next_id();
                let limit = fresh.wire.max_concurrent_send_streams();
                let (check, checks) = mpsc::channel(1);
                let rhythm = Rhythm {
                    ping_after_idle: self.options.ping_after_idle,
                    pong_timeout: self.options.pong_timeout,
                };
                let driver = drive(fresh.wire, id, Arc::downgrade(self), checks, rhythm);
                let driver = tokio::spawn(driver).abort_handle();
                let entry = Entry::new(id, fresh.send, limit, check, driver);
                state.entries.push(entry);
                tracing::debug!(origin = %self.connector.origin, streams = limit, "connected to a provider");
            }
            Err(fault) => {
                tracing::warn!("{fault}");
                state.connect_failed(fault, Instant::now());
            }
        }
        self.progress(&mut state);
    }

    pub(super) fn limit_changed(self: &Arc<Self>, id: u64, limit: usize) {
        let mut state = self.state();
        if let Some(entry) = state.entry(id) {
            entry.limit = limit;
        }
        self.progress(&mut state);
    }

    /// When a request was last given to, or ended on, a connection; now where one runs.
    pub(super) fn last_used(&self, id: u64) -> Option<Instant> {
        let mut state = self.state();
        let entry = state.entry(id)?;
        Some(if entry.running > 0 {
            Instant::now()
        } else {
            entry.last_used
        })
    }

    /// The driver of a connection has ended. Requests may still have their responses to read: the
    /// last of them decides whether the connection was of any use.
    pub(super) fn ended(self: &Arc<Self>, id: u64) {
        self.drain(id);
    }

    fn is_draining(&self, id: u64) -> bool {
        self.state().entry(id).is_none_or(|entry| entry.draining)
    }

    /// A connection ended under a request, or is about to.
    fn broke(self: &Arc<Self>, id: u64, error: &h2::Error) {
        if let Some(entry) = self.state().entry(id) {
            let fault = unanswered_fault(
                self.connector.origin.to_string(),
                self.connector.certified(),
                error,
            );
            entry.fault.get_or_insert(fault);
        }
        self.drain(id);
    }

    fn drain(self: &Arc<Self>, id: u64) {
        let mut state = self.state();
        let emptied = state.drain(id);
        self.progress(&mut state);
        drop(state);
        drop(emptied);
    }

    fn released(self: &Arc<Self>, id: u64) {
        let mut state = self.state();
        let emptied = state.release(id, Instant::now());
        self.progress(&mut state);
        drop(state);
        drop(emptied);
    }

    fn answered(self: &Arc<Self>, id: u64, status: StatusCode) {
        let mut state = self.state();
        state.answered(id, shows_acceptance(status));
        self.progress(&mut state);
    }

    fn unanswered(self: &Arc<Self>, id: u64) {
        let give_up = self.state().unanswered(id);
        if give_up {
            self.drain(id);
        }
    }
}

/// Whether a response shows that the credential was looked at and found good: a refusal of the
/// one push does, a refusal of the credential or of the load does not.
fn shows_acceptance(status: StatusCode) -> bool {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => false,
        status => status.is_success() || status.is_client_error(),
    }
}
