use belfry_plugin_api::Error;

use super::world::{ANNA, BERTA, World, device, id, until};
use crate::push::{ListenerState, SubscribeError, Subscribed};

const SESSION_BOUND: &str = "com.openexchange.push.allowPermanentPush=false";
const MASTER: [&str; 3] = [
    "com.openexchange.mail.passwordSource=global",
    "com.openexchange.mail.masterPassword=secret",
    "belfry.imap.master-user=root",
];

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
async fn after_a_restart_a_listener_waits_for_the_password_and_the_user_stays_registered() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();
    let world = world.restart(&[]).await;
    assert_eq!(
        world.told().await,
        ["dovecot: begin 3@1 (anna, permanent) with nothing"]
    );
    until("the listener waits", || {
        let listeners = world.push.listeners();
        listeners
            .first()
            .is_some_and(|one| one.state == ListenerState::WaitingForLogin)
    })
    .await;
    assert!(world.is_registered(ANNA).await);
    assert_eq!(world.lines(), ["user=3, context=1, permanent=true"]);

    world.log_in("anna").await;
    assert_eq!(
        world.told().await,
        ["dovecot: begin 3@1 (anna, permanent) with pw"]
    );
    until("it runs", || {
        world.push.listeners()[0].state == ListenerState::Running
    })
    .await;
}

#[tokio::test]
async fn with_a_master_user_listeners_begin_with_the_host() {
    let world = World::new(&MASTER).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    assert_eq!(
        world.plugins.told(),
        ["dovecot: begin 3@1 (anna, permanent) with master root"]
    );
    let world = world.restart(&MASTER).await;
    assert_eq!(
        world.told().await,
        ["dovecot: begin 3@1 (anna, permanent) with master root"]
    );
    until("it is listed", || world.lines().len() == 1).await;
}

#[tokio::test]
async fn without_a_master_user_the_master_password_is_everybodys() {
    let world = World::new(&MASTER[..2]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    assert_eq!(
        world.plugins.told(),
        ["dovecot: begin 3@1 (anna, permanent) with secret"]
    );
}

#[tokio::test]
async fn a_plugin_with_a_way_of_its_own_needs_no_password() {
    let world = World::new(&[]).await;
    world
        .plugins
        .needs_no_credentials
        .lock()
        .unwrap()
        .insert(id("dovecot"));
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    let world = world.restart(&[]).await;
    until("it runs", || {
        let listeners = world.push.listeners();
        listeners
            .first()
            .is_some_and(|one| one.state == ListenerState::Running)
    })
    .await;
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
async fn a_new_generation_of_a_plugin_is_told_of_everybody() {
    let world = World::new(&[]).await;
    for login in ["anna", "berta"] {
        let session = world.log_in(login).await;
        world.subscribe(&session, login).await;
    }
    world.plugins.told();
    world.push.plugin_active(&id("dovecot"));
    until("both are told", || world.plugins.was_told() == 2).await;
    let mut told = world.plugins.told();
    told.sort();
    assert_eq!(
        told,
        [
            "dovecot: begin 3@1 (anna, permanent) with pw",
            "dovecot: begin 4@1 (berta, permanent) with pw",
        ]
    );
}

#[tokio::test]
async fn another_plugin_takes_over_when_the_one_that_listened_is_gone() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.add("idle", false, 0);
    world.plugins.told();

    world.plugins.remove("dovecot");
    world.push.plugin_gone(&id("dovecot"));
    assert_eq!(world.told().await, ["idle: begin 3@1 (anna) with pw"]);
    until("idle listens", || {
        world.lines() == ["user=3, context=1, permanent=false"]
    })
    .await;
    assert!(world.is_registered(ANNA).await);

    world.plugins.add("dovecot", true, 0);
    world.push.plugin_active(&id("dovecot"));
    until("both are told", || world.plugins.was_told() == 2).await;
    assert_eq!(
        world.plugins.told(),
        [
            "dovecot: begin 3@1 (anna, permanent) with pw",
            "idle: end 3@1 (anna) with pw",
        ]
    );
}

#[tokio::test]
async fn what_ended_while_no_plugin_was_there_is_told_to_the_next_one() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.plugins.told();
    world.plugins.remove("dovecot");
    world.push.plugin_gone(&id("dovecot"));
    world.unsubscribe(&session, "t1").await;
    assert_eq!(world.plugins.told(), Vec::<String>::new());

    world.plugins.add("dovecot", true, 0);
    world.push.plugin_active(&id("dovecot"));
    assert_eq!(
        world.told().await,
        ["dovecot: end 3@1 (anna, permanent) with pw"]
    );
}

#[tokio::test]
async fn what_could_not_end_without_a_password_ends_at_the_next_login_also_after_a_restart() {
    let world = World::new(&[]).await;
    let session = world.log_in("anna").await;
    world.subscribe(&session, "t1").await;
    world.push.log_out(&session).await;
    let subscription = world.push.subscriptions_of(ANNA).await.unwrap()[0].id;
    assert!(world.push.token_dead(subscription, None).await.unwrap());
    world.settle(ANNA).await;
    assert!(!world.is_registered(ANNA).await);
    assert!(world.push.registrations().await.unwrap()[0].ending);

    let world = world.restart(&[]).await;
    world.settle(ANNA).await;
    world.plugins.told();
    world.log_in("anna").await;
    assert_eq!(
        world.told().await,
        ["dovecot: end 3@1 (anna, permanent) with pw"]
    );
    world.settle(ANNA).await;
    assert!(world.push.registrations().await.unwrap().is_empty());
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
