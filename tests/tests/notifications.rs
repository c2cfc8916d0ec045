//! What mail servers may send, and what they are answered.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use belfry_tests::app::{client, notification, notify};
use belfry_tests::host::{Host, LOGIN, PASSWORD};
use belfry_tests::wait::until;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

const PATH: &str = "/preliminary/http-notify/v1/notify";

async fn host() -> Host {
    Host::builder().plugin("push-dovecot").start().await
}

fn put(host: &Host) -> RequestBuilder {
    client()
        .put(format!("{}{PATH}", host.internal()))
        .basic_auth(LOGIN, Some(PASSWORD))
}

/// Sends it, and checks that the answer is JSON with `error` and `detail`, and that the log has
/// one line about it.
async fn refused(host: &Host, request: RequestBuilder, status: StatusCode) -> Value {
    let before = refusals(host);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), status);
    let body: Value = response.json().await.unwrap();
    assert!(
        body["error"].is_string() && body["detail"].is_string(),
        "{body}"
    );
    until("one line in the log", async || {
        (refusals(host) > before).then_some(())
    })
    .await;
    assert_eq!(refusals(host), before + 1, "{}", host.log());
    body
}

fn refusals(host: &Host) -> usize {
    host.log()
        .matches("a request on the internal address was refused")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_is_400_with_what_is_wrong() {
    let host = host().await;
    for (body, what) in [
        ("", "no JSON object"),
        ("[1]", "no JSON object"),
        ("{\"user\":", "no JSON object"),
        ("{}", "is missing"),
        (
            r#"{"user":"7@1","event":"messageNew","folder":"INBOX","imap-uid":1}"#,
            "imap-uidvalidity is missing",
        ),
        (
            r#"{"user":"7@1","event":"messageNew","folder":"INBOX","imap-uid":"1","imap-uidvalidity":1}"#,
            "imap-uid must be",
        ),
        (
            r#"{"user":"7@1","event":"messageNew","folder":"INBOX","imap-uid":4294967296,"imap-uidvalidity":1}"#,
            "imap-uid must be",
        ),
        (
            r#"{"user":"","event":"messageNew","folder":"INBOX","imap-uid":1,"imap-uidvalidity":1}"#,
            "names no user",
        ),
    ] {
        let request = put(&host)
            .header("content-type", "application/json")
            .body(body);
        let answer = refused(&host, request, StatusCode::BAD_REQUEST).await;
        assert!(
            answer["detail"].as_str().unwrap().contains(what),
            "{body}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_or_wrong_credentials_are_401_and_right_ones_never_wait_for_them() {
    let host = host().await;
    let url = format!("{}{PATH}", host.internal());
    let body = notification("7@1", 1);
    refused(
        &host,
        client().put(&url).json(&body),
        StatusCode::UNAUTHORIZED,
    )
    .await;
    let digest = client()
        .put(&url)
        .header("authorization", "Bearer x")
        .json(&body);
    refused(&host, digest, StatusCode::UNAUTHORIZED).await;

    // Somebody guesses on many connections; the mail server is answered before any of them.
    let guesses: Vec<_> = (0..200)
        .map(|number| {
            let guess = client()
                .put(&url)
                .basic_auth(LOGIN, Some(format!("guess-{number}")))
                .json(&body);
            tokio::spawn(async move { guess.send().await.unwrap().status() })
        })
        .collect();
    assert_eq!(
        notify(&client(), host.internal(), &body).await,
        Some(StatusCode::OK)
    );
    assert!(
        guesses.iter().any(|guess| !guess.is_finished()),
        "wrong tries cost nothing"
    );
    for guess in guesses {
        assert_eq!(guess.await.unwrap(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_in_the_configuration_every_call_is_refused() {
    let host = Host::builder()
        .plugin("push-dovecot")
        .set("com.openexchange.rest.services.basic-auth.password", "")
        .start()
        .await;
    refused(
        &host,
        put(&host).json(&notification("7@1", 1)),
        StatusCode::UNAUTHORIZED,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_413_also_when_its_size_is_not_announced() {
    let host = host().await;
    let large = vec![b' '; 2 * 1024 * 1024];
    let json = |request: RequestBuilder| request.header("content-type", "application/json");
    refused(
        &host,
        json(put(&host)).body(large.clone()),
        StatusCode::PAYLOAD_TOO_LARGE,
    )
    .await;

    let address = host.internal().trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "PUT {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            base64(&format!("{LOGIN}:{PASSWORD}"))
        );
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = vec![b' '; 64 * 1024];
        for _ in 0..32 {
            // The host may have closed by then.
            let part = format!("{:x}\r\n", chunk.len());
            let sent = stream.write_all(part.as_bytes()).and_then(|()| stream.write_all(&chunk));
            if sent.and_then(|()| stream.write_all(b"\r\n")).is_err() {
                break;
            }
        }
        read_head(&mut stream)
    })
    .await
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_methods_and_paths_are_415_405_and_404() {
    let host = host().await;
    let text = put(&host)
        .header("content-type", "text/plain")
        .body(notification("7@1", 1).to_string());
    refused(&host, text, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        let request = client().request(method, format!("{}{PATH}", host.internal()));
        refused(
            &host,
            request.basic_auth(LOGIN, Some(PASSWORD)),
            StatusCode::METHOD_NOT_ALLOWED,
        )
        .await;
    }
    let elsewhere = client().put(format!("{}/elsewhere", host.internal()));
    refused(
        &host,
        elsewhere.basic_auth(LOGIN, Some(PASSWORD)),
        StatusCode::NOT_FOUND,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_nobody_registered_is_accepted_and_counted_under_both_paths_and_methods() {
    let host = host().await;
    for (method, path) in [
        (Method::PUT, PATH),
        (Method::POST, PATH),
        (Method::PUT, "/rest/http-notify/v1/notify"),
        (Method::POST, "/rest/http-notify/v1/notify"),
    ] {
        let request = client().request(method, format!("{}{path}", host.internal()));
        let request = request
            .basic_auth(LOGIN, Some(PASSWORD))
            .json(&notification("nobody@example.com", 1));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.text().await.unwrap(), r#"{"success":true}"#);
    }
    host.counts("belfry_unregistered_total 4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_dawdle_hold_up_nobody() {
    let host = host().await;
    let address = host.internal().trim_start_matches("http://").to_owned();
    let dawdlers = tokio::task::spawn_blocking(move || {
        (0..300)
            .map(|number| {
                let mut stream = TcpStream::connect(&address).unwrap();
                // Half of them stop in the head, half in the body.
                let head = format!("PUT {PATH} HTTP/1.1\r\nHost: x\r\n");
                let body = format!(
                    "{head}Authorization: Basic {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
                    base64(&format!("{LOGIN}:{PASSWORD}"))
                );
                let sent = if number % 2 == 0 { head } else { body };
                stream.write_all(sent.as_bytes()).unwrap();
                stream
            })
            .collect::<Vec<_>>()
    })
    .await
    .unwrap();
    let http = client();
    for uid in 1..=50 {
        assert_eq!(
            notify(&http, host.internal(), &notification("7@1", uid)).await,
            Some(StatusCode::OK)
        );
    }
    let mut in_the_body = dawdlers.into_iter().nth(1).unwrap();
    let answer = tokio::task::spawn_blocking(move || read_head(&mut in_the_body))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

fn read_head(stream: &mut TcpStream) -> String {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
