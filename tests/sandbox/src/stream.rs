//! One stream between its headers and its end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::request::Parts;
use tokio::time::Sleep;

use crate::answer::Answer;

/// Bodies beyond this are read to their end but not kept: far above what any provider takes.
const KEPT_BODY_BYTES: usize = 256 * 1024;

/// What a stream is waiting for.
pub(crate) enum Stream {
    /// The rest of the body.
    Reading(Reading),
    /// The moment at which a late answer is due.
    Late {
        sleep: Pin<Box<Sleep>>,
        answer: Answer,
        respond: SendResponse<Bytes>,
    },
    /// The client giving up on an answer that will not come.
    Silent { respond: SendResponse<Bytes> },
}

/// A stream whose body is coming in.
pub(crate) struct Reading {
    pub(crate) head: Parts,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
    pub(crate) received: BytesMut,
}

/// How far a stream got.
pub(crate) enum Step {
    Ready(Ready),
    Wait(Stream),
}

/// What a stream waited for.
pub(crate) enum Ready {
    /// The whole request is there.
    Request {
        head: Parts,
        received: Bytes,
        respond: SendResponse<Bytes>,
    },
    /// The late answer is due.
    Due {
        answer: Answer,
        respond: SendResponse<Bytes>,
    },
    /// The client gave up, before or after its request was whole.
    Gone,
}

impl Stream {
    pub(crate) fn late(delay: Duration, answer: Answer, respond: SendResponse<Bytes>) -> Self {
        Self::Late {
            sleep: Box::pin(tokio::time::sleep(delay)),
            answer,
            respond,
        }
    }

    /// Waits for what the stream needs; a stream that is not ready comes back to wait further.
    pub(crate) fn poll_step(self, cx: &mut Context<'_>) -> Step {
        match self {
            Self::Reading(mut reading) => match reading.poll_body(cx) {
                Poll::Pending => Step::Wait(Self::Reading(reading)),
                Poll::Ready(false) => Step::Ready(Ready::Gone),
                Poll::Ready(true) => Step::Ready(Ready::Request {
                    head: reading.head,
                    received: reading.received.freeze(),
                    respond: reading.respond,
                }),
            },
            Self::Late {
                mut sleep,
                answer,
                respond,
            } => match sleep.as_mut().poll(cx) {
                Poll::Pending => Step::Wait(Self::Late {
                    sleep,
                    answer,
                    respond,
                }),
                Poll::Ready(()) => Step::Ready(Ready::Due { answer, respond }),
            },
            Self::Silent { mut respond } => match respond.poll_reset(cx) {
                Poll::Pending => Step::Wait(Self::Silent { respond }),
                Poll::Ready(_) => Step::Ready(Ready::Gone),
            },
        }
    }
}

impl Reading {
    /// `true` at the body's end, `false` where the client broke it off.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match self.body.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                Poll::Ready(Some(Ok(data))) => {
                    // Without this a body beyond the stream's window stands still.
                    if self
                        .body
                        .flow_control()
                        .release_capacity(data.len())
                        .is_err()
                    {
                        return Poll::Ready(false);
                    }
                    if self.received.len() < KEPT_BODY_BYTES {
                        self.received.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

/// A [`Stream`] that can wait in a set of futures.
pub(crate) struct Waiting(pub(crate) Option<Stream>);

impl Future for Waiting {
    type Output = Ready;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ready> {
        let Some(stream) = self.0.take() else {
            return Poll::Pending;
        };
        match stream.poll_step(cx) {
            Step::Ready(ready) => Poll::Ready(ready),
            Step::Wait(stream) => {
                self.0 = Some(stream);
                Poll::Pending
            }
        }
    }
}
