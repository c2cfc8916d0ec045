//! Outgoing HTTP/2 frames, bent in two places where `h2` has no say.
//!
//! APNs announces one stream at first and more once it has accepted a provider token; `h2` announces a
//! number once. APNs also ends connections with a GOAWAY that leaves requests behind; `h2` warns with
//! the highest stream id first and so never leaves any. Both are numbers in frames of fixed length, so
//! they are changed on their way to TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Frame layout: RFC 9113, section 4.1; types: sections 6.5 and 6.8.
const HEADER_LENGTH: usize = 9;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
const SETTING_LENGTH: u32 = 6;
const MAX_CONCURRENT_STREAMS: u8 = 0x3;
const INITIAL_WINDOW_SIZE: u8 = 0x4;
const LAST_STREAM_ID_LENGTH: u32 = 4;

/// What is to be changed in frames from now on.
#[derive(Debug)]
pub(crate) struct Edits {
    /// The first SETTINGS frame announces this many streams, a later one raises them to `streams`.
    pub(crate) first_streams: Option<u32>,
    pub(crate) streams: u32,
    /// The last stream that GOAWAY names; `u32::MAX` leaves it alone.
    pub(crate) last_stream: AtomicU32,
    /// The connection ends in a TCP reset.
    pub(crate) reset: AtomicBool,
}

/// A TLS connection whose outgoing frames pass under [`Edits`].
#[derive(Debug)]
pub(crate) struct Wire {
    io: TlsStream<TcpStream>,
    edits: Arc<Edits>,
    position: Position,
}

impl Wire {
    pub(crate) fn new(io: TlsStream<TcpStream>, edits: Arc<Edits>) -> Self {
        Self {
            io,
            edits,
            position: Position::default(),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.edits.reset.load(Ordering::Relaxed) {
            // Should this fail the client sees an end of stream, which is as abrupt.
            let _ = self.io.get_ref().0.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut changes = Vec::new();
        self.position
            .clone()
            .advance(&self.edits, bytes, |index, byte| {
                changes.push((index, byte))
            });
        let written = if changes.is_empty() {
            Pin::new(&mut self.io).poll_write(cx, bytes)
        } else {
            let mut changed = bytes.to_vec();
            for (index, byte) in changes {
                changed[index] = byte;
            }
            Pin::new(&mut self.io).poll_write(cx, &changed)
        };
        if let Poll::Ready(Ok(length)) = written {
            let edits = Arc::clone(&self.edits);
            self.position.advance(&edits, &bytes[..length], |_, _| {});
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Where in the sequence of frames the next byte belongs.
#[derive(Clone, Debug, Default)]
struct Position {
    header: [u8; HEADER_LENGTH],
    header_bytes: usize,
    payload: u32,
    offset: u32,
    settings_frames: u32,
    setting: [u8; 2],
}

impl Position {
    /// Passes over `bytes` as `h2` wrote them and reports each byte that has to differ.
    fn advance(&mut self, edits: &Edits, bytes: &[u8], mut change: impl FnMut(usize, u8)) {
        let mut index = 0;
        while index < bytes.len() {
            if self.header_bytes < HEADER_LENGTH {
                self.header[self.header_bytes] = bytes[index];
                self.header_bytes += 1;
                index += 1;
                self.start_payload();
            } else if matches!(self.header[3], SETTINGS | GOAWAY) {
                if let Some(byte) = self.edit(edits, bytes[index]) {
                    change(index, byte);
                }
                self.pass(1);
                index += 1;
            } else {
                let left = usize::try_from(self.payload - self.offset).unwrap_or(usize::MAX);
                let step = left.min(bytes.len() - index);
                self.pass(u32::try_from(step).unwrap_or(u32::MAX));
                index += step;
            }
        }
    }

    fn start_payload(&mut self) {
        if self.header_bytes == HEADER_LENGTH {
            self.payload = u32::from_be_bytes([0, self.header[0], self.header[1], self.header[2]]);
            self.offset = 0;
            if self.payload == 0 {
                self.header_bytes = 0;
            } else if self.header[3] == SETTINGS {
                self.settings_frames += 1;
            }
        }
    }

    fn pass(&mut self, bytes: u32) {
        self.offset += bytes;
        if self.offset >= self.payload {
            self.header_bytes = 0;
        }
    }

    fn edit(&mut self, edits: &Edits, byte: u8) -> Option<u8> {
        if self.header[3] == GOAWAY {
            let last = edits.last_stream.load(Ordering::Relaxed);
            let digits = last.to_be_bytes();
            return (last != u32::MAX && self.offset < LAST_STREAM_ID_LENGTH)
                .then(|| digits[self.offset as usize]);
        }
        let first_streams = edits.first_streams?;
        match (self.offset % SETTING_LENGTH) as usize {
            place @ (0 | 1) => {
                self.setting[place] = byte;
                (place == 1 && self.settings_frames > 1 && self.setting == [0, INITIAL_WINDOW_SIZE])
                    .then_some(MAX_CONCURRENT_STREAMS)
            }
            place => match (self.settings_frames, self.setting) {
                (1, [0, MAX_CONCURRENT_STREAMS]) => Some(first_streams.to_be_bytes()[place - 2]),
                (2.., [0, INITIAL_WINDOW_SIZE]) => Some(edits.streams.to_be_bytes()[place - 2]),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(first_streams: Option<u32>) -> Edits {
        Edits {
            first_streams,
            streams: 1000,
            last_stream: AtomicU32::new(u32::MAX),
            reset: AtomicBool::new(false),
        }
    }

    fn settings(id: u8, value: u32) -> Vec<u8> {
        let mut frame = vec![0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 0, id];
        frame.extend(value.to_be_bytes());
        frame
    }

    /// Passes the bytes in pieces of one length, as a socket with a small buffer would take them.
    fn pass(edits: &Edits, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut position = Position::default();
        let mut out = bytes.to_vec();
        for (start, chunk) in bytes
            .chunks(piece)
            .enumerate()
            .map(|(nth, chunk)| (nth * piece, chunk))
        {
            position.advance(edits, chunk, |index, byte| out[start + index] = byte);
        }
        out
    }

    #[test]
    fn the_first_settings_announce_few_streams_and_the_next_raise_them() {
        let acknowledgement = [0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];
        let data = [0, 0, 3, 0, 0, 0, 0, 0, 1, SETTINGS, GOAWAY, 7];
        let sent = [
            &settings(3, 1000)[..],
            &acknowledgement[..],
            &data[..],
            &settings(4, 65_535)[..],
        ]
        .concat();
        let wanted = [
            &settings(3, 1)[..],
            &acknowledgement[..],
            &data[..],
            &settings(3, 1000)[..],
        ]
        .concat();
        for piece in 1..=sent.len() {
            assert_eq!(
                pass(&edits(Some(1)), &sent, piece),
                wanted,
                "in pieces of {piece}"
            );
        }
        assert_eq!(pass(&edits(None), &sent, sent.len()), sent);
    }

    #[test]
    fn goaway_names_the_stream_that_was_chosen() {
        let goaway = |last: u32| {
            let mut frame = vec![0, 0, 8, GOAWAY, 0, 0, 0, 0, 0];
            frame.extend(last.to_be_bytes());
            frame.extend([0, 0, 0, 0]);
            frame
        };
        let edits = edits(None);
        assert_eq!(pass(&edits, &goaway(0x7FFF_FFFF), 5), goaway(0x7FFF_FFFF));
        edits.last_stream.store(41, Ordering::Relaxed);
        assert_eq!(pass(&edits, &goaway(0x7FFF_FFFF), 5), goaway(41));
    }
}
