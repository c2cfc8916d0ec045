use belfry_plugin_api::user::User;
use futures_util::FutureExt;

use super::world::{ANNA, World, device, until};

#[tokio::test]
async fn a_user_is_found_by_numbers_and_by_any_spelling_of_the_login() {
    let world = World::new(&[]).await;
    let nobody = [
        world.push.resolve("anna@example.com").await,
        world.push.resolve("3@1").await,
    ];
    assert_eq!(nobody, [Ok(None), Ok(None)]);
    world.log_in("Anna@Example.com").await;
    for text in ["3@1", "anna@example.com", "ANNA@EXAMPLE.COM"] {
        assert_eq!(world.push.resolve(text).await, Ok(Some(ANNA)), "{text}");
    }
    let long = "x".repeat(10_000);
    for text in ["", "4@1", "3@2", "anna", &long] {
        assert_eq!(world.push.resolve(text).await, Ok(None), "{text}");
    }
}

#[tokio::test]
async fn what_was_asked_before_is_answered_while_the_database_is_away() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    let ask = async || {
        let push = &world.push;
        (
            push.resolve("anna").await,
            push.resolve("3@1").await,
            push.resolve("nobody").await,
            push.is_registered(ANNA).await,
            push.subscriptions_of(ANNA).await,
        )
    };
    let before = ask().await;
    assert_eq!(before.4.as_ref().unwrap().len(), 1);
    world.storage.close().await;
    assert_eq!(ask().await, before);

    let stranger = User { context: 9, id: 9 };
    assert_eq!(world.push.resolve("9@9").await, Ok(Some(stranger)));
    assert!(
        world
            .push
            .resolve("stranger")
            .await
            .unwrap_err()
            .is_temporary()
    );
    assert!(
        world
            .push
            .is_registered(stranger)
            .await
            .unwrap_err()
            .is_temporary()
    );
    assert!(
        world
            .push
            .subscriptions_of(stranger)
            .await
            .unwrap_err()
            .is_temporary()
    );
}

#[tokio::test]
async fn devices_are_those_that_are_subscribed_now() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    let count = async || world.push.subscriptions_of(ANNA).await.unwrap().len();
    assert_eq!(count().await, 0);
    world.subscribe(&session, "t1").await;
    world.subscribe(&session, "t2").await;
    assert_eq!(count().await, 2);
    world.unsubscribe(&session, "t1").await;
    assert_eq!(count().await, 1);
    let subscription = world.push.subscriptions_of(ANNA).await.unwrap()[0].clone();
    let since = subscription.subscribed_ms;
    assert!(
        !world
            .push
            .token_dead(subscription.id, Some(since))
            .await
            .unwrap()
    );
    assert_eq!(count().await, 1);
    assert!(
        world
            .push
            .token_dead(subscription.id, Some(since + 1))
            .await
            .unwrap()
    );
    assert_eq!(count().await, 0);
    assert!(!world.push.token_dead(subscription.id, None).await.unwrap());
}

#[tokio::test]
async fn operators_see_no_token_whole() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "0123456789abcdef").await;
    let listed = world.push.subscriptions().await.unwrap().remove(0);
    assert_eq!(listed.token, "012345…");
    assert_eq!(listed.user, ANNA);
    let stored = world.push.subscriptions_of(ANNA).await.unwrap();
    assert!(!format!("{stored:?} {listed:?}").contains("0123456"));
    assert!(world.push.remove_subscription(listed.id).await.unwrap());
    assert!(!world.push.remove_subscription(listed.id).await.unwrap());
    assert!(!world.is_registered(ANNA).await);
}

#[tokio::test]
async fn a_subscription_reaches_the_notifications_also_where_the_app_hangs_up() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    assert!(!world.is_registered(ANNA).await);
    let answer = world.push.subscribe(&session, device("t1")).now_or_never();
    assert!(answer.is_none(), "there was nothing left to hang up on");
    until("the listener runs", || world.lines().len() == 1).await;
    assert!(world.is_registered(ANNA).await);
    assert_eq!(world.push.subscriptions_of(ANNA).await.unwrap().len(), 1);
}
