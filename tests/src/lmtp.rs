//! Delivering mail as a mail transfer agent does, by LMTP (RFC 2033).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// How long the server may take for one reply. Dovecot answers a delivery only after it has told
/// the receiver of notifications, which may take it twice 2 s for each driver.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// A server's reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// All that follows them, lines joined by `\n`.
    pub text: String,
}

impl Reply {
    /// Whether what was asked for is done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// A connection to an LMTP server. Many mails may go over one.
pub struct Lmtp {
    stream: BufStream<TcpStream>,
}

/// Delivers one mail over a connection of its own; see [`Lmtp::deliver`].
///
/// # Errors
/// As [`Lmtp::connect`] and [`Lmtp::deliver`].
pub async fn deliver(
    server: SocketAddr,
    from: &str,
    recipients: &[&str],
    message: &[u8],
) -> io::Result<Vec<Reply>> {
    let mut lmtp = Lmtp::connect(server).await?;
    let replies = lmtp.deliver(from, recipients, message).await?;
    lmtp.command("QUIT").await?;
    Ok(replies)
}

/// A plain-text mail. Header values are written as they are given, so that a test can send what
/// no mail program would.
pub fn mail(from: &str, subject: &str, body: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 21:05:38 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
    )
    .into_bytes()
}

impl Lmtp {
    /// Connects and introduces itself.
    ///
    /// # Errors
    /// Where the server is not there or does not greet as an LMTP server.
    pub async fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let mut lmtp = Self {
            stream: BufStream::new(stream),
        };
        accepted(lmtp.reply().await?)?;
        accepted(lmtp.command("LHLO test.example.org").await?)?;
        Ok(lmtp)
    }

    /// Delivers one mail. There is one reply for each recipient, in their order: the refusal of the
    /// recipient, or what became of the mail for an accepted one (RFC 2033, section 4.2).
    ///
    /// Lines of `message` may end in LF or CRLF.
    ///
    /// # Errors
    /// Where the connection breaks or the server refuses the sender or the mail as a whole.
    pub async fn deliver(
        &mut self,
        from: &str,
        recipients: &[&str],
        message: &[u8],
    ) -> io::Result<Vec<Reply>> {
        accepted(self.command(&format!("MAIL FROM:<{from}>")).await?)?;
        let mut replies = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            replies.push(self.command(&format!("RCPT TO:<{recipient}>")).await?);
        }
        if !replies.iter().any(Reply::is_success) {
            accepted(self.command("RSET").await?)?;
            return Ok(replies);
        }
        let go = self.command("DATA").await?;
        if go.code != 354 {
            return Err(refused(&go));
        }
        self.stream.write_all(&stuffed(message)).await?;
        self.stream.flush().await?;
        for reply in replies.iter_mut().filter(|reply| reply.is_success()) {
            *reply = self.reply().await?;
        }
        Ok(replies)
    }

    async fn command(&mut self, line: &str) -> io::Result<Reply> {
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await?;
        self.reply().await
    }

    /// Reads one reply, of one line or several (RFC 5321, section 4.2.1).
    async fn reply(&mut self) -> io::Result<Reply> {
        let read = async {
            let mut text = Vec::new();
            loop {
                let mut line = String::new();
                self.stream.read_line(&mut line).await?;
                let line = line.trim_end();
                let malformed =
                    || io::Error::new(io::ErrorKind::InvalidData, format!("no reply: {line:?}"));
                let code = line
                    .get(..3)
                    .and_then(|code| code.parse().ok())
                    .ok_or_else(malformed)?;
                text.push(line.get(4..).unwrap_or_default().to_owned());
                if line.as_bytes().get(3) != Some(&b'-') {
                    let text = text.join("\n");
                    return Ok(Reply { code, text });
                }
            }
        };
        tokio::time::timeout(REPLY_TIMEOUT, read).await?
    }
}

fn accepted(reply: Reply) -> io::Result<()> {
    if reply.is_success() {
        Ok(())
    } else {
        Err(refused(&reply))
    }
}

fn refused(reply: &Reply) -> io::Error {
    io::Error::other(format!(
        "the LMTP server said {} {}",
        reply.code, reply.text
    ))
}

/// The mail with CRLF at the end of each line, lines that begin with a dot given another
/// (RFC 5321, section 4.5.2), and the end marked.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(message.len() + message.len() / 50 + 5);
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    for line in message.split(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        data.extend_from_slice(b"\r\n");
    }
    data.extend_from_slice(b".\r\n");
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_dot_does_not_end_the_mail() {
        assert_eq!(stuffed(b"a\r\n.\r\n..b\n"), b"a\r\n..\r\n...b\r\n.\r\n");
        assert_eq!(stuffed(b"no line end"), b"no line end\r\n.\r\n");
        assert_eq!(stuffed(b"a\r\n\r\n"), b"a\r\n\r\n.\r\n");
    }
}
