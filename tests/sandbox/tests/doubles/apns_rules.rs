//! What APNs refuses, and how.

use crate::support::{Apple, SOON, TOPIC, alert, device, with};
use http::Request;

/// Sends one request on a fresh connection.
async fn reason(apple: &Apple, request: Request<()>, body: String) -> (u16, String) {
    apple
        .client()
        .await
        .send(request, body)
        .await
        .unwrap()
        .reason()
}

async fn refuses(name: &'static str, value: Option<&str>, status: u16, wanted: &str) {
    let apple = Apple::new().await;
    let got = reason(
        &apple,
        with(apple.push(&device(1)), name, value),
        alert("hello"),
    )
    .await;
    assert_eq!(got, (status, wanted.to_owned()), "{name}: {value:?}");
}

#[tokio::test]
async fn a_push_in_order_is_accepted_and_written_down() {
    let apple = Apple::new().await;
    let id = "eabeae54-14a8-11e5-b60b-1697f925ec7b";
    let request = with(apple.push(&device(1)), "apns-id", Some(id));
    let request = with(request, "apns-collapse-id", Some("mail-1"));
    let reply = apple
        .client()
        .await
        .send(request, alert("hello"))
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["apns-id"], id);
    assert_eq!(reply.text, "");

    let pushes = apple.apns.wait_for_delivered(1, SOON).await.unwrap();
    let push = &pushes[0];
    assert_eq!(push.token, device(1));
    assert_eq!(push.apns_id.as_deref(), Some(id));
    assert_eq!(push.collapse_id.as_deref(), Some("mail-1"));
    assert_eq!(push.topic.as_deref(), Some(TOPIC));
    assert_eq!(push.headers["apns-priority"], "10");
    assert!(
        !push.headers.contains_key("authorization"),
        "a record holds no credentials"
    );
    assert_eq!(
        (push.sender(), push.subject()),
        (Some("Alice"), Some("hello"))
    );
    assert_eq!(
        (push.unread(), push.cid()),
        (Some(3), Some("default0/INBOX:hello"))
    );
    assert!(apple.apns.violations().is_empty());
}

#[tokio::test]
async fn a_push_without_an_id_is_given_one() {
    let apple = Apple::new().await;
    let reply = apple
        .client()
        .await
        .send(apple.push(&device(1)), alert("hello"))
        .await
        .unwrap();
    let id = reply.headers["apns-id"].to_str().unwrap().to_owned();
    assert_eq!(id.len(), 36);
    assert_eq!(apple.apns.pushes()[0].apns_id, Some(id));
}

#[tokio::test]
async fn only_post_is_a_method() {
    let apple = Apple::new().await;
    let mut request = apple.push(&device(1));
    *request.method_mut() = http::Method::GET;
    assert_eq!(
        reason(&apple, request, String::new()).await,
        (405, "MethodNotAllowed".into())
    );
}

#[tokio::test]
async fn other_paths_are_bad() {
    let apple = Apple::new().await;
    for (path, wanted) in [
        ("/", (404, "BadPath")),
        ("/2/device/00", (404, "BadPath")),
        ("/3/device/00/more", (404, "BadPath")),
        ("/3/device/", (400, "MissingDeviceToken")),
    ] {
        let mut request = apple.push(&device(1));
        *request.uri_mut() = path.parse().unwrap();
        let got = reason(&apple, request, alert("hello")).await;
        assert_eq!(got, (wanted.0, wanted.1.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_device_token_is_hexadecimal_of_a_plausible_length() {
    let apple = Apple::new().await;
    for bad in [
        "zz".repeat(32),
        "00".repeat(31),
        "0".repeat(65),
        "00".repeat(101),
    ] {
        let got = reason(&apple, apple.push(&bad), alert("hello")).await;
        assert_eq!(got, (400, "BadDeviceToken".into()), "{bad}");
    }
    let long = apple
        .client()
        .await
        .send(apple.push(&"0A".repeat(80)), alert("hello"))
        .await
        .unwrap();
    assert_eq!(long.status, 200);
}

#[tokio::test]
async fn a_payload_is_a_json_object_of_at_most_4096_bytes() {
    let apple = Apple::new().await;
    let padded = |bytes: usize| {
        let frame = alert("").len();
        alert("").replace("Alice", &"x".repeat(bytes - frame + "Alice".len()))
    };
    assert_eq!(padded(4096).len(), 4096);
    for (body, wanted) in [
        (String::new(), (400, "PayloadEmpty")),
        ("not json".into(), (400, "PayloadEmpty")),
        ("[1]".into(), (400, "PayloadEmpty")),
        (padded(4097), (413, "PayloadTooLarge")),
        (padded(1_000_000), (413, "PayloadTooLarge")),
        (padded(4096), (200, "")),
    ] {
        let got = reason(&apple, apple.push(&device(1)), body).await;
        assert_eq!(got, (wanted.0, wanted.1.to_owned()));
    }
}

#[tokio::test]
async fn a_body_beyond_every_window_is_read_to_its_end_and_refused() {
    let apple = Apple::new().await;
    let mut client = apple.client().await;
    let sending = client.send(apple.push(&device(1)), "x".repeat(20_000_000));
    let reply = tokio::time::timeout(SOON, sending)
        .await
        .expect("windows are opened again")
        .unwrap();
    assert_eq!(reply.reason(), (413, "PayloadTooLarge".into()));
}

#[tokio::test]
async fn a_topic_is_there_well_formed_and_allowed() {
    refuses("apns-topic", None, 400, "MissingTopic").await;
    refuses("apns-topic", Some(""), 400, "BadTopic").await;
    refuses("apns-topic", Some("org example"), 400, "BadTopic").await;
    refuses(
        "apns-topic",
        Some("org.example.other"),
        400,
        "TopicDisallowed",
    )
    .await;
}

#[tokio::test]
async fn a_push_type_is_there_and_known() {
    refuses("apns-push-type", None, 400, "InvalidPushType").await;
    refuses("apns-push-type", Some("loud"), 400, "InvalidPushType").await;
}

#[tokio::test]
async fn a_priority_is_10_5_or_1_and_not_10_in_the_background() {
    for bad in ["", "0", "2", "11", "010", "high"] {
        refuses("apns-priority", Some(bad), 400, "BadPriority").await;
    }
    refuses("apns-push-type", Some("background"), 400, "BadPriority").await;
}

#[tokio::test]
async fn an_expiration_is_a_whole_number_of_seconds() {
    for bad in ["", "-1", "1.5", "tomorrow", "99999999999"] {
        refuses("apns-expiration", Some(bad), 400, "BadExpirationDate").await;
    }
}

#[tokio::test]
async fn a_collapse_id_has_at_most_64_bytes() {
    refuses(
        "apns-collapse-id",
        Some(&"c".repeat(65)),
        400,
        "BadCollapseId",
    )
    .await;
    let apple = Apple::new().await;
    let request = with(
        apple.push(&device(1)),
        "apns-collapse-id",
        Some(&"c".repeat(64)),
    );
    assert_eq!(reason(&apple, request, alert("hello")).await.0, 200);
}

#[tokio::test]
async fn an_apns_id_is_a_uuid_in_its_canonical_form() {
    for bad in [
        "1",
        "eabeae5414a811e5b60b1697f925ec7b",
        "{eabeae54-14a8-11e5-b60b-1697f925ec7b}",
    ] {
        refuses("apns-id", Some(bad), 400, "BadMessageId").await;
    }
}

#[tokio::test]
async fn a_header_is_there_once() {
    let apple = Apple::new().await;
    let mut request = apple.push(&device(1));
    request
        .headers_mut()
        .append("apns-topic", TOPIC.parse().unwrap());
    assert_eq!(
        reason(&apple, request, alert("hello")).await,
        (400, "DuplicateHeaders".into())
    );
}

#[tokio::test]
async fn a_client_that_does_not_choose_h2_is_shown_the_door() {
    let apple = Apple::new().await;
    assert!(
        crate::support::tls(apple.apns.address(), &apple.ca, None, &[b"http/1.1"])
            .await
            .is_err()
    );
    let _silent = crate::support::tls(apple.apns.address(), &apple.ca, None, &[])
        .await
        .unwrap();
    apple
        .apns
        .wait_until_counts("both turned away", SOON, |seen| seen.failed_handshakes == 2)
        .await
        .unwrap();
    assert_eq!(
        apple.apns.violations()[0].what,
        "the client did not choose h2 by ALPN"
    );
}
