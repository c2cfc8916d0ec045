//! Wrong requests, and secrets.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_the_same_form_everywhere() {
    let world = World::new(&[]).await;
    let unfitting = Some(json!({"user": "x"}));
    let relative = Some(json!({"file": "plugin.so"}));
    let event = Some(json!({"topic": "no topic"}));
    for (method, path, body, expected) in [
        ("GET", "/nothing", None, StatusCode::NOT_FOUND),
        ("PATCH", "/plugins", None, StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/plugins/Not-An-Id", None, StatusCode::BAD_REQUEST),
        ("GET", "/plugins/missing", None, StatusCode::NOT_FOUND),
        (
            "POST",
            "/plugins/missing/start",
            None,
            StatusCode::NOT_FOUND,
        ),
        ("POST", "/plugins/missing/stop", None, StatusCode::NOT_FOUND),
        (
            "POST",
            "/plugins/missing/update",
            Some(json!({})),
            StatusCode::NOT_FOUND,
        ),
        ("DELETE", "/plugins/missing", None, StatusCode::NOT_FOUND),
        ("POST", "/plugins", relative, StatusCode::BAD_REQUEST),
        ("POST", "/plugins", None, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            "POST",
            "/users",
            unfitting,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("DELETE", "/users/one/2", None, StatusCode::BAD_REQUEST),
        (
            "DELETE",
            "/registrations/1/249",
            None,
            StatusCode::NOT_FOUND,
        ),
        ("DELETE", "/subscriptions/7", None, StatusCode::NOT_FOUND),
        (
            "GET",
            "/deliveries?side=both",
            None,
            StatusCode::BAD_REQUEST,
        ),
        ("GET", "/deliveries?after=1", None, StatusCode::BAD_REQUEST),
        (
            "POST",
            "/deliveries/purge",
            Some(json!({})),
            StatusCode::BAD_REQUEST,
        ),
        ("POST", "/events", event, StatusCode::UNPROCESSABLE_ENTITY),
        ("GET", "/events?topics=a*", None, StatusCode::BAD_REQUEST),
        (
            "PUT",
            "/log/levels/missing",
            Some(json!({"level": "debug"})),
            StatusCode::NOT_FOUND,
        ),
    ] {
        let (status, answer) = world.ask(method, path, body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        let says = |name: &str| answer[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(says("error") && says("detail"), "{method} {path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let world = World::new(&[]).await;
    let request = Request::post(format!("{}/users", crate::http::admin::BASE))
        .header("content-type", "application/json")
        .body(Body::from(vec![b' '; 2 * 1024 * 1024]));
    let response = world.send(request.unwrap()).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_explained_and_a_secret_is_not_shown() {
    let secret = "com.openexchange.mail.masterPassword";
    let world = World::new(&[&format!("{secret}=swordfish"), "belfry.user.context=7"]).await;
    let answer = world.get(&format!("/config/{secret}")).await;
    assert_eq!(answer["secret"], true);
    assert_eq!(answer["origin"], "--set");
    assert!(!answer.to_string().contains("swordfish"), "{answer}");

    let answer = world.get("/config/belfry.user.context").await;
    assert_eq!(answer["value"], "7");
    assert_eq!(answer["default"], "1");

    let (status, answer) = world.ask("GET", "/config/belfry.user.kontext", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let detail = answer["detail"].as_str().unwrap();
    assert!(detail.contains("belfry.user.context"), "{detail}");
}
