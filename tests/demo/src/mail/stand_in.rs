//! What Dovecot says to a host, where no Dovecot is installed: enough IMAP to log in and to store
//! whose mail is reported, and the request that new mail causes, byte for byte in Dovecot's form.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Mail;
use crate::wait::within;

/// What it greets with.
const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] stand-in ready.\r\n";

/// The end of the command that stores whose mail is reported begins after this.
const METADATA: &str = "\"/private/vendor/vendor.dovecot/http-notify\" ";

/// A running stand-in. Dropping it ends it.
pub(crate) struct StandIn {
    port: u16,
    task: JoinHandle<()>,
    reported_user: Arc<Mutex<Option<String>>>,
    receiver: Option<reqwest::Url>,
}

/// A notification, with its keys in Dovecot's order.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Notification<'a> {
    user: &'a str,
    event: &'a str,
    folder: &'a str,
    imap_uidvalidity: u32,
    imap_uid: u32,
    from: &'a str,
    subject: &'a str,
    snippet: &'a str,
    unseen: u32,
}

impl StandIn {
    /// Listens for IMAP; lets one user in.
    pub(super) async fn start(login: &str, password: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let let_in = STANDARD.encode(format!("\0{login}\0{password}"));
        let reported_user = Arc::new(Mutex::new(None));
        let stored = reported_user.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (let_in, stored) = (let_in.clone(), stored.clone());
                // A client that breaks off is no matter.
                tokio::spawn(async move { converse(stream, &let_in, &stored).await });
            }
        });
        Ok(Self {
            port,
            task,
            reported_user,
            receiver: None,
        })
    }

    pub(super) fn imap_url(&self) -> String {
        format!("imap://127.0.0.1:{}", self.port)
    }

    pub(super) fn report_to(&mut self, url: &str) -> Result<()> {
        self.receiver = Some(url.parse()?);
        Ok(())
    }

    /// Reports a mail as its first, and reads the answer, as Dovecot does.
    pub(super) async fn deliver(&self, mail: &Mail<'_>) -> Result<()> {
        let user = self.reported_user.lock();
        let user = user.unwrap_or_else(PoisonError::into_inner).clone();
        let user = user.context("nobody asked for the user's mail by SETMETADATA")?;
        let url = self
            .receiver
            .as_ref()
            .context("there is nobody to report to")?;
        let address = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port().unwrap_or(80)
        );
        let request = request(url, &address, &user, mail)?;
        within("an answer to the notification", async {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            stream.write_all(request.as_bytes()).await?;
            let mut status = [0; "HTTP/1.1 200".len()];
            stream.read_exact(&mut status).await?;
            let status = String::from_utf8_lossy(&status);
            ensure!(
                status == "HTTP/1.1 200",
                "the notification was answered {status}"
            );
            Ok(())
        })
        .await
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request(url: &reqwest::Url, address: &str, user: &str, mail: &Mail<'_>) -> Result<String> {
    let body = serde_json::to_string(&Notification {
        user,
        event: "messageNew",
        folder: "INBOX",
        imap_uidvalidity: 1_795_467_938,
        imap_uid: 1,
        from: mail.from,
        subject: mail.subject,
        snippet: mail.body,
        unseen: 1,
    })?;
    let login = format!("{}:{}", url.username(), url.password().unwrap_or_default());
    Ok(format!(
        "PUT {} HTTP/1.1\r\nHost: {address}\r\nDate: Mon, 23 Nov 2026 21:05:38 GMT\r\n\
         Authorization: Basic {}\r\nContent-Length: {}\r\nConnection: Keep-Alive\r\n\
         Content-Type: application/json; charset=utf-8\r\n\r\n{body}",
        url.path(),
        STANDARD.encode(login),
        body.len()
    ))
}

/// Serves one IMAP connection (RFC 3501, RFC 5464) to its end.
async fn converse(
    stream: TcpStream,
    let_in: &str,
    reported_user: &Mutex<Option<String>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufStream::new(stream);
    stream.write_all(GREETING.as_bytes()).await?;
    stream.flush().await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let (tag, command) = line.trim_end().split_once(' ').unwrap_or_default();
        let answer = answer(command, let_in, reported_user);
        let untagged = match command {
            "CAPABILITY" => "* CAPABILITY IMAP4rev1 METADATA\r\n",
            "LOGOUT" => "* BYE Logging out\r\n",
            _ => "",
        };
        let reply = format!("{untagged}{tag} {answer}\r\n");
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
        if command == "LOGOUT" {
            break;
        }
        line.clear();
    }
    Ok(())
}

fn answer(command: &str, let_in: &str, reported_user: &Mutex<Option<String>>) -> &'static str {
    if let Some(message) = command.strip_prefix("AUTHENTICATE PLAIN ") {
        return if message == let_in {
            "OK Logged in"
        } else {
            "NO [AUTHENTICATIONFAILED] Authentication failed."
        };
    }
    if let Some((_, value)) = command.split_once(METADATA) {
        let value = value.trim_end_matches(')').trim_matches('"');
        let user = value.strip_prefix("user=").map(str::to_owned);
        *reported_user.lock().unwrap_or_else(PoisonError::into_inner) = user;
        return "OK Setmetadata completed.";
    }
    match command {
        "CAPABILITY" | "LOGOUT" | "NOOP" => "OK Completed.",
        _ => "BAD Unknown command.",
    }
}

#[cfg(test)]
mod tests {
    use belfry_imap::{Error, ImapEndpoint, Login};

    use super::*;

    const ENTRY: &str = "/private/vendor/vendor.dovecot/http-notify";

    async fn stand_in() -> (StandIn, ImapEndpoint) {
        let stand_in = StandIn::start("alice", "secret").await.unwrap();
        let endpoint = ImapEndpoint::parse(&stand_in.imap_url(), None).unwrap();
        (stand_in, endpoint)
    }

    #[tokio::test]
    async fn whose_mail_is_reported_is_what_was_stored_after_a_login() {
        let (stand_in, endpoint) = stand_in().await;
        let stored = || stand_in.reported_user.lock().unwrap().clone();
        let mut session = endpoint
            .login(&Login::user("alice", "secret"))
            .await
            .unwrap();
        assert!(session.capabilities().await.unwrap().has("METADATA"));
        session
            .set_metadata("", ENTRY, Some("user=7@1"))
            .await
            .unwrap();
        assert_eq!(stored().as_deref(), Some("7@1"));
        session.set_metadata("", ENTRY, None).await.unwrap();
        assert_eq!(stored(), None);
        session.logout().await;
    }

    #[tokio::test]
    async fn a_wrong_password_is_not_let_in() {
        let (_stand_in, endpoint) = stand_in().await;
        let refused = endpoint.login(&Login::user("alice", "wrong")).await;
        assert!(
            matches!(refused, Err(Error::WrongCredentials(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn the_request_has_the_form_of_a_captured_one() {
        let captured = include_str!("../../../fixtures/dovecot/01-ascii.txt");
        let captured = captured.replace("\r\n", "\n");
        let url = "http://login:pass@127.0.0.1:1/preliminary/http-notify/v1/notify"
            .parse()
            .unwrap();
        let mail = Mail {
            from: "Bob <bob@example.org>",
            subject: "Lunch?",
            body: "At noon",
        };
        let request = request(&url, "127.0.0.1:1", "7@1", &mail).unwrap();
        let names = |head: &str| -> Vec<String> {
            let head = head
                .lines()
                .skip_while(|line| !line.starts_with("PUT "))
                .skip(1);
            let head = head.take_while(|line| !line.is_empty());
            head.filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
                .collect()
        };
        assert_eq!(names(&request), names(&captured));
        let keys = |text: &str| -> Vec<String> {
            let body = &text[text.find("{\"user\"").unwrap()..];
            let body = &body[..=body.find('}').unwrap()];
            let keys = body.trim_matches(['{', '}']).split(",\"");
            keys.filter_map(|pair| Some(pair.split_once("\":")?.0.trim_matches('"').to_owned()))
                .collect()
        };
        assert_eq!(keys(&request), keys(&captured));
    }
}
