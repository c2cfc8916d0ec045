use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::FromRequest;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures_util::stream;
use serde_json::json;

use super::super::MAX_BODY_BYTES;
use super::super::body::JsonBody;
use super::{Api, credentials, request};

const WITH_SESSION: [(&str, &str); 5] = [
    ("DELETE", "/sessions/current"),
    ("PUT", "/subscriptions"),
    ("GET", "/subscriptions"),
    ("DELETE", "/subscriptions"),
    ("GET", "/capabilities"),
];

#[tokio::test]
async fn without_a_session_nothing_is_told_or_done() {
    let api = Api::new(&[]).await;
    let session = api.log_in_as("anna").await;
    for (method, path) in WITH_SESSION {
        let wrong = format!("{}x", &session[..42]);
        for session in [None, Some(wrong.as_str()), Some("")] {
            let refused = api.call(method, path, session, Some(json!({}))).await;
            assert_eq!(refused.error(), (401, "no_session"), "{method} {path}");
            assert_eq!(refused.header("www-authenticate"), "Bearer");
        }
        let mut basic = request(method, path, None, Body::empty());
        let header = format!("Basic {session}").parse().unwrap();
        basic.headers_mut().insert(AUTHORIZATION, header);
        assert_eq!(
            api.send(basic).await.error(),
            (401, "no_session"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_without_being_repeated() {
    let api = Api::new(&[]).await;
    let send = async |body: &str| {
        let sent = Body::from(body.to_owned());
        let answer = api.send(request("POST", "/sessions", None, sent)).await;
        api.check("POST", "/sessions", &answer);
        assert!(!answer.detail().contains("hunter2"), "{answer:?}");
        assert_eq!(answer.error(), (400, "malformed"), "{body}");
        answer.detail().to_owned()
    };
    assert!(send("").await.contains("not JSON"));
    assert!(
        send(r#"{"login":"anna","password":"hunter2""#)
            .await
            .contains("not JSON")
    );
    assert!(
        send(r#"{"login":"anna","client":"app"}"#)
            .await
            .contains("`password`")
    );
    for body in [
        r#""hunter2""#,
        r#"["hunter2"]"#,
        r#"{"login":["hunter2"],"password":"pw","client":"app"}"#,
        r#"{"login":"anna","password":{"hunter2":1},"client":"app"}"#,
        r#"{"login":"anna","password":[104,117],"client":"app"}"#,
        r#"{"login":"anna","login":"hunter2","password":"pw","client":"app"}"#,
    ] {
        assert!(send(body).await.contains("openapi.json"), "{body}");
    }
    assert_eq!(*api.world.mail_server.asked.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_body_of_another_type_or_size_is_refused() {
    let api = Api::new(&[]).await;
    for content_type in [None, Some("text/plain"), Some("application/jsonp")] {
        let body = Body::from(credentials("anna", "pw").to_string());
        let mut request = request("POST", "/sessions", None, body);
        match content_type {
            Some(content_type) => {
                let content_type = content_type.parse().unwrap();
                request.headers_mut().insert(CONTENT_TYPE, content_type)
            }
            None => request.headers_mut().remove(CONTENT_TYPE),
        };
        assert_eq!(api.send(request).await.error(), (415, "not_json"));
    }
    let padded = |bytes: usize| {
        let body = credentials("anna", "pw").to_string();
        let padding = " ".repeat(bytes - body.len());
        request("POST", "/sessions", None, Body::from(body + &padding))
    };
    assert_eq!(api.send(padded(MAX_BODY_BYTES)).await.status, 201);
    let refused = api.send(padded(MAX_BODY_BYTES + 1)).await;
    assert_eq!(refused.error(), (413, "too_large"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let body = Body::from_stream(stream::pending::<Result<&[u8], io::Error>>());
    let request = Request::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap();
    let refused = JsonBody::<serde_json::Value>::from_request(request, &())
        .await
        .err()
        .unwrap();
    assert_eq!(refused.into_response().status(), 408);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed() {
    let api = Api::new(&[]).await;
    let broken = stream::iter([Ok(&b"{"[..]), Err(io::Error::other("reset"))]);
    let broken = request("POST", "/sessions", None, Body::from_stream(broken));
    assert_eq!(api.send(broken).await.error(), (400, "malformed"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_other_methods_are_not_allowed() {
    let api = Api::new(&[]).await;
    for path in ["", "/", "/nothing", "/sessions/other", "/subscriptions/"] {
        let refused = api.send(request("GET", path, None, Body::empty())).await;
        assert_eq!(refused.error(), (404, "not_found"), "{path}");
    }
    for path in ["/", "/api", "/api/v2/sessions", "/apiv1"] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        assert_eq!(
            api.send(request).await.error(),
            (404, "not_found"),
            "{path}"
        );
    }
    for (method, path, allowed) in [
        ("GET", "/sessions", "POST"),
        ("PATCH", "/subscriptions", "PUT,GET,HEAD,DELETE"),
        ("POST", "/providers/example", "GET,HEAD"),
    ] {
        let refused = api.send(request(method, path, None, Body::empty())).await;
        assert_eq!(
            refused.error(),
            (405, "method_not_allowed"),
            "{method} {path}"
        );
        let mut allow: Vec<_> = refused.header("allow").split(',').collect();
        allow.sort_unstable();
        let mut allowed: Vec<_> = allowed.split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allow, allowed, "{method} {path}");
    }
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

#[tokio::test]
async fn the_log_has_one_line_for_each_refusal_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone());
    // With one subscriber in the process, tracing takes that of whichever thread meets a log line
    // first - another test's, which has none - as the answer for all threads.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let api = Api::new(&[]).await;
    let session = api.log_in_as("anna").await;
    log.take();

    let requests = [
        request("POST", "/sessions", None, Body::from("{hunter2")),
        request(
            "POST",
            "/sessions",
            None,
            Body::from(credentials("anna", "hunter2").to_string()),
        ),
        request(
            "PUT",
            "/subscriptions",
            Some(&session),
            Body::from(r#"{"transport":"apns","token":"hunter2"}"#),
        ),
        request("GET", "/subscriptions", Some("hunter2"), Body::empty()),
        request("DELETE", "/providers", None, Body::empty()),
        request("GET", "/nothing", None, Body::empty()),
    ];
    for request in requests {
        let what = format!("{} {}", request.method(), request.uri());
        let status = api.send(request).await.status;
        assert!(status.is_client_error(), "{what}");
        let lines = log.take();
        assert_eq!(lines.lines().count(), 1, "{what}: {lines}");
        assert!(
            !lines.contains("hunter2") && !lines.contains(&session),
            "{lines}"
        );
    }
}
