//! Misbehaviour on demand, as a client meets it.

use std::time::{Duration, Instant, SystemTime};

use belfry_sandbox::{Effect, Fault, FaultAnswer, FaultSpec, FaultTarget, Outcome};
use h2::Reason;
use http::Request;

use crate::support::{
    Apple, Google, SOON, alert, connected, device, finish, message, send_hello as send, with,
};

#[tokio::test]
async fn a_dead_device_is_410_with_the_moment_it_died_and_others_live() {
    let apple = Apple::new().await;
    let died = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let answer = FaultAnswer::new(410, "Unregistered").timestamp(died);
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Answer(answer)).for_device(&device(1)));
    let mut client = apple.client().await;
    let reply = client
        .send(apple.push(&device(1)), alert("hello"))
        .await
        .unwrap();
    assert_eq!(reply.reason(), (410, "Unregistered".into()));
    assert_eq!(reply.json()["timestamp"], 1_700_000_000_123_u64);
    assert!(reply.headers.contains_key("apns-id"));
    let other = client
        .send(apple.push(&device(2)), alert("hello"))
        .await
        .unwrap();
    assert_eq!(other.status, 200);
    assert_eq!(
        apple.apns.pushes()[0].outcome,
        Outcome::Refused {
            status: 410,
            reason: "Unregistered".into()
        }
    );
}

#[tokio::test]
async fn a_410_without_a_moment_is_of_now() {
    let apple = Apple::new().await;
    apple.apns.faults().add(Fault::answer(410, "Unregistered"));
    let before = SystemTime::now();
    let reply = apple
        .client()
        .await
        .send(apple.push(&device(1)), alert("hello"))
        .await
        .unwrap();
    let timestamp = Duration::from_millis(reply.json()["timestamp"].as_u64().unwrap());
    let moment = SystemTime::UNIX_EPOCH + timestamp + Duration::from_millis(1);
    assert!(moment >= before && moment <= SystemTime::now() + Duration::from_millis(1));
}

#[tokio::test]
async fn a_busy_provider_says_when_to_come_back_and_notices_who_comes_early() {
    let apple = Apple::new().await;
    let busy = FaultAnswer::new(429, "TooManyRequests").retry_after(Duration::from_millis(59_500));
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Answer(busy)).times(1));
    let mut client = apple.client().await;
    let reply = client
        .send(apple.push(&device(1)), alert("hello"))
        .await
        .unwrap();
    assert_eq!(reply.reason(), (429, "TooManyRequests".into()));
    assert_eq!(reply.headers["retry-after"], "60");
    let came = Instant::now();
    // What may still have been under way when the answer was given is not held against anyone.
    while apple.apns.violations().is_empty() {
        assert!(came.elapsed() < SOON, "a request before its time is listed");
        assert_eq!(send(&apple, &mut client).await.unwrap(), 200);
    }
    assert!(apple.apns.violations()[0].what.contains("Retry-After"));
}

#[tokio::test]
async fn a_slow_answer_comes_late_and_holds_no_other_up() {
    let apple = Apple::new().await;
    let late = Duration::from_millis(500);
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Slow(late)).for_device(&device(1)));
    let mut client = connected(&apple).await;
    let began = Instant::now();
    let mut slow = std::pin::pin!(finish(
        client.start(apple.push(&device(1)), alert("slow")).await
    ));
    tokio::select! {
        biased;
        _ = &mut slow => panic!("the slow answer came first"),
        quick = client.send(apple.push(&device(2)), alert("quick")) => assert_eq!(quick.unwrap().status, 200),
    }
    assert_eq!(slow.await.unwrap().status, 200);
    assert!(began.elapsed() >= late);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered_and_frees_its_stream_when_given_up() {
    let apple = Apple::new().await;
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Hang { delivered: false }).times(1));
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Hang { delivered: true }).times(1));
    let mut client = connected(&apple).await;
    let silent = client.start(apple.push(&device(1)), alert("lost")).await;
    apple.apns.wait_for(1, SOON).await.unwrap();
    let also_silent = client
        .start(apple.push(&device(1)), alert("taken in"))
        .await;
    apple.apns.wait_for(2, SOON).await.unwrap();
    assert_eq!(send(&apple, &mut client).await.unwrap(), 200);
    assert_eq!(apple.apns.counts().max_concurrent_streams, 3);
    let outcomes: Vec<_> = apple
        .apns
        .pushes()
        .into_iter()
        .map(|push| push.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Dropped,
            Outcome::AcceptedUnanswered,
            Outcome::Accepted
        ]
    );

    let waited = tokio::time::timeout(Duration::from_millis(50), finish(silent)).await;
    assert!(waited.is_err(), "no answer comes");
    drop(also_silent);
    for _ in 0..5 {
        assert_eq!(send(&apple, &mut client).await.unwrap(), 200);
    }
    assert_eq!(
        apple.apns.counts().max_concurrent_streams,
        3,
        "given-up streams do not count"
    );
}

#[tokio::test]
async fn a_refused_stream_was_not_taken_in() {
    let apple = Apple::new().await;
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::RefuseStream).times(1));
    let mut client = connected(&apple).await;
    assert_eq!(
        send(&apple, &mut client).await.unwrap_err().reason(),
        Some(Reason::REFUSED_STREAM)
    );
    assert!(apple.apns.delivered().is_empty());
    assert_eq!(send(&apple, &mut client).await.unwrap(), 200);
}

#[tokio::test]
async fn a_reset_stream_may_have_been_taken_in() {
    let apple = Apple::new().await;
    let mut client = connected(&apple).await;
    for (delivered, wanted) in [(false, 0), (true, 1)] {
        apple
            .apns
            .faults()
            .add(Fault::new(Effect::ResetStream { delivered }).times(1));
        assert_eq!(
            send(&apple, &mut client).await.unwrap_err().reason(),
            Some(Reason::INTERNAL_ERROR)
        );
        assert_eq!(apple.apns.delivered().len(), wanted);
    }
}

#[tokio::test]
async fn a_bad_request_is_told_so_whatever_the_faults() {
    let apple = Apple::new().await;
    apple
        .apns
        .faults()
        .add(Fault::answer(503, "ServiceUnavailable"));
    let request = with(apple.push(&device(1)), "apns-priority", Some("3"));
    let reply = apple
        .client()
        .await
        .send(request, alert("hello"))
        .await
        .unwrap();
    assert_eq!(reply.reason(), (400, "BadPriority".into()));
}

#[tokio::test]
async fn fcm_faults_are_in_googles_words() {
    let google = Google::new().await;
    let mut client = google.client().await;
    for (spec, status, canonical, code, kind) in [
        (
            "fcm:404,times=1",
            404,
            "NOT_FOUND",
            "UNREGISTERED",
            "FcmError",
        ),
        (
            "fcm:403,times=1",
            403,
            "PERMISSION_DENIED",
            "SENDER_ID_MISMATCH",
            "FcmError",
        ),
        (
            "fcm:429:2,times=1",
            429,
            "RESOURCE_EXHAUSTED",
            "QUOTA_EXCEEDED",
            "FcmError",
        ),
        (
            "fcm:503,times=1",
            503,
            "UNAVAILABLE",
            "UNAVAILABLE",
            "FcmError",
        ),
        ("fcm:500,times=1", 500, "INTERNAL", "INTERNAL", "FcmError"),
        (
            "fcm:400:BadRequest,times=1",
            400,
            "INVALID_ARGUMENT",
            "",
            "BadRequest",
        ),
        ("fcm:401,times=1", 401, "UNAUTHENTICATED", "", ""),
    ] {
        google
            .fcm
            .faults()
            .add_all(spec.parse::<FaultSpec>().unwrap().faults);
        let reply = client
            .send(google.push(), message(spec, "INBOX:1").to_string())
            .await
            .unwrap();
        assert_eq!(
            reply.status, 400,
            "`{spec}` is no token, and that comes before any fault"
        );
        let body = message("device-1", "INBOX:1").to_string();
        let reply = client.send(google.push(), body).await.unwrap();
        let error = &reply.json()["error"];
        assert_eq!(
            (reply.status.as_u16(), error["status"].as_str().unwrap()),
            (status, canonical),
            "{spec}"
        );
        let detail = &error["details"][0];
        assert_eq!(
            detail["errorCode"].as_str().unwrap_or_default(),
            code,
            "{spec}"
        );
        assert!(
            detail["@type"].as_str().unwrap_or_default().ends_with(kind),
            "{spec}"
        );
        assert_eq!(
            reply.headers.contains_key("retry-after"),
            spec.contains(":2"),
            "{spec}"
        );
    }
}

#[tokio::test]
async fn the_token_end_point_has_faults_of_its_own() {
    let google = Google::new().await;
    google.fcm.faults().add(
        Fault::answer(503, "internal_failure")
            .at(FaultTarget::TokenEndpoint)
            .times(1),
    );
    let body = message("device-1", "INBOX:1").to_string();
    assert_eq!(
        google
            .client()
            .await
            .send(google.push(), body)
            .await
            .unwrap()
            .status,
        200
    );
    let ask = || {
        Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(())
            .unwrap()
    };
    let assertion = google
        .account
        .assertion(google.fcm.token_uri(), SystemTime::now())
        .unwrap();
    let form = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
    );
    let mut client = google.client().await;
    assert_eq!(client.send(ask(), form.clone()).await.unwrap().status, 503);
    assert_eq!(client.send(ask(), form).await.unwrap().status, 200);
    assert_eq!(google.fcm.counts().token_requests, 2);
}

#[tokio::test]
async fn a_client_that_retries_gets_every_push_through_a_bad_day_and_a_device_sees_each_once() {
    let apple = Apple::new().await;
    apple.apns.faults().add_all(Fault::mix(42));
    let mut client = connected(&apple).await;
    for number in 0..300 {
        let request = || {
            with(
                apple.push(&device(1)),
                "apns-collapse-id",
                Some(&format!("mail-{number}")),
            )
        };
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries < 50, "push {number} gets through");
            match client.send(request(), alert(&number.to_string())).await {
                Ok(reply) if reply.status == 200 => break,
                Ok(_) => {}
                Err(_) => client = connected(&apple).await,
            }
        }
    }
    let delivered = apple.apns.delivered().len();
    assert!(
        delivered > 300,
        "some answers were lost, so some pushes came twice: {delivered}"
    );
    let seen = apple.apns.as_device_sees(&device(1));
    let subjects: Vec<u32> = seen
        .iter()
        .filter_map(|push| push.subject()?.parse().ok())
        .collect();
    assert_eq!(subjects, (0..300).collect::<Vec<u32>>());
    let counts = apple.apns.counts();
    assert!(
        counts.goaways > 0 && counts.refused > 0 && counts.dropped > 0,
        "{counts:?}"
    );
}
