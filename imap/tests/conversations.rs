//! Conversations with servers that a well-behaved Dovecot does not stand for: few capabilities,
//! refusals of every kind, and malice.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use std::net::SocketAddr;

use belfry_imap::{Error, ImapEndpoint, ImapSession, Login};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";
/// SASL PLAIN for `anna` with the password `hunter2`.
const HELLO: &str = "A0001 AUTHENTICATE PLAIN AGFubmEAaHVudGVyMg==";

/// A server for one connection: says the greeting, then for each pair waits for exactly that line
/// and sends that answer. The task fails where another line comes.
async fn server(
    greeting: &'static [u8],
    script: Vec<(&'static str, &'static [u8])>,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufStream::new(stream);
        send(&mut stream, greeting).await;
        for (expected, answer) in script {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            assert_eq!(line.trim_end(), expected);
            send(&mut stream, answer).await;
            if answer.starts_with(b"* BYE") {
                return;
            }
        }
        // The client decides when it is over.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    (address, task)
}

/// A client that had enough may be gone before everything is written.
async fn send(stream: &mut BufStream<TcpStream>, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
}

fn endpoint(address: SocketAddr) -> ImapEndpoint {
    ImapEndpoint::parse(&format!("imap://{address}"), None).unwrap()
}

async fn log_in(address: SocketAddr) -> Result<ImapSession, Error> {
    endpoint(address)
        .login(&Login::user("anna", "hunter2"))
        .await
}

/// What a login ends in that the server answers like this.
async fn login_answered(answer: &'static [u8]) -> Error {
    let (address, task) = server(GREETING.as_bytes(), vec![(HELLO, answer)]).await;
    let error = log_in(address).await.unwrap_err();
    task.await.unwrap();
    error
}

/// What reading metadata ends in that the server answers like this.
async fn metadata_answered(answer: &'static [u8]) -> Result<Option<String>, Error> {
    let (address, task) = server(
        GREETING.as_bytes(),
        vec![
            (HELLO, b"A0001 OK in\r\n"),
            (r#"A0002 GETMETADATA "" "/private/vendor/x""#, answer),
        ],
    )
    .await;
    let mut session = log_in(address).await.unwrap();
    let result = session.get_server_metadata("/private/vendor/x").await;
    drop(session);
    task.await.unwrap();
    result
}

#[tokio::test]
async fn a_server_without_initial_responses_is_asked_to_go_on() {
    let (address, task) = server(
        b"* OK ready\r\n",
        vec![
            (
                "A0001 CAPABILITY",
                b"* CAPABILITY IMAP4rev1 auth=plain\r\nA0001 OK done\r\n",
            ),
            ("A0002 AUTHENTICATE PLAIN", b"+ \r\n"),
            ("AGFubmEAaHVudGVyMg==", b"A0002 OK in\r\n"),
            ("A0003 LOGOUT", b"* BYE\r\nA0003 OK bye\r\n"),
        ],
    )
    .await;
    log_in(address).await.unwrap().logout().await;
    task.await.unwrap();
}

#[tokio::test]
async fn a_server_without_sasl_plain_gets_a_quoted_login() {
    let (address, task) = server(
        b"* OK [CAPABILITY IMAP4rev1] ready\r\n",
        vec![(
            r#"A0001 LOGIN "an\"na*root" "p\\w {3}""#,
            b"A0001 OK in\r\n",
        )],
    )
    .await;
    let login = Login::Master {
        user: "an\"na".into(),
        master_user: "root".into(),
        master_password: r"p\w {3}".into(),
        separator: "*".into(),
    };
    drop(endpoint(address).login(&login).await.unwrap());
    task.await.unwrap();
}

#[tokio::test]
async fn no_password_is_sent_to_a_server_that_wants_none_on_this_connection() {
    let (address, task) = server(
        b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n",
        vec![],
    )
    .await;
    let error = log_in(address).await.unwrap_err();
    assert!(error.to_string().contains("starttls=required"), "{error}");
    task.await.unwrap();
}

#[tokio::test]
async fn refusals_are_told_apart_by_their_codes() {
    use Error::{Limit, Protocol, Refused, Unavailable, WrongCredentials};
    let answered = login_answered;
    let text = |text: &str| text.to_owned();
    for (error, expected) in [
        (
            answered(b"A0001 NO no\r\n").await,
            WrongCredentials(text("no")),
        ),
        (
            answered(b"A0001 NO [AUTHENTICATIONFAILED] no\r\n").await,
            WrongCredentials(text("no")),
        ),
        (
            answered(b"A0001 NO [EXPIRED] no\r\n").await,
            WrongCredentials(text("no")),
        ),
        (
            answered(b"A0001 NO [LIMIT] no\r\n").await,
            Limit(text("no")),
        ),
        (
            answered(b"A0001 NO [UNAVAILABLE] no\r\n").await,
            Unavailable(text("no")),
        ),
        (answered(b"* BYE [LIMIT] no\r\n").await, Limit(text("no"))),
        (
            answered(b"* BYE [UNAVAILABLE] no\r\n").await,
            Unavailable(text("no")),
        ),
        (answered(b"A0001 BAD no\r\n").await, Protocol(text("no"))),
        (
            answered(b"A0001 NO [CONTACTADMIN] no\r\n").await,
            Refused {
                code: Some(text("CONTACTADMIN")),
                text: text("no"),
            },
        ),
    ] {
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn a_server_that_repeats_the_password_does_not_get_it_into_the_error() {
    for answer in [
        &b"A0001 BAD what is hunter2\r\n"[..],
        b"A0001 NO AUTHENTICATE PLAIN AGFubmEAaHVudGVyMg==\r\n",
        b"hunter2\r\n",
    ] {
        let error = login_answered(answer).await;
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("AGFubmE"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_greeting_that_is_none_is_told_apart_from_a_server_that_is_busy() {
    for (greeting, expected) in [
        (
            "* BYE [UNAVAILABLE] try later\r\n",
            "not available: try later",
        ),
        ("* BYE too many\r\n", "not available: too many"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "conversation failed"),
        ("* PREAUTH hello, root\r\n", "conversation failed"),
        ("\r\n\r\n", "conversation failed"),
    ] {
        let (address, task) = server(greeting.as_bytes(), vec![]).await;
        let error = log_in(address).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{greeting:?}: {error}");
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = log_in(address).await.unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains(&address.to_string())));
}

#[tokio::test]
async fn the_connection_comes_from_the_address_that_was_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let from = "127.0.0.9".parse().unwrap();
    let task = tokio::spawn(async move {
        let login = Login::user("anna", "hunter2");
        endpoint(address)
            .with_local_address(from)
            .login(&login)
            .await
    });
    let (stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.ip(), from);
    drop(stream);
    assert!(matches!(task.await.unwrap(), Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn metadata_is_read_whatever_stands_around_it() {
    let value = metadata_answered(
        b"* OK Still here\r\n\
          * METADATA \"\" (/private/vendor/other \"no\" /private/vendor/X {5}\r\na\r\n\xc3\xbc)\r\n\
          A0002 OK done\r\n",
    )
    .await;
    assert_eq!(value.unwrap().unwrap(), "a\r\n\u{fc}");
    let value =
        metadata_answered(b"* METADATA \"\" (/private/vendor/x NIL)\r\nA0002 OK done\r\n").await;
    assert_eq!(value, Ok(None));
    let value = metadata_answered(b"A0002 NO [NOPERM] no\r\n").await;
    assert!(matches!(value, Err(Error::Refused { code: Some(code), .. }) if code == "NOPERM"));
}

#[tokio::test]
async fn a_value_that_does_not_fit_in_quotes_waits_for_the_servers_consent() {
    let set = r#"A0002 SETMETADATA "" ("/private/vendor/x" {5}"#;
    let (address, task) = server(
        GREETING.as_bytes(),
        vec![
            (HELLO, b"A0001 OK in\r\n"),
            (set, b"+ go on\r\n"),
            ("a\t\u{fc}b)", b"A0002 OK done\r\n"),
            (
                r#"A0003 SETMETADATA "" ("/private/vendor/x" "a\"b\\c")"#,
                b"A0003 OK done\r\n",
            ),
            (
                r#"A0004 SETMETADATA "" ("/private/vendor/x" {3}"#,
                b"A0004 NO [METADATA MAXSIZE 2] too big\r\n",
            ),
            (
                r#"A0005 SETMETADATA "" ("/private/vendor/x" NIL)"#,
                b"A0005 OK done\r\n",
            ),
        ],
    )
    .await;
    let mut session = log_in(address).await.unwrap();
    let entry = "/private/vendor/x";
    session
        .set_metadata("", entry, Some("a\t\u{fc}b"))
        .await
        .unwrap();
    session
        .set_metadata("", entry, Some(r#"a"b\c"#))
        .await
        .unwrap();
    let refused = session.set_metadata("", entry, Some("a\r\n")).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    session.set_metadata("", entry, None).await.unwrap();
    for (mailbox, entry) in [("a\r\nb", entry), ("", "/private\0"), ("M\u{fc}ll", entry)] {
        let refused = session.set_metadata(mailbox, entry, None).await;
        assert!(
            matches!(refused, Err(Error::Protocol(_))),
            "{mailbox:?} {entry:?}"
        );
    }
    drop(session);
    task.await.unwrap();
}

#[tokio::test]
async fn malformed_and_malicious_answers_fail_the_conversation_and_nothing_else() {
    let nested: &'static [u8] = format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(100_000))
        .leak()
        .as_bytes();
    let flood: &'static [u8] = "* OK Still here\r\n".repeat(100_000).leak().as_bytes();
    for answer in [
        nested,
        flood,
        b"* METADATA \"\" (/private/vendor/x {1}\r\n\xff)\r\nA0002 OK done\r\n",
        b"* METADATA \"\" (/nonsense {99999999999999999999}\r\n",
        b"* 1 fetch (INTERNALDATE \"99-Foo-2000 00:00:00 +0000\")\r\n",
        b"\0\0\0\0\r\n",
        b"+ more\r\n",
    ] {
        let result = metadata_answered(answer).await;
        let shown = String::from_utf8_lossy(answer.get(..40).unwrap_or(answer));
        assert!(
            matches!(result, Err(Error::Protocol(_))),
            "{shown:?}: {result:?}"
        );
    }
}
