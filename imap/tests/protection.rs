//! TLS: whose certificates are believed, and that nothing is said before it is there.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use std::path::Path;
use std::sync::Arc;

use belfry_imap::{Error, ImapEndpoint, Login};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const GREETING: &[u8] = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";

/// A certificate for 127.0.0.1 that signed itself: the server's side of it, and the file that
/// makes a client believe it.
fn certificate(folder: &Path) -> (TlsAcceptor, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

/// Accepts one login; returns the line that asked for it.
async fn accept_login(stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let (tag, command) = line.split_once(' ').unwrap();
        let answer = if command.starts_with("CAPABILITY") {
            format!("* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n{tag} OK done\r\n")
        } else {
            format!("{tag} OK in\r\n")
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        if command.starts_with("AUTHENTICATE") {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return line;
        }
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

fn anna() -> Login {
    Login::user("anna", "hunter2")
}

#[tokio::test]
async fn imaps_believes_the_additional_authority() {
    let folder = TempDir::new().unwrap();
    let (acceptor, ca) = certificate(folder.path());
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let mut stream = acceptor.accept(accept(&listener).await).await.unwrap();
        stream.write_all(GREETING).await.unwrap();
        accept_login(stream).await
    });
    let endpoint = ImapEndpoint::parse(&format!("imaps://127.0.0.1:{port}"), Some(&ca)).unwrap();
    drop(endpoint.login(&anna()).await.unwrap());
    assert!(server.await.unwrap().contains("AUTHENTICATE PLAIN"));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_with_advice() {
    let folder = TempDir::new().unwrap();
    let (acceptor, _) = certificate(folder.path());
    let other = TempDir::new().unwrap();
    let (_, another_ca) = certificate(other.path());
    let (listener, port) = listen().await;
    let server =
        tokio::spawn(async move { acceptor.accept(accept(&listener).await).await.is_ok() });
    let endpoint =
        ImapEndpoint::parse(&format!("imaps://127.0.0.1:{port}"), Some(&another_ca)).unwrap();
    let error = endpoint.login(&anna()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(!server.await.unwrap());
}

#[tokio::test]
async fn starttls_comes_before_the_password_and_forgets_what_was_said_in_the_clear() {
    let folder = TempDir::new().unwrap();
    let (acceptor, ca) = certificate(folder.path());
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let mut stream = BufStream::new(accept(&listener).await);
        stream
            .write_all(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
            .await
            .unwrap();
        stream.flush().await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, "A0001 STARTTLS\r\n");
        let injected = b"A0001 OK go\r\n* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nA0001 OK done\r\n";
        stream.write_all(injected).await.unwrap();
        stream.flush().await.unwrap();
        let stream = acceptor.accept(stream.into_inner()).await.unwrap();
        accept_login(stream).await
    });
    let url = format!("imap://127.0.0.1:{port}?starttls=required");
    let endpoint = ImapEndpoint::parse(&url, Some(&ca)).unwrap();
    drop(endpoint.login(&anna()).await.unwrap());
    assert!(server.await.unwrap().contains("AUTHENTICATE PLAIN"));
}

#[tokio::test]
async fn a_server_that_hides_starttls_gets_no_password() {
    let folder = TempDir::new().unwrap();
    let (_, ca) = certificate(folder.path());
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        stream.write_all(GREETING).await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        said
    });
    let url = format!("imap://127.0.0.1:{port}?starttls=required");
    let endpoint = ImapEndpoint::parse(&url, Some(&ca)).unwrap();
    let error = endpoint.login(&anna()).await.unwrap_err();
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    assert_eq!(server.await.unwrap(), b"");
}
