//! Requests that a real Dovecot sent, byte for byte, and what becomes of each.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use belfry_sandbox::Push;
use belfry_tests::app::apns_token;
use belfry_tests::crowd::Crowd;
use belfry_tests::host::{Host, LOGIN, PASSWORD};
use belfry_tests::providers::{ApnsBy, Providers};
use belfry_tests::wait::PATIENCE;

/// What user1's iPhone shows of each mail, by UID: sender and subject.
const SHOWN: [(u32, &str, &str); 20] = [
    (1, "Alice", "Hello"),
    (2, "Jürgen Müller", "Héllö wörld ß 日本"),
    (4, "J\u{fffd}rgen", "H\u{fffd}ll\u{fffd}"),
    (9, "Alice", "HTML"),
    (10, "Alice", "HTML only"),
    (11, "Alice", "with att"),
    (12, "Alice", "att only"),
    (13, "Alice", "att only mixed"),
    (14, "Alice", "Party 🎉👩\u{200d}👩\u{200d}👧"),
    (16, "Q \"x\" \\", "say \"hi\" \\ back slash / [31m end"),
    (19, "Alice", "two rcpts"),
    (20, "Alice", "twice"),
    (21, "Alice", "to INBOX detail"),
    (22, "Alice", "to inbox detail"),
    (24, "(no sender)", "(no subject)"),
    (25, "a@example.org", "(no subject)"),
    (28, "Alice", "long body"),
    (31, "Alice", "..."),
    (32, "Alice", "big"),
    (6, "Alice", LONG),
];

/// A subject of 900 letters, whole.
const LONG: &str = "L*900";

/// The mail whose subject of 100 kB is cut to what Apple takes.
const HUGE: u32 = 8;

/// The requests of all captures, each as it came from the socket.
fn requests() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/dovecot");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut requests = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        let mut rest = &bytes[..];
        while let Some(at) = find(rest, b"PUT /") {
            rest = &rest[at..];
            let head = find(rest, b"\n\n").map(|at| at + 2);
            let head = head
                .or_else(|| find(rest, b"\r\n\r\n").map(|at| at + 4))
                .unwrap();
            let text = String::from_utf8_lossy(&rest[..head]).into_owned();
            let length: usize = text
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .unwrap()
                .trim()
                .parse()
                .unwrap();
            requests.push(as_on_the_wire(&text, &rest[head..head + length]));
            rest = &rest[head + length..];
        }
    }
    requests
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The head with this host's credentials, its lines ending as HTTP's do, and the body.
fn as_on_the_wire(head: &str, body: &[u8]) -> Vec<u8> {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{LOGIN}:{PASSWORD}"));
    let mut bytes = Vec::new();
    for line in head.lines() {
        let line = match line.split_once(": ") {
            Some(("Authorization", _)) => format!("Authorization: Basic {basic}"),
            _ => line.to_owned(),
        };
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Sends requests on one connection, as Dovecot does, and returns the answers.
fn replay(address: &str, requests: Vec<Vec<u8>>) -> Vec<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answers = Vec::new();
    for request in requests {
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut part = [0; 1024];
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "the host closed the connection");
            answer.extend_from_slice(&part[..length]);
        }
        answers.push(String::from_utf8(answer).unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn every_captured_request_is_accepted_and_shown_as_its_sender_meant_it() {
    let providers = Providers::start().await;
    let host = providers
        .of(Host::builder().plugin("push-dovecot"), ApnsBy::Certificate)
        .start()
        .await;
    // Of the captured users, user1 and user2 are known here by their logins, 1@1 and 2@1 are not.
    let crowd = Crowd::gather(&host, 3).await;
    assert!(
        !crowd
            .users
            .iter()
            .any(|user| user == "1@1" || user == "2@1")
    );

    let requests = requests();
    let count = requests.len();
    assert_eq!(count, 25);
    let address = host.internal().trim_start_matches("http://").to_owned();
    let answers = tokio::task::spawn_blocking(move || replay(&address, requests))
        .await
        .unwrap();
    for answer in &answers {
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("{\"success\":true}"), "{answer}");
    }

    // 21 of user1 and one of user2; three of users whom nobody registered.
    providers
        .apns
        .wait_for_delivered(22, PATIENCE)
        .await
        .unwrap();
    host.counts("belfry_unregistered_total 3").await;
    let shown = providers.apns.as_device_sees(&apns_token(1));
    let by_cid: BTreeMap<_, _> = shown
        .iter()
        .map(|push| (push.cid().unwrap(), push))
        .collect();
    let of = |uid: u32| -> &Push { by_cid[format!("default0/INBOX:{uid}").as_str()] };
    for (uid, sender, subject) in SHOWN {
        let subject = if subject == LONG {
            "L".repeat(900)
        } else {
            subject.to_owned()
        };
        let push = of(uid);
        assert_eq!(push.sender(), Some(sender), "{uid}");
        assert_eq!(push.subject(), Some(subject.as_str()), "{uid}");
        assert_eq!(push.unread(), Some(u64::from(uid)), "{uid}");
    }
    let huge = of(HUGE);
    assert!(huge.subject().unwrap().starts_with("wordword"));
    let bytes = huge.payload.to_string().len();
    assert!((4_000..=4_096).contains(&bytes), "{bytes}");
    assert_eq!(shown.len(), SHOWN.len() + 1);
    let of_user2 = providers.apns.as_device_sees(&apns_token(2));
    assert_eq!(of_user2.len(), 1);
    assert_eq!(of_user2[0].subject(), Some("two rcpts"));
    providers.assert_no_violations();
}
