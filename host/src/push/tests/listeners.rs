use belfry_plugin_api::Error;

use super::world::{ANNA, BERTA, MASTER, World, device, until};
use crate::push::{ListenerState, SubscribeError, Subscribed};

const SESSION_BOUND: &str = "com.openexchange.push.allowPermanentPush=false";

#[tokio::test]
async fn a_permanent_listener_begins_with_a_subscription_and_outlives_the_session() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    assert!(!world.is_registered(ANNA).await);
    assert_eq!(world.subscribe(&session, "t1").await, Subscribed::New);
    assert_eq!(
        world.plugins.told(),
        ["dovecot: begin 3@1 (anna, permanent) with pw"]
    );
    assert_eq!(world.lines(), ["user=3, context=1, permanent=true"]);
    assert!(world.is_registered(ANNA).await);

    assert_eq!(world.subscribe(&session, "t1").await, Subscribed::Known);
    world.push.log_out(&session).await;
    assert_eq!(world.lines(), ["user=3, context=1, permanent=true"]);
    assert!(world.is_registered(ANNA).await);
    assert_eq!(world.plugins.told(), Vec::<String>::new());
}

#[tokio::test]
async fn a_permanent_listener_ends_with_the_last_device() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.subscribe(&session, "t2").await;
    world.plugins.told();
    assert!(world.unsubscribe(&session, "t1").await);
    assert_eq!(world.plugins.told(), Vec::<String>::new());
    assert!(world.unsubscribe(&session, "t2").await);
    assert_eq!(
        world.plugins.told(),
        ["dovecot: end 3@1 (anna, permanent) with pw"]
    );
    assert!(world.lines().is_empty());
    assert!(!world.is_registered(ANNA).await);
    assert!(world.push.registrations().await.unwrap().is_empty());
    assert!(!world.unsubscribe(&session, "t2").await);
}

#[tokio::test]
async fn a_client_that_is_not_allowed_subscribes_nothing() {
    let world = World::new(&["com.openexchange.push.allowedClient=other*"]).await;
    let session = world.log_in("anna").await;
    let refused = world
        .push
        .subscribe(&session, device("t1"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, SubscribeError::ClientNotAllowed(_)),
        "{refused}"
    );
    assert!(world.push.subscriptions().await.unwrap().is_empty());
    assert_eq!(world.plugins.told(), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_bound_listener_ends_with_the_users_last_session() {
    let world = World::new(&[SESSION_BOUND]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    assert_eq!(world.plugins.told(), ["dovecot: begin 3@1 (anna) with pw"]);
    assert_eq!(world.lines(), ["user=3, context=1, permanent=false"]);
    assert!(world.is_registered(ANNA).await);

    let other = world.log_in("anna").await;
    world.push.log_out(&session).await;
    world.settle(ANNA).await;
    assert_eq!(world.plugins.told(), Vec::<String>::new());
    assert!(world.is_registered(ANNA).await);

    world.push.log_out(&other).await;
    assert_eq!(world.plugins.told(), ["dovecot: end 3@1 (anna) with pw"]);
    assert!(world.lines().is_empty());
    assert!(!world.is_registered(ANNA).await);

    world.log_in("anna").await;
    assert_eq!(world.told().await, ["dovecot: begin 3@1 (anna) with pw"]);
}

#[tokio::test]
async fn a_session_bound_listener_ends_when_its_session_was_idle_for_too_long() {
    let world = World::new(&[SESSION_BOUND]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();
    world.configure(&[SESSION_BOUND, "belfry.session.idle-timeout=1"]);
    until("the session is idle for too long", || {
        world.push.end_idle_sessions();
        world.push.session_count() == 0
    })
    .await;
    assert_eq!(world.told().await, ["dovecot: end 3@1 (anna) with pw"]);
}

#[tokio::test]
async fn a_listener_that_could_not_begin_is_tried_again_by_itself() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    *world.plugins.failing.lock().unwrap() = Some(Error::temporary("the mail server is away"));
    world.subscribe(&session, "t1").await;
    let state = world.push.listeners().remove(0).state;
    assert!(matches!(state, ListenerState::Retrying { .. }), "{state}");
    assert!(world.lines().is_empty());
    assert!(world.is_registered(ANNA).await);
    *world.plugins.failing.lock().unwrap() = None;
    until("it runs", || !world.lines().is_empty()).await;
}

#[tokio::test]
async fn a_listener_that_could_not_end_is_tried_again_with_the_password_of_the_ended_session() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();
    *world.plugins.failing.lock().unwrap() = Some(Error::temporary("the mail server is away"));
    world.unsubscribe(&session, "t1").await;
    world.push.log_out(&session).await;
    assert!(!world.is_registered(ANNA).await);
    world.plugins.told();
    *world.plugins.failing.lock().unwrap() = None;
    assert_eq!(
        world.told().await,
        ["dovecot: end 3@1 (anna, permanent) with pw"]
    );
    until("it is gone", || world.push.listeners().is_empty()).await;
}

#[tokio::test]
async fn a_refusal_is_shown_and_tried_again_at_the_next_login() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    *world.plugins.failing.lock().unwrap() = Some(Error::permanent("no METADATA there"));
    world.subscribe(&session, "t1").await;
    let state = world.push.listeners().remove(0).state;
    assert_eq!(state.to_string(), "refused: no METADATA there");
    *world.plugins.failing.lock().unwrap() = None;
    world.log_in("anna").await;
    until("it runs", || !world.lines().is_empty()).await;
}

#[tokio::test]
async fn a_new_password_reaches_the_listener() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();
    world
        .mail_server
        .passwords
        .lock()
        .unwrap()
        .insert("anna".into(), "new".into());
    world.try_log_in("anna", "new").await.unwrap();
    assert_eq!(
        world.told().await,
        ["dovecot: begin 3@1 (anna, permanent) with new"]
    );
}

#[tokio::test]
async fn a_device_that_changes_hands_takes_its_listener_along() {
    let world = World::new(&MASTER).await;
    let anna = world.log_in("anna").await;
    let berta = world.log_in("berta").await;
    world.subscribe(&anna, "t1").await;
    assert_eq!(world.subscribe(&berta, "t1").await, Subscribed::New);
    until("only berta's listener runs", || {
        world.lines() == ["user=4, context=1, permanent=true"]
    })
    .await;
    assert!(!world.is_registered(ANNA).await);
    assert!(world.is_registered(BERTA).await);
    assert!(world.push.subscriptions_of(ANNA).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_the_operator_allows_takes_effect_at_once() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();

    world.configure(&[SESSION_BOUND]);
    assert_eq!(world.told().await, ["dovecot: begin 3@1 (anna) with pw"]);
    world.configure(&["com.openexchange.push.allowedClient=other"]);
    assert_eq!(world.told().await, ["dovecot: end 3@1 (anna) with pw"]);
    assert!(!world.is_registered(ANNA).await);
    assert!(world.push.subscriptions_of(ANNA).await.unwrap().is_empty());
    world.configure(&[]);
    assert_eq!(
        world.told().await,
        ["dovecot: begin 3@1 (anna, permanent) with pw"]
    );
}

#[tokio::test]
async fn an_operator_ends_a_registration_and_the_app_begins_it_again() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();
    assert_eq!(
        world.push.remove_registration(ANNA, Some("other")).await,
        Ok(0)
    );
    assert_eq!(world.push.remove_registration(ANNA, None).await, Ok(1));
    assert_eq!(
        world.plugins.told(),
        ["dovecot: end 3@1 (anna, permanent) with pw"]
    );
    assert!(!world.is_registered(ANNA).await);
    assert_eq!(world.subscribe(&session, "t1").await, Subscribed::Known);
    assert!(world.is_registered(ANNA).await);
}

#[tokio::test]
async fn nothing_of_a_removed_user_is_left() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();
    assert_eq!(world.push.remove_user(ANNA).await, Ok(true));
    assert_eq!(
        world.plugins.told(),
        ["dovecot: end 3@1 (anna, permanent) with pw"]
    );
    assert_eq!(world.push.session_count(), 0);
    assert_eq!(world.push.resolve("anna").await, Ok(None));
    assert_eq!(world.push.resolve("3@1").await, Ok(None));
    assert_eq!(world.push.remove_user(ANNA).await, Ok(false));
    let again = world.log_in("anna").await;
    assert_eq!(
        again.user, BERTA,
        "the number of a removed user was given again"
    );
}

#[tokio::test]
async fn slots_of_users_without_a_listener_are_not_kept() {
    let world = World::new(&[]).await;
    for number in 0..20 {
        world.log_in(&format!("user{number}")).await;
    }
    until("no slot is left", || world.push.listeners.slot_count() == 0).await;
}
