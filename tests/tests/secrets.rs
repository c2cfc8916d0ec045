//! Passwords, tokens and keys are nowhere to be read.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use belfry_sandbox::Fault;
use belfry_tests::app::{
    App, CLIENT, apns_token, client, fcm_token, notification, notify, try_log_in,
};
use belfry_tests::crowd::{self, Crowd};
use belfry_tests::host::{Host, LOGIN, PASSWORD};
use belfry_tests::providers::{ApnsBy, KEYSTORE_PASSWORD, Providers};
use belfry_tests::wait::{PATIENCE, until};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// What nobody may read, by what it is.
fn secrets(providers: &Providers, session: &str) -> Vec<(&'static str, String)> {
    let key = std::fs::read_to_string(providers.file("key.p8")).unwrap();
    let account: serde_json::Value =
        serde_json::from_slice(&std::fs::read(providers.file("account.json")).unwrap()).unwrap();
    let middle = |pem: &str| pem.lines().nth(1).unwrap().to_owned();
    vec![
        ("the mail server's password", PASSWORD.to_owned()),
        ("the user's password", crowd::PASSWORD.to_owned()),
        ("a wrong password", "wrong-Secret-6".to_owned()),
        ("the keystore's password", KEYSTORE_PASSWORD.to_owned()),
        ("the signing key", middle(&key)),
        (
            "the service account's key",
            middle(account["private_key"].as_str().unwrap()),
        ),
        ("an iPhone's token", apns_token(0)),
        ("an Android phone's token", fcm_token(0)),
        ("a session", session.to_owned()),
        ("a master password", "master-Secret-7".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_error_or_listing_shows_a_secret() {
    let providers = Providers::start().await;
    let builder = Host::builder()
        .plugin("push-dovecot")
        .plugin("misbehaving")
        .plugin("mobile-push-restricted");
    let mut host = providers
        .of(builder, ApnsBy::Key)
        .set(
            "com.openxchange.mobilepush.events.apn.ios.password",
            KEYSTORE_PASSWORD,
        )
        .set("com.openexchange.mail.masterPassword", "master-Secret-7")
        .start()
        .await;
    let crowd = Crowd::gather(&host, 1).await;
    let app = App::log_in(&host, "user0@example.com", crowd::PASSWORD).await;
    let session = app.answer["session"].as_str().unwrap().to_owned();
    let secrets = secrets(&providers, &session);
    let mut said = Vec::new();

    // Every door is tried in a wrong way.
    let wrong = try_log_in(&host, "user0@example.com", "wrong-Secret-6", CLIENT).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    said.push(wrong.text().await.unwrap());
    let forbidden = try_log_in(
        &host,
        "user0@example.com",
        crowd::PASSWORD,
        "another-client",
    )
    .await;
    if forbidden.status().is_success() {
        let other: serde_json::Value = forbidden.json().await.unwrap();
        let body = json!({"transport": "apns", "token": apns_token(0)});
        let refused = client()
            .put(format!("{}/api/v1/subscriptions", host.public()))
            .bearer_auth(other["session"].as_str().unwrap())
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        said.push(refused.text().await.unwrap());
    }
    for body in [
        json!({"transport": "pigeon", "token": apns_token(0)}),
        json!({"transport": "apns", "token": fcm_token(0)}),
        json!({"transport": "apns", "token": {"nested": apns_token(0)}}),
        json!({"login": "user0@example.com", "password": [crowd::PASSWORD]}),
    ] {
        let refused = app.request(Method::PUT, "/subscriptions", Some(body)).await;
        assert!(refused.status().is_client_error(), "{}", refused.status());
        said.push(refused.text().await.unwrap());
    }
    let guess = client()
        .put(format!(
            "{}/preliminary/http-notify/v1/notify",
            host.internal()
        ))
        .basic_auth(LOGIN, Some("wrong-Secret-6"))
        .json(&notification(&crowd.users[0], 1))
        .send()
        .await
        .unwrap();
    said.push(guess.text().await.unwrap());

    // Both providers refuse in every way that they have.
    let http = client();
    let faults = [
        (400, "BadDeviceToken"),
        (429, "TooManyRequests"),
        (500, "InternalServerError"),
        (403, "InvalidProviderToken"),
    ];
    for (uid, (status, reason)) in (1..).zip(faults) {
        providers
            .apns
            .faults()
            .add(Fault::answer(status, reason).times(1));
        notify(&http, host.internal(), &notification(&crowd.users[0], uid)).await;
    }
    providers.fcm.wait_for_delivered(4, PATIENCE).await.unwrap();

    // A plugin dies, and a value cannot be used.
    host.ctl(&["event", "send", "org/belfry/misbehave", "how=panic"])
        .await;
    until("the panic to be seen", async || {
        host.log().contains("as it was told to").then_some(())
    })
    .await;
    host.set("belfry.mobile-push.apns.key", "/nonexistent/key.p8");
    host.set("com.openexchange.push.allowPermanentPush", "perhaps");
    until("the bad value to be refused", async || {
        host.log().contains("stays as it was").then_some(())
    })
    .await;

    for arguments in [
        &["plugin", "list"][..],
        &["plugin", "list", "--json"],
        &["plugin", "info", "mobile-push", "--json"],
        &["service", "list", "--json"],
        &["listpushusers", "--json"],
        &["registration", "list", "--json"],
        &["subscription", "list"],
        &["subscription", "list", "--json"],
        &["user", "list", "--json"],
        &["delivery", "list"],
        &["delivery", "list", "--json"],
        &["health", "--json"],
        &["config", "get", "com.openexchange.mail.masterPassword"],
        &["config", "explain", "com.openexchange.mail.masterPassword"],
        &[
            "config",
            "explain",
            "com.openexchange.rest.services.basic-auth.password",
            "--json",
        ],
    ] {
        said.push(host.ctl(arguments).await.1);
    }
    for path in ["/metrics", "/health", "/ready"] {
        let answer = client()
            .get(format!("{}{path}", host.internal()))
            .send()
            .await
            .unwrap();
        said.push(answer.text().await.unwrap());
    }
    assert!(host.end().await);
    said.push(host.log());
    said.push(crowd.dovecot.log().unwrap());

    for text in &said {
        for (what, secret) in &secrets {
            assert!(
                !text.contains(secret.as_str()),
                "{what} can be read in:\n{text}"
            );
        }
    }
}
