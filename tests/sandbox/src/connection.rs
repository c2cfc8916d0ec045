//! One HTTP/2 connection, served in one task.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{FuturesUnordered, Stream as _};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, server};
use http::Request;
use http::request::Parts;

use crate::answer::Answer;
use crate::counts::count;
use crate::double::Double;
use crate::stream::{Reading, Ready, Step, Stream, Waiting};
use crate::wire::{Edits, Wire};

/// Windows wide enough that flow control never holds a client up.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// The default of HTTP/2 (RFC 9113, section 6.5.2), which is room for any push in one frame.
const FRAME_BYTES: u32 = 16_384;
/// Streams that a client resets before they were looked at; clients with many timeouts are part of what
/// is tested.
const FORGIVEN_RESETS: usize = 100_000;

/// What a provider does with the requests of one connection.
pub(crate) trait Service: Send + 'static {
    fn double(&self) -> &Double;

    /// Answers the `nth` request of this connection, counted from 1.
    fn handle(&mut self, nth: u64, head: &Parts, body: &[u8]) -> Reply;
}

/// How one request ends.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) action: Action,
    /// The client has shown a credential that is good for more than one stream.
    pub(crate) authenticated: bool,
    pub(crate) connection: Option<End>,
}

#[derive(Debug)]
pub(crate) enum Action {
    Send(Answer),
    SendLate(Duration, Answer),
    Silence,
    Reset(Reason),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Graceful,
    Abrupt,
    Reset,
}

/// Limits that a connection starts with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Streams at once.
    pub(crate) streams: u32,
    /// Streams at once until a request was [`Reply::authenticated`].
    pub(crate) first_streams: Option<u32>,
}

pub(crate) struct Connection<S: Service> {
    http2: server::Connection<Wire, Bytes>,
    edits: Arc<Edits>,
    service: S,
    number: u64,
    waiting: FuturesUnordered<Waiting>,
    requests: u64,
    last_handled: u32,
    open: u64,
    most_open: u64,
    gate: Option<u64>,
    raise_streams: bool,
    ended: bool,
    /// Streams whose answers are lost with the connection; dropping one would tell the client.
    lost: Vec<SendResponse<Bytes>>,
}

impl<S: Service> Connection<S> {
    /// The HTTP/2 handshake.
    ///
    /// # Errors
    ///
    /// The client does not speak HTTP/2.
    pub(crate) async fn open(
        wire: Wire,
        edits: Arc<Edits>,
        limits: Limits,
        number: u64,
        service: S,
    ) -> Result<Self, h2::Error> {
        let http2 = server::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .max_concurrent_streams(limits.streams)
            .max_pending_accept_reset_streams(FORGIVEN_RESETS)
            .max_concurrent_reset_streams(FORGIVEN_RESETS)
            .max_local_error_reset_streams(None)
            .handshake(wire)
            .await?;
        Ok(Self {
            http2,
            edits,
            service,
            number,
            waiting: FuturesUnordered::new(),
            requests: 0,
            last_handled: 0,
            open: 0,
            most_open: 0,
            gate: limits.first_streams.map(u64::from),
            raise_streams: false,
            ended: false,
            lost: Vec::new(),
        })
    }

    /// Serves until either side ends the connection.
    pub(crate) async fn serve(mut self) {
        std::future::poll_fn(|cx| self.poll_serve(cx)).await;
    }

    /// All that has come is taken in before anything is flushed, so that answers leave in batches.
    fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut progress = false;
            self.raise_streams();
            while let Poll::Ready(accepted) = self.http2.poll_accept(cx) {
                let Some(Ok((request, respond))) = accepted else {
                    return Poll::Ready(());
                };
                self.accept(request, respond, cx);
                if self.ended {
                    return Poll::Ready(());
                }
                progress = true;
            }
            while let Poll::Ready(Some(ready)) = Pin::new(&mut self.waiting).poll_next(cx) {
                self.proceed(ready);
                if self.ended {
                    return Poll::Ready(());
                }
                progress = true;
            }
            if !progress {
                return Poll::Pending;
            }
        }
    }

    fn accept(
        &mut self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        cx: &mut Context<'_>,
    ) {
        if respond.stream_id().as_u32() > self.edits.last_stream.load(Ordering::Relaxed) {
            return respond.send_reset(Reason::REFUSED_STREAM);
        }
        if self.gate.is_some_and(|streams| self.open >= streams) {
            self.service.double().violation(
                self.number,
                "more than one stream before APNs had accepted a provider token on this connection",
            );
            return respond.send_reset(Reason::REFUSED_STREAM);
        }
        self.open += 1;
        if self.open > self.most_open {
            self.most_open = self.open;
            let counters = &self.service.double().counters;
            counters
                .max_concurrent_streams
                .fetch_max(self.open, Ordering::Relaxed);
        }
        let (head, body) = request.into_parts();
        let reading = Reading {
            head,
            body,
            respond,
            received: BytesMut::new(),
        };
        self.step(Stream::Reading(reading), cx);
    }

    fn step(&mut self, stream: Stream, cx: &mut Context<'_>) {
        match stream.poll_step(cx) {
            Step::Ready(ready) => self.proceed(ready),
            Step::Wait(stream) => self.waiting.push(Waiting(Some(stream))),
        }
    }

    fn proceed(&mut self, ready: Ready) {
        match ready {
            Ready::Gone => self.open -= 1,
            Ready::Due { answer, respond } => self.send(answer, respond),
            Ready::Request {
                head,
                received,
                respond,
            } => self.request(&head, &received, respond),
        }
    }

    fn request(&mut self, head: &Parts, received: &[u8], mut respond: SendResponse<Bytes>) {
        let stream = respond.stream_id().as_u32();
        if stream > self.edits.last_stream.load(Ordering::Relaxed) {
            self.open -= 1;
            return respond.send_reset(Reason::REFUSED_STREAM);
        }
        self.requests += 1;
        self.last_handled = self.last_handled.max(stream);
        let reply = self.service.handle(self.requests, head, received);
        if reply.authenticated && self.gate.take().is_some() {
            self.raise_streams = true;
        }
        match reply.action {
            _ if matches!(reply.connection, Some(End::Abrupt | End::Reset)) => {
                self.lost.push(respond)
            }
            Action::Send(answer) => self.send(answer, respond),
            Action::SendLate(delay, answer) => {
                self.waiting
                    .push(Waiting(Some(Stream::late(delay, answer, respond))));
            }
            Action::Silence => self.waiting.push(Waiting(Some(Stream::Silent { respond }))),
            Action::Reset(reason) => {
                self.open -= 1;
                respond.send_reset(reason);
            }
        }
        if let Some(end) = reply.connection {
            self.end(end);
        }
    }

    fn send(&mut self, answer: Answer, mut respond: SendResponse<Bytes>) {
        self.open -= 1;
        // A client that gave up on this stream does not want its answer.
        let _ = answer.send(&mut respond);
    }

    /// Announces that more streams are welcome (see `wire.rs`).
    fn raise_streams(&mut self) {
        // While the client has not acknowledged the first SETTINGS, there is a next time.
        if self.raise_streams
            && self
                .http2
                .set_initial_window_size(STREAM_WINDOW_BYTES)
                .is_ok()
        {
            self.raise_streams = false;
        }
    }

    fn end(&mut self, end: End) {
        let counters = &self.service.double().counters;
        match end {
            End::Graceful => {
                let unlimited = self.edits.last_stream.compare_exchange(
                    u32::MAX,
                    self.last_handled,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                if unlimited.is_ok() {
                    count(&counters.goaways);
                    self.http2.graceful_shutdown();
                }
            }
            End::Abrupt => {
                count(&counters.goaways);
                self.http2.abrupt_shutdown(Reason::INTERNAL_ERROR);
            }
            End::Reset => {
                count(&counters.resets);
                self.edits.reset.store(true, Ordering::Relaxed);
                self.ended = true;
            }
        }
    }
}
