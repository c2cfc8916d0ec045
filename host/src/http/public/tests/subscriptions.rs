use serde_json::{Value, json};

use super::Api;

const APNS_TOKEN: &str = "00AAbbCC00aabbcc00aabbcc00aabbcc00aabbcc00aabbcc00aabbcc00aabbcc";

fn apns() -> Value {
    json!({"transport": "apns", "token": APNS_TOKEN, "app": "com.example.mail"})
}

fn fcm() -> Value {
    json!({"transport": "fcm", "token": "dQw4w9WgXcQ:APA91b"})
}

#[tokio::test]
async fn devices_are_subscribed_listed_and_removed() {
    let api = Api::new(&[]).await;
    let session = api.log_in_as("anna").await;
    let session = Some(session.as_str());
    let client = "open-xchange-mailapp";
    let phone = json!({
        "transport": "apns",
        "token": APNS_TOKEN.to_lowercase(),
        "app": "com.example.mail",
        "client": client,
    });
    let tablet = json!({"transport": "fcm", "token": "dQw4w9WgXcQ:APA91b", "client": client});

    let new = api
        .call("PUT", "/subscriptions", session, Some(apns()))
        .await;
    assert_eq!((new.status.as_u16(), &new.body), (201, &phone));
    assert_eq!(api.world.lines(), ["user=3, context=1, permanent=true"]);
    let known = api
        .call("PUT", "/subscriptions", session, Some(apns()))
        .await;
    assert_eq!((known.status.as_u16(), &known.body), (200, &phone));
    let new = api
        .call("PUT", "/subscriptions", session, Some(fcm()))
        .await;
    assert_eq!(new.status, 201);
    let listed = api.call("GET", "/subscriptions", session, None).await;
    assert_eq!(listed.body, json!([phone, tablet]));
    assert_eq!(listed.header("cache-control"), "no-store");

    for device in [apns(), fcm()] {
        let gone = api
            .call("DELETE", "/subscriptions", session, Some(device.clone()))
            .await;
        assert_eq!(gone.status, 204);
        let gone = api
            .call("DELETE", "/subscriptions", session, Some(device))
            .await;
        assert_eq!(gone.error(), (404, "not_subscribed"));
    }
    assert!(api.world.lines().is_empty());
    let listed = api.call("GET", "/subscriptions", session, None).await;
    assert_eq!(listed.body, json!([]));
}

#[tokio::test]
async fn nobody_sees_or_removes_anothers_device() {
    let api = Api::new(&[]).await;
    let (anna, berta) = (api.log_in_as("anna").await, api.log_in_as("berta").await);
    api.call("PUT", "/subscriptions", Some(&anna), Some(fcm()))
        .await;
    let listed = api.call("GET", "/subscriptions", Some(&berta), None).await;
    assert_eq!(listed.body, json!([]));
    let refused = api
        .call("DELETE", "/subscriptions", Some(&berta), Some(fcm()))
        .await;
    assert_eq!(refused.error(), (404, "not_subscribed"));
}

#[tokio::test]
async fn an_unknown_transport_is_refused_with_those_that_are_known() {
    let api = Api::new(&[]).await;
    let session = api.log_in_as("anna").await;
    let pigeon = json!({"transport": "pigeon", "token": "t"});
    let refused = api
        .call("PUT", "/subscriptions", Some(&session), Some(pigeon))
        .await;
    assert_eq!(refused.error(), (400, "unknown_transport"));
    assert!(refused.detail().contains("apns, fcm"), "{refused:?}");

    api.transports.lock().unwrap().clear();
    let refused = api
        .call("PUT", "/subscriptions", Some(&session), Some(apns()))
        .await;
    assert_eq!(refused.error(), (503, "unavailable"));
    assert_eq!(refused.header("retry-after"), "60");
}

#[tokio::test]
async fn a_token_or_app_that_cannot_be_one_is_refused_and_not_repeated() {
    let api = Api::new(&[]).await;
    let session = api.log_in_as("anna").await;
    for (transport, token, app) in [
        ("apns", "not-hexadecimal", None),
        ("apns", "abcdef", None),
        ("fcm", "", None),
        ("fcm", "two words", None),
        ("fcm", "fine-token", Some("two words")),
    ] {
        let device = json!({"transport": transport, "token": token, "app": app});
        for method in ["PUT", "DELETE"] {
            if method == "DELETE" && app.is_some() {
                continue;
            }
            let body = Some(device.clone());
            let refused = api
                .call(method, "/subscriptions", Some(&session), body)
                .await;
            assert_eq!(refused.error(), (400, "malformed"), "{device}");
            assert!(
                token.is_empty() || !refused.detail().contains(token),
                "{refused:?}"
            );
        }
    }
    assert!(api.world.push.subscriptions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_client_that_is_not_allowed_subscribes_nothing() {
    let api = Api::new(&["com.openexchange.push.allowedClient=other"]).await;
    let session = api.log_in_as("anna").await;
    let refused = api
        .call("PUT", "/subscriptions", Some(&session), Some(fcm()))
        .await;
    assert_eq!(refused.error(), (403, "client_not_allowed"));
    api.world
        .configure(&["com.openexchange.capability.mobile_mail_app=false"]);
    let refused = api
        .call("PUT", "/subscriptions", Some(&session), Some(fcm()))
        .await;
    assert_eq!(refused.error(), (403, "no_capability"));
}

#[tokio::test]
async fn while_the_database_is_away_apps_are_told_to_come_again() {
    let api = Api::new(&[]).await;
    let session = api.log_in_as("anna").await;
    api.world.storage.close().await;
    for (method, body) in [("PUT", Some(fcm())), ("GET", None), ("DELETE", Some(fcm()))] {
        let refused = api
            .call(method, "/subscriptions", Some(&session), body)
            .await;
        assert_eq!(refused.error(), (503, "unavailable"), "{method}");
        assert_eq!(refused.header("retry-after"), "10");
        assert!(!refused.detail().contains("belfry.db"), "{refused:?}");
    }
    let stranger = super::credentials("berta", "pw");
    let refused = api.call("POST", "/sessions", None, Some(stranger)).await;
    assert_eq!(refused.error(), (503, "unavailable"));
}
