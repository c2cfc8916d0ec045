//! What waits and what was given up on.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::World;
use crate::delivery::queue::{EntryKind, InboxFailure};

/// Keeps reports for plugins that are not installed, and gives some up. Returns their ids.
async fn keep(world: &World, target: &str, dead: bool) -> i64 {
    let queue = world.node().delivery().queue();
    let accepted = queue
        .accept(target, EntryKind::Report, vec![1_u8, 2, 3])
        .await
        .unwrap();
    if dead {
        let reason = "it has no user";
        assert!(
            queue
                .fail_inbox(accepted.id, reason, InboxFailure::Dead)
                .await
                .unwrap()
        );
    }
    accepted.id
}

fn references(list: &Value) -> Vec<&str> {
    let rows = list["deliveries"].as_array().unwrap();
    rows.iter()
        .map(|row| row["reference"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_on_is_listed_with_its_reason_retried_and_purged() {
    let world = World::new(&[]).await;
    let dead = format!("inbox:{}", keep(&world, "push-one", true).await);
    let waiting = format!("inbox:{}", keep(&world, "push-two", false).await);

    let list = world.get("/deliveries").await;
    assert_eq!(references(&list), [&dead, &waiting]);
    let list = world.get("/deliveries?state=dead").await;
    assert_eq!(references(&list), [&dead]);
    assert_eq!(list["deliveries"][0]["reason"], "it has no user");
    assert_eq!(list["deliveries"][0]["bytes"], 3);
    let list = world
        .get("/deliveries?side=inbox&destination=push-two")
        .await;
    assert_eq!(references(&list), [&waiting]);

    let retry = json!({"references": [dead, waiting]});
    let (status, answer) = world.ask("POST", "/deliveries/retry", Some(retry)).await;
    assert_eq!(
        (status, &answer["count"]),
        (StatusCode::OK, &json!(1)),
        "what waits is not retried"
    );
    assert_eq!(
        references(&world.get("/deliveries?state=dead").await),
        Vec::<&str>::new()
    );

    let purge = json!({"destination": "push-one"});
    let (_, answer) = world.ask("POST", "/deliveries/purge", Some(purge)).await;
    assert_eq!(answer["count"], 1);
    assert_eq!(references(&world.get("/deliveries").await), [&waiting]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_to_the_end() {
    let world = World::new(&[]).await;
    for _ in 0..5 {
        keep(&world, "push-one", false).await;
    }
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = world
            .get(&format!("/deliveries?side=inbox&limit=2&after={after}"))
            .await;
        seen.extend(references(&page).into_iter().map(str::to_owned));
        match page["next"]["inbox"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    seen.dedup();
    assert_eq!(seen.len(), 5);
}
