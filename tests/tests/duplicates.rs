//! The same mail, told twice.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use belfry_tests::app::{App, apns_token, fcm_token};
use belfry_tests::dovecot::Dovecot;
use belfry_tests::host::Host;
use belfry_tests::lmtp;
use belfry_tests::providers::{ApnsBy, Providers};
use belfry_tests::wait::{PATIENCE, until};
use reqwest::StatusCode;

const USER: &str = "user1@example.com";
const PASSWORD: &str = "mail-Secret-4";

#[tokio::test(flavor = "multi_thread")]
async fn two_drivers_and_a_second_try_give_one_push_a_device() {
    let providers = Providers::start().await;
    let host = providers
        .of(Host::builder().plugin("push-dovecot"), ApnsBy::Certificate)
        .start()
        .await;
    // Between Dovecot and the host: loses the answer to the first try of each request.
    let forgetful = forgetful::Proxy::start(host.internal()).await;
    let url = host.notify_url();
    let forgetful_url = url.replace(
        host.internal().trim_start_matches("http://"),
        forgetful.address(),
    );
    let dovecot = Dovecot::builder()
        .users([(USER, PASSWORD)])
        .driver_url(&url)
        .second_driver(&forgetful_url)
        .user_from_metadata(true)
        .start()
        .await
        .unwrap();
    host.set("belfry.imap.url", &dovecot.imap_url());
    let app = until("the mail server's address to be in force", async || {
        let response =
            belfry_tests::app::try_log_in(&host, USER, PASSWORD, belfry_tests::app::CLIENT).await;
        if response.status() != StatusCode::CREATED {
            return None;
        }
        Some(App::log_in(&host, USER, PASSWORD).await)
    })
    .await;
    app.subscribe("apns", &apns_token(1)).await;
    app.subscribe("fcm", &fcm_token(1)).await;
    host.listens_for(&app.user()).await;

    for number in 1..=3 {
        let message = lmtp::mail("alice@example.org", &format!("Mail {number}"), "Hello body");
        let replies = lmtp::deliver(
            dovecot.lmtp_address(),
            "alice@example.org",
            &[USER],
            &message,
        )
        .await
        .unwrap();
        assert!(replies.iter().all(lmtp::Reply::is_success), "{replies:?}");
    }
    providers
        .apns
        .wait_for_delivered(3, PATIENCE)
        .await
        .unwrap();
    providers.fcm.wait_for_delivered(3, PATIENCE).await.unwrap();
    assert!(forgetful.forgotten() >= 3, "Dovecot made no second try");
    // One of the two drivers' reports of each mail, and each second try, is a duplicate.
    host.counts("belfry_duplicates_total 6").await;
    assert_eq!(providers.apns.pushes().len(), 3);
    assert_eq!(providers.fcm.pushes().len(), 3);
    providers.assert_no_violations();
}

mod forgetful {
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    /// Passes requests on, and closes instead of answering the first time that it sees each.
    pub(crate) struct Proxy {
        address: String,
        seen: Arc<Mutex<HashSet<Vec<u8>>>>,
    }

    impl Proxy {
        pub(crate) async fn start(host: &str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let seen = Arc::new(Mutex::new(HashSet::new()));
            let host = host.trim_start_matches("http://").to_owned();
            let shared = seen.clone();
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(pass_on(client, host.clone(), shared.clone()));
                }
            });
            Self { address, seen }
        }

        pub(crate) fn address(&self) -> &str {
            &self.address
        }

        pub(crate) fn forgotten(&self) -> usize {
            self.seen.lock().unwrap().len()
        }
    }

    async fn pass_on(mut client: TcpStream, host: String, seen: Arc<Mutex<HashSet<Vec<u8>>>>) {
        let mut upstream = TcpStream::connect(host).await.unwrap();
        loop {
            let Some(request) = read_message(&mut client).await else {
                return;
            };
            upstream.write_all(&request).await.unwrap();
            let answer = read_message(&mut upstream).await.unwrap();
            let body = request
                .split(|byte| *byte == b'{')
                .nth(1)
                .unwrap_or_default()
                .to_vec();
            if seen.lock().unwrap().insert(body) {
                return;
            }
            client.write_all(&answer).await.unwrap();
        }
    }

    /// Reads a head and the body that its Content-Length announces.
    async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            if let Some(end) = message.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&message[..end]).to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:"));
                let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
                if message.len() >= end + 4 + length {
                    return Some(message);
                }
            }
            if stream.read_buf(&mut message).await.ok()? == 0 {
                return None;
            }
        }
    }
}
