//! Restarts of the host and of plugins.

use super::world::{ANNA, MASTER, World, id, until};
use crate::push::ListenerState;

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
