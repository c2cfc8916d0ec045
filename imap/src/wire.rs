//! The bytes under an IMAP connection.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};

use crate::reply::Reply;
use crate::transport::Transport;

/// How much one connection may receive. Logging in and a few metadata values take a few kilobytes;
/// a server that sends more means harm or is none.
const MAX_RECEIVED_BYTES: usize = 256 * 1024;

/// A connection that remembers what it received.
///
/// Two things are done with it. Refusals are read from it ([`Wire::refusal`]). And `FETCH` data is
/// turned away before it is parsed: no mailbox is ever selected here, so it answers nothing, and
/// imap-proto parses a `BODYSTRUCTURE` by recursion without a bound, so that a hundred opening
/// parentheses would overflow the stack and end the process.
///
/// What is written leaves when it is flushed, a command at a time. async-imap writes a command in
/// four pieces; Dovecot 2.3 never answers a `SETMETADATA` whose `{5}` and line end come apart.
pub(crate) struct Wire {
    transport: BufWriter<Transport>,
    received: Vec<u8>,
    line_start: usize,
}

impl Wire {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport: BufWriter::new(transport),
            received: Vec::new(),
            line_start: 0,
        }
    }

    /// What is under the IMAP connection, to be wrapped in TLS. What was received is forgotten:
    /// before TLS anybody may have sent it (RFC 3501, section 6.2.1).
    pub(crate) fn into_transport(self) -> Transport {
        self.transport.into_inner()
    }

    /// The last refusal that the server sent.
    pub(crate) fn refusal(&self) -> Option<Reply> {
        Reply::last_of(&self.received)
    }

    fn note(&mut self, bytes: &[u8]) -> io::Result<()> {
        let refuse = |reason| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        if self.received.len() + bytes.len() > MAX_RECEIVED_BYTES {
            return refuse("the server sent more than it was asked for");
        }
        self.received.extend_from_slice(bytes);
        let mut line = self.received.get(self.line_start..).unwrap_or_default();
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            if is_fetch(line) {
                return refuse("the server sent FETCH data that nobody asked for");
            }
            self.line_start += end + 1;
            line = line.get(end + 1..).unwrap_or_default();
        }
        if is_fetch(line) {
            return refuse("the server sent FETCH data that nobody asked for");
        }
        Ok(())
    }
}

/// Whether a line, which may not be complete yet, begins `* NUMBER FETCH`.
fn is_fetch(line: &[u8]) -> bool {
    const WORD: &[u8] = b" FETCH";
    let Some(rest) = line.strip_prefix(b"* ") else {
        return false;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(digits..digits + WORD.len())
        .is_some_and(|word| word.eq_ignore_ascii_case(WORD))
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.transport).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = polled {
            let new = buffer.filled().get(before..).unwrap_or_default();
            self.note(new)?;
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport.get_ref() {
            Transport::Plain(_) => "plain",
            Transport::Tls(_) => "TLS",
        };
        f.debug_struct("Wire")
            .field("transport", &transport)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::is_fetch;

    #[test]
    fn fetch_data_is_known_by_its_beginning_in_any_case() {
        for line in [
            "* 1 FETCH (",
            "* 0001 fetch (BODY",
            "* 99999999999999999999 Fetch ",
        ] {
            assert!(is_fetch(line.as_bytes()), "{line:?}");
        }
        for line in [
            "* 1 EXISTS",
            "* OK 1 FETCH",
            "* 1 FETC",
            "A1 OK FETCH done",
            "* ",
            "",
        ] {
            assert!(!is_fetch(line.as_bytes()), "{line:?}");
        }
    }
}
