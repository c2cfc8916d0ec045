//! Answers that go on.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{PATIENCE, World, request};

/// The next line; none where the answer has ended.
async fn next(body: &mut Body) -> Option<Value> {
    let frame = tokio::time::timeout(PATIENCE, body.frame())
        .await
        .unwrap()?;
    Some(serde_json::from_slice(frame.unwrap().data_ref().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_as_they_pass_and_others_are_not() {
    let world = World::new(&[]).await;
    let mut told = world
        .send(request("GET", "/events?topics=com/example/*", None))
        .await
        .into_body();
    for topic in ["org/example/one", "com/example/two"] {
        let event = json!({"topic": topic, "user": "249@1", "properties": {"uid": 7}});
        let (status, answer) = world.ask("POST", "/events", Some(event)).await;
        assert_eq!((status, &answer["handlers"]), (StatusCode::OK, &json!([])));
    }
    let line = next(&mut told).await.unwrap();
    assert_eq!(line["topic"], "com/example/two");
    assert_eq!(line["user"], "249@1");
    assert_eq!(line["properties"], json!({"uid": 7}));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_too_slow_learns_how_much_was_missed() {
    let world = World::new(&[]).await;
    let mut told = world
        .send(request("GET", "/events", None))
        .await
        .into_body();
    let event = belfry_plugin_api::event::Event::new("com/example".parse().unwrap());
    let all = vec![event; 1_500];
    world.node().delivery().publish(all).await.unwrap();
    let missed = next(&mut told).await.unwrap()["missed"].as_u64().unwrap();
    let mut count = missed;
    while count < 1_500 {
        assert_eq!(next(&mut told).await.unwrap()["topic"], "com/example");
        count += 1;
    }
    assert!(missed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_host_ends_them() {
    let world = World::new(&[]).await;
    let mut told = world
        .send(request("GET", "/events", None))
        .await
        .into_body();
    world.ending.end(Duration::ZERO).await;
    assert_eq!(next(&mut told).await, None);
}
