use belfry_plugin_api::user::User;

use super::{NewSubscription, database};
use crate::storage::StorageError;

#[tokio::test]
async fn a_device_that_subscribes_again_is_known_and_keeps_its_id() {
    let database = database().await;
    let anna = database.user("anna").await;
    let first = database.put(anna, "app", "t1", 1).await;
    let second = database.put(anna, "other app", "t1", 2).await;
    assert!(!first.known && second.known);
    assert_eq!(first.id, second.id);
    let stored = database
        .storage
        .subscriptions()
        .of(anna)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (stored.client.as_str(), stored.subscribed_ms),
        ("other app", 2)
    );
    assert_eq!(database.registrations_of(anna).await, ["-app", "other app"]);
}

#[tokio::test]
async fn a_token_that_changes_hands_gets_an_id_of_its_own() {
    let database = database().await;
    let (anna, berta) = (database.user("anna").await, database.user("berta").await);
    let before = database.put(anna, "app", "t1", 1).await;
    let after = database.put(berta, "app", "t1", 2).await;
    assert_eq!(after.moved_from, Some(anna));
    assert!(!after.known);
    assert_ne!(before.id, after.id);
    assert!(database.tokens_of(anna).await.is_empty());
    assert_eq!(database.registrations_of(anna).await, ["-app"]);
    assert_eq!(database.registrations_of(berta).await, ["app"]);
}

#[tokio::test]
async fn a_clients_registration_ends_with_its_last_subscription() {
    let database = database().await;
    let anna = database.user("anna").await;
    for (client, token) in [("app", "t1"), ("app", "t2"), ("tablet", "t3")] {
        database.put(anna, client, token, 1).await;
    }
    let subscriptions = database.storage.subscriptions();
    assert!(
        subscriptions
            .remove(anna, "apns", &"t1".into())
            .await
            .unwrap()
    );
    assert_eq!(database.registrations_of(anna).await, ["app", "tablet"]);
    assert!(
        subscriptions
            .remove(anna, "apns", &"t2".into())
            .await
            .unwrap()
    );
    assert_eq!(database.registrations_of(anna).await, ["-app", "tablet"]);
    assert!(
        !subscriptions
            .remove(anna, "apns", &"t2".into())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn nobody_removes_anothers_device() {
    let database = database().await;
    let (anna, berta) = (database.user("anna").await, database.user("berta").await);
    database.put(anna, "app", "t1", 1).await;
    let subscriptions = database.storage.subscriptions();
    assert!(
        !subscriptions
            .remove(berta, "apns", &"t1".into())
            .await
            .unwrap()
    );
    assert!(
        !subscriptions
            .remove(anna, "fcm", &"t1".into())
            .await
            .unwrap()
    );
    assert_eq!(database.tokens_of(anna).await, ["t1"]);
}

#[tokio::test]
async fn a_device_that_subscribed_after_the_provider_saw_it_dead_is_kept() {
    let database = database().await;
    let anna = database.user("anna").await;
    let id = database.put(anna, "app", "t1", 1_000).await.id;
    let subscriptions = database.storage.subscriptions();
    assert_eq!(
        subscriptions.remove_by_id(id, Some(1_000)).await.unwrap(),
        None
    );
    assert_eq!(
        subscriptions.remove_by_id(id, Some(1_001)).await.unwrap(),
        Some(anna)
    );
    assert_eq!(subscriptions.remove_by_id(id, None).await.unwrap(), None);
    assert_eq!(database.registrations_of(anna).await, ["-app"]);
}

#[tokio::test]
async fn the_device_confirmed_longest_ago_makes_room() {
    let database = database().await;
    let anna = database.user("anna").await;
    for (client, token, now_ms) in [("old", "t1", 1), ("app", "t2", 2), ("app", "t3", 3)] {
        database.put(anna, client, token, now_ms).await;
    }
    database.put(anna, "app", "t2", 4).await;
    database.put(anna, "app", "t4", 5).await;
    assert_eq!(database.tokens_of(anna).await, ["t2", "t3", "t4"]);
    assert_eq!(database.registrations_of(anna).await, ["app", "-old"]);
}

#[tokio::test]
async fn an_ending_registration_is_kept_until_it_is_forgotten_or_wanted_again() {
    let database = database().await;
    let anna = database.user("anna").await;
    database.put(anna, "app", "t1", 1).await;
    database.put(anna, "tablet", "t2", 1).await;
    let registrations = database.storage.registrations();
    assert_eq!(registrations.end(anna, Some("app")).await.unwrap(), 1);
    assert_eq!(registrations.end(anna, Some("app")).await.unwrap(), 0);
    assert_eq!(database.registrations_of(anna).await, ["-app", "tablet"]);
    database.put(anna, "app", "t1", 2).await;
    assert_eq!(database.registrations_of(anna).await, ["app", "tablet"]);
    assert_eq!(registrations.end(anna, None).await.unwrap(), 2);
    assert_eq!(registrations.users().await.unwrap(), [anna]);
    registrations.forget_ended(anna).await.unwrap();
    assert!(registrations.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_user_who_is_not_there_cannot_subscribe() {
    let database = database().await;
    let new = NewSubscription {
        user: User { context: 1, id: 99 },
        client: "app".into(),
        transport: "fcm".into(),
        token: "t1".into(),
        app: Some("com.example".into()),
        subscribed_ms: 0,
    };
    let refused = database
        .storage
        .subscriptions()
        .put(&new, 10)
        .await
        .unwrap_err();
    assert!(matches!(refused, StorageError::Refused(_)), "{refused:?}");
    assert!(
        database
            .storage
            .subscriptions()
            .list()
            .await
            .unwrap()
            .is_empty()
    );
}
