//! The bare client: `reqwest` pushing the same payloads to the same double.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use belfry_plugin_api::mail::NewMail;
use belfry_plugin_api::user::User;
use belfry_tests::app::apns_token;
use belfry_tests::providers::{KEYSTORE_PASSWORD, Providers, TOPIC};

use crate::cpu;

/// What pushing took.
pub(crate) struct Raw {
    /// Wall-clock time.
    pub(crate) wall: Duration,
    /// CPU seconds of this process, the double and the client together.
    pub(crate) cpu_with_double: f64,
}

/// Pushes with `reqwest`, over one connection, so many at a time.
pub(crate) async fn push(providers: &Providers, count: u32, at_once: u32, users: u32) -> Raw {
    let identity = mobile_push::keystore::read(
        &std::fs::read(providers.file("push.p12")).unwrap(),
        &KEYSTORE_PASSWORD.into(),
        std::time::SystemTime::now(),
    )
    .unwrap();
    let trust = mobile_push::http2::Trust::File(providers.file("ca.pem"));
    let tls = mobile_push::http2::client_config(&trust, Some(identity.certified)).unwrap();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(std::sync::Arc::unwrap_or_clone(tls))
        .http2_prior_knowledge()
        .http2_adaptive_window(true)
        .tcp_nodelay(true)
        .build()
        .unwrap();
    let endpoint: Arc<str> = providers.apns.endpoint().into();
    let next = Arc::new(AtomicU32::new(0));
    let myself = [i32::try_from(std::process::id()).unwrap()];
    let cpu_before = cpu::seconds(&myself);
    let begin = Instant::now();
    let pushers: Vec<_> = (0..at_once)
        .map(|_| {
            let (client, endpoint, next) = (client.clone(), endpoint.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let (user, mail) = mail(number, users);
                    let response = client
                        .post(format!(
                            "{endpoint}/3/device/{}",
                            apns_token(number % users)
                        ))
                        .header("apns-topic", TOPIC)
                        .header("apns-push-type", "alert")
                        .header("apns-priority", "10")
                        .header("apns-expiration", "0")
                        .header("apns-id", uuid::Uuid::new_v4().to_string())
                        .header(
                            "apns-collapse-id",
                            mobile_push::render::collapse_id(user, &mail),
                        )
                        .body(mobile_push::render::apns_payload(&mail))
                        .send()
                        .await
                        .unwrap();
                    assert_eq!(response.status(), 200);
                }
            })
        })
        .collect();
    for pusher in pushers {
        pusher.await.unwrap();
    }
    Raw {
        wall: begin.elapsed(),
        cpu_with_double: cpu::seconds(&myself) - cpu_before,
    }
}

fn mail(number: u32, users: u32) -> (User, NewMail) {
    let user = User {
        context: 1,
        id: number % users,
    };
    let mail = NewMail {
        folder: "INBOX".into(),
        uid_validity: 1,
        uid: number,
        sender: Some("Alice".into()),
        subject: Some(format!("Mail {number}")),
        snippet: None,
        unread: Some(number),
    };
    (user, mail)
}
