//! Requests that plugins answer themselves.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use belfry_tests::app::{App, client};
use belfry_tests::crowd::{self, Crowd};
use belfry_tests::host::{Host, LOGIN, PASSWORD};
use belfry_tests::providers::{ApnsBy, Providers};
use belfry_tests::wait::until;
use reqwest::StatusCode;

const PATH: &str = "/misbehaving/echo";

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_session_and_a_mail_server_reach_a_plugins_routes_and_others_do_not() {
    let providers = Providers::start().await;
    let builder = Host::builder().plugin("push-dovecot").plugin("misbehaving");
    let host = providers.of(builder, ApnsBy::Certificate).start().await;
    let crowd = Crowd::gather(&host, 1).await;
    let app = App::log_in(&host, "user0@example.com", crowd::PASSWORD).await;
    let session = app.answer["session"].as_str().unwrap();

    let public = format!("{}{PATH}", host.public());
    let post = || client().post(&public).body("hello");
    let answer = post().bearer_auth(session).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.text().await.unwrap(),
        format!("{} said hello", crowd.users[0])
    );

    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status();
    assert_eq!(status(post()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        status(post().bearer_auth("another")).await,
        StatusCode::UNAUTHORIZED
    );
    let get = client().get(&public).bearer_auth(session);
    assert_eq!(status(get).await, StatusCode::METHOD_NOT_ALLOWED);
    let large = post().bearer_auth(session).body(vec![b'x'; 100_000]);
    assert_eq!(status(large).await, StatusCode::PAYLOAD_TOO_LARGE);
    let elsewhere = client().post(format!("{}/misbehaving/nowhere", host.public()));
    assert_eq!(
        status(elsewhere.bearer_auth(session)).await,
        StatusCode::NOT_FOUND
    );

    let internal = client()
        .post(format!("{}{PATH}", host.internal()))
        .body("hello");
    let answer = internal
        .basic_auth(LOGIN, Some(PASSWORD))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.text().await.unwrap(), "nobody said hello");

    // A plugin that dies over a request costs that request, and the next one is answered.
    let deadly = client()
        .post(format!("{public}?how=exit"))
        .bearer_auth(session);
    assert_eq!(status(deadly).await, StatusCode::BAD_GATEWAY);
    until("the next generation to run", async || {
        let plugin = host.plugin("misbehaving").await?;
        (plugin["generation"] == 2 && plugin["state"] == "ACTIVE").then_some(())
    })
    .await;
    assert_eq!(status(post().bearer_auth(session)).await, StatusCode::OK);
}
