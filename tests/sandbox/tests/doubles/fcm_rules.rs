//! What FCM refuses, and how.

use serde_json::{Value, json};

use crate::support::{Google, PROJECT, Reply, SOON, message, with};

async fn send(google: &Google, message: &Value) -> Reply {
    google
        .client()
        .await
        .send(google.push(), message.to_string())
        .await
        .unwrap()
}

/// `@type` (its last part) and `errorCode` of the details.
fn details(reply: &Reply) -> Vec<(String, String)> {
    let details = reply.json()["error"]["details"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let part = |detail: &Value, name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    details
        .iter()
        .map(|detail| {
            let kind = part(detail, "@type")
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_owned();
            (kind, part(detail, "errorCode"))
        })
        .collect()
}

fn detail(kind: &str, code: &str) -> (String, String) {
    (kind.to_owned(), code.to_owned())
}

/// A message with one change, refused for a field: nothing in the answer speaks against the device.
async fn refuses_field(change: impl FnOnce(&mut Value), field: &str) {
    let google = Google::new().await;
    let mut message = message("device-1", "INBOX:1");
    change(&mut message);
    let reply = send(&google, &message).await;
    let error = &reply.json()["error"];
    assert_eq!(
        (reply.status.as_u16(), error["status"].as_str()),
        (400, Some("INVALID_ARGUMENT")),
        "{message}"
    );
    assert_eq!(details(&reply), [detail("BadRequest", "")], "{message}");
    assert_eq!(
        error["details"][0]["fieldViolations"][0]["field"], field,
        "{message}"
    );
}

#[tokio::test]
async fn a_message_in_order_is_accepted_and_written_down() {
    let google = Google::new().await;
    let reply = send(&google, &message("device-1", "INBOX:1")).await;
    assert_eq!(reply.status, 200);
    let name = reply.json()["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("projects/mail-app/messages/0:"), "{name}");

    let pushes = google.fcm.wait_for_delivered(1, SOON).await.unwrap();
    let push = &pushes[0];
    assert_eq!(push.token, "device-1");
    assert!(
        !push.headers.contains_key("authorization"),
        "a record holds no credentials"
    );
    assert_eq!(
        (push.sender(), push.subject()),
        (Some("Alice"), Some("Lunch?"))
    );
    assert_eq!((push.unread(), push.cid()), (Some(3), Some("INBOX:1")));
}

#[tokio::test]
async fn a_message_without_a_good_access_token_is_401() {
    let google = Google::new().await;
    let body = message("device-1", "INBOX:1").to_string();
    for authorization in [
        None,
        Some("Bearer ya29.unknown"),
        Some("key=AAAA"),
        Some("Bearer"),
    ] {
        let request = with(google.push(), "authorization", authorization);
        let reply = google
            .client()
            .await
            .send(request, body.clone())
            .await
            .unwrap();
        assert_eq!(reply.status, 401);
        assert_eq!(reply.json()["error"]["status"], "UNAUTHENTICATED");
        assert!(details(&reply).is_empty());
        assert!(reply.headers.contains_key("www-authenticate"));
    }
}

#[tokio::test]
async fn another_project_is_403_and_says_nothing_of_the_device() {
    let google = Google::new().await;
    let mut request = google.push();
    *request.uri_mut() = "/v1/projects/other/messages:send".parse().unwrap();
    let body = message("device-1", "INBOX:1").to_string();
    let reply = google.client().await.send(request, body).await.unwrap();
    assert_eq!((reply.status.as_u16(), details(&reply)), (403, vec![]));
    assert_eq!(reply.json()["error"]["status"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn other_paths_and_methods_are_a_page_that_is_not_json() {
    let google = Google::new().await;
    let requests = [
        "/",
        "/fcm/send",
        "/batch",
        "/v1/projects/mail-app/messages",
        "/v1/projects/a/b/messages:send",
    ]
    .map(|path| {
        let mut request = google.push();
        *request.uri_mut() = path.parse().unwrap();
        request
    });
    let mut read = google.push();
    *read.method_mut() = http::Method::GET;
    for request in requests.into_iter().chain([read]) {
        let reply = google.client().await.send(request, "{}").await.unwrap();
        assert_eq!(reply.status, 404);
        assert_eq!(reply.headers["content-type"], "text/html; charset=UTF-8");
        assert!(reply.json().is_null());
    }
}

#[tokio::test]
async fn what_is_not_json_is_an_invalid_argument() {
    let google = Google::new().await;
    let reply = google
        .client()
        .await
        .send(google.push(), "{\"message\":")
        .await
        .unwrap();
    assert_eq!((reply.status.as_u16(), details(&reply)), (400, vec![]));
    assert_eq!(reply.json()["error"]["status"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn unknown_fields_are_refused() {
    refuses_field(|it| it["registration_ids"] = json!(["a"]), "").await;
    refuses_field(|it| it["message"]["to"] = json!("a"), "message").await;
    refuses_field(
        |it| it["message"]["android"]["time_to_live"] = json!(3),
        "message.android",
    )
    .await;
}

#[tokio::test]
async fn data_values_are_strings_and_no_key_is_googles_own() {
    refuses_field(
        |it| it["message"]["data"]["unread"] = json!(3),
        "message.data[unread]",
    )
    .await;
    refuses_field(|it| it["message"]["data"] = json!("text"), "message.data").await;
    for key in [
        "from",
        "message_type",
        "google.sent_time",
        "gcm.notification.title",
    ] {
        refuses_field(|it| it["message"]["data"][key] = json!("x"), "message.data").await;
    }
}

#[tokio::test]
async fn priority_is_high_or_normal() {
    for bad in [json!("urgent"), json!("High"), json!(10)] {
        refuses_field(
            |it| it["message"]["android"]["priority"] = bad,
            "message.android.priority",
        )
        .await;
    }
    let google = Google::new().await;
    for good in ["HIGH", "NORMAL", "high", "normal"] {
        let mut message = message("device-1", "INBOX:1");
        message["message"]["android"]["priority"] = json!(good);
        assert_eq!(send(&google, &message).await.status, 200);
    }
}

#[tokio::test]
async fn a_ttl_is_a_duration_up_to_four_weeks() {
    for bad in [json!("60"), json!(60), json!("2419201s"), json!("-1s")] {
        refuses_field(
            |it| it["message"]["android"]["ttl"] = bad,
            "message.android.ttl",
        )
        .await;
    }
}

#[tokio::test]
async fn a_message_names_one_device() {
    refuses_field(|it| it["message"]["token"] = json!(7), "message.token").await;
    refuses_field(
        |it| drop(it["message"].as_object_mut().unwrap().remove("token")),
        "message.token",
    )
    .await;
    refuses_field(|it| it["message"]["topic"] = json!("news"), "message").await;
    refuses_field(
        |it| drop(it.as_object_mut().unwrap().remove("message")),
        "message",
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_a_token_is_an_fcm_error() {
    let google = Google::new().await;
    for bad in ["", "not a token", "é"] {
        let reply = send(&google, &message(bad, "INBOX:1")).await;
        assert_eq!(
            (reply.status.as_u16(), details(&reply)),
            (400, vec![detail("FcmError", "INVALID_ARGUMENT")])
        );
    }
}

#[tokio::test]
async fn data_beyond_4096_bytes_are_too_big_and_the_answer_has_both_kinds_of_details() {
    let google = Google::new().await;
    let of_size = |bytes: usize| {
        let mut message = message("device-1", "INBOX:1");
        message["message"]["data"] = json!({"cid": "x".repeat(bytes - "cid".len())});
        message
    };
    assert_eq!(send(&google, &of_size(4096)).await.status, 200);
    let reply = send(&google, &of_size(4097)).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.json()["error"]["message"],
        "Android message is too big"
    );
    assert_eq!(
        details(&reply),
        [
            detail("BadRequest", ""),
            detail("FcmError", "INVALID_ARGUMENT")
        ]
    );
}

#[tokio::test]
async fn a_message_that_is_only_validated_reaches_no_device() {
    let google = Google::new().await;
    let mut message = message("device-1", "INBOX:1");
    message["validate_only"] = json!(true);
    let reply = send(&google, &message).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json()["name"],
        format!("projects/{PROJECT}/messages/fake_message_id")
    );
    assert!(google.fcm.as_device_sees("device-1").is_empty());
    assert_eq!(google.fcm.counts().delivered, 0);
}
