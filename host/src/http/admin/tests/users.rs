//! Users, and what is theirs.

use axum::http::StatusCode;
use belfry_plugin_api::user::User;
use serde_json::json;

use super::World;
use crate::delivery::queue::{CompleteInbox, Fanout, Filter, NewDelivery, Side};
use crate::http::admin::now_ms;
use crate::storage::{NewSubscription, Storage};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Subscribes a device as an app does, past the password check.
async fn subscribe(world: &World, user: User) -> i64 {
    let state = world.folder.path().join("state");
    let storage = Storage::open("sqlite:belfry.db", &state).await.unwrap();
    let new = NewSubscription {
        user,
        client: "open-xchange-mailapp".to_owned(),
        transport: "apns".to_owned(),
        token: TOKEN.into(),
        app: None,
        subscribed_ms: now_ms(),
    };
    let put = storage.subscriptions().put(&new, 10).await.unwrap();
    storage.close().await;
    put.id
}

/// Puts a message for a device into the outbox.
async fn deliver(world: &World, user: User, subscription: i64) {
    let delivery = NewDelivery {
        transport: "apns".into(),
        subscription,
        user_context: user.context.into(),
        user_id: user.id.into(),
        payload: vec![0_u8].into(),
        expires_at: now_ms() + 60_000,
    };
    let what = CompleteInbox {
        messages: vec![Fanout {
            key: [1; 16],
            at: now_ms(),
            deliveries: vec![delivery],
        }],
        ..CompleteInbox::default()
    };
    world
        .node()
        .delivery()
        .queue()
        .complete(what)
        .await
        .unwrap();
}

async fn outbox(world: &World) -> usize {
    let queue = world.node().delivery().queue();
    queue
        .list(Filter::all(Side::Outbox), 0, 10)
        .await
        .unwrap()
        .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_added_once_and_removed() {
    let world = World::new(&[]).await;
    let anna = json!({"user": 249, "context": 1, "login": "Anna@Example.com"});
    let (status, answer) = world.ask("POST", "/users", Some(anna.clone())).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let (status, answer) = world.ask("POST", "/users", Some(anna)).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::CONFLICT, &json!("refused"))
    );
    let users = world.get("/users").await;
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
    assert_eq!(users["users"][0]["login"], "Anna@example.com");
    let (status, _) = world.ask("DELETE", "/users/1/249", None).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = world.ask("DELETE", "/users/1/249", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_listed_without_its_token_and_goes_with_what_waits_for_it() {
    let world = World::new(&[]).await;
    let user: User = "249@1".parse().unwrap();
    let anna = json!({"user": 249, "context": 1, "login": "anna@example.com"});
    world.ask("POST", "/users", Some(anna)).await;
    let id = subscribe(&world, user).await;
    deliver(&world, user, id).await;

    let list = world.get("/subscriptions").await;
    assert!(!list.to_string().contains(TOKEN), "{list}");
    assert_eq!(list["subscriptions"][0]["token"], "012345…");
    let registrations = world.get("/registrations").await;
    assert_eq!(
        registrations["registrations"][0]["client"],
        "open-xchange-mailapp"
    );

    let (status, _) = world
        .ask("DELETE", &format!("/subscriptions/{id}"), None)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        world.get("/subscriptions").await["subscriptions"],
        json!([])
    );
    assert_eq!(outbox(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_ends_by_client_and_the_device_stays() {
    let world = World::new(&[]).await;
    let user: User = "249@1".parse().unwrap();
    let anna = json!({"user": 249, "context": 1, "login": "anna@example.com"});
    world.ask("POST", "/users", Some(anna)).await;
    subscribe(&world, user).await;
    let (status, answer) = world
        .ask("DELETE", "/registrations/1/249?client=other", None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        answer["detail"].as_str().unwrap().contains("other"),
        "{answer}"
    );
    let (status, answer) = world
        .ask(
            "DELETE",
            "/registrations/1/249?client=open-xchange-mailapp",
            None,
        )
        .await;
    assert_eq!((status, &answer["removed"]), (StatusCode::OK, &json!(1)));
    assert_eq!(
        world.get("/subscriptions").await["subscriptions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_goes_with_devices_and_what_waits_for_them() {
    let world = World::new(&[]).await;
    let user: User = "249@1".parse().unwrap();
    let anna = json!({"user": 249, "context": 1, "login": "anna@example.com"});
    world.ask("POST", "/users", Some(anna)).await;
    let id = subscribe(&world, user).await;
    deliver(&world, user, id).await;
    let (status, _) = world.ask("DELETE", "/users/1/249", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        world.get("/subscriptions").await["subscriptions"],
        json!([])
    );
    assert_eq!(outbox(&world).await, 0);
}
