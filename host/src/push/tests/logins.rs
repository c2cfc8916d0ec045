use belfry_plugin_api::user::User;

use super::world::{ADDRESS, ANNA, APP, World};
use crate::push::{LoginAttempt, LoginError};

#[tokio::test]
async fn the_first_login_makes_a_user_known_in_the_configured_context() {
    let world = World::new(&["belfry.user.context=7"]).await;
    let session = world.log_in("Anna@Example.com").await;
    assert_eq!(session.user, User { context: 7, id: 3 });
    let again = world.log_in("anna@example.com").await;
    assert_eq!(again.user, session.user);
    assert_ne!(again.id, session.id);
    assert_eq!(world.push.capabilities(session.user), ["mobile_mail_app"]);
}

#[tokio::test]
async fn without_auto_provisioning_only_known_users_get_in() {
    let world = World::new(&["belfry.user.auto-provision=false"]).await;
    assert_eq!(
        world.try_log_in("anna", "pw").await.unwrap_err(),
        LoginError::NotKnown
    );
    world
        .push
        .add_user(ANNA, &"anna".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(world.log_in("anna").await.user, ANNA);
}

#[tokio::test]
async fn without_the_capability_nobody_gets_in() {
    let world = World::new(&["com.openexchange.capability.mobile_mail_app=false"]).await;
    assert_eq!(
        world.try_log_in("anna", "pw").await.unwrap_err(),
        LoginError::NoCapability
    );
    assert_eq!(
        world.try_log_in("anna", "no").await.unwrap_err(),
        LoginError::Wrong
    );
    assert!(world.push.users().await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_guesses_a_password_has_to_wait_also_with_the_right_one() {
    let world = World::new(&[]).await;
    for _ in 0..10 {
        assert_eq!(
            world.try_log_in("anna", "no").await.unwrap_err(),
            LoginError::Wrong
        );
    }
    let asked = *world.mail_server.asked.lock().unwrap();
    for spelling in ["anna", "ANNA"] {
        let held_back = world.try_log_in(spelling, "pw").await.unwrap_err();
        assert!(
            matches!(held_back, LoginError::Throttled { .. }),
            "{held_back}"
        );
    }
    assert_eq!(*world.mail_server.asked.lock().unwrap(), asked);
    world.log_in("berta").await;
}

#[tokio::test]
async fn whoever_guesses_logins_has_to_wait_by_address() {
    let world = World::new(&[]).await;
    for number in 0..100 {
        let refused = world.try_log_in(&format!("user{number}"), "no").await;
        assert_eq!(refused.unwrap_err(), LoginError::Wrong);
    }
    let held_back = world.try_log_in("anna", "pw").await.unwrap_err();
    assert!(
        matches!(held_back, LoginError::Throttled { .. }),
        "{held_back}"
    );
    let elsewhere = LoginAttempt {
        login: "anna".into(),
        password: "pw".into(),
        client: APP.into(),
        address: "192.0.2.2".parse().unwrap(),
    };
    assert!(world.push.log_in(elsewhere).await.is_ok());
}

#[tokio::test]
async fn a_success_clears_the_failures_before_it() {
    let world = World::new(&[]).await;
    for _ in 0..3 {
        for _ in 0..9 {
            assert_eq!(
                world.try_log_in("anna", "no").await.unwrap_err(),
                LoginError::Wrong
            );
        }
        world.log_in("anna").await;
    }
}

#[tokio::test]
async fn nobody_is_blamed_for_a_mail_server_that_is_away() {
    let world = World::new(&[]).await;
    *world.mail_server.away.lock().unwrap() = true;
    for _ in 0..30 {
        let refused = world.try_log_in("anna", "pw").await.unwrap_err();
        assert!(
            matches!(refused, LoginError::Unavailable { .. }),
            "{refused}"
        );
    }
    *world.mail_server.away.lock().unwrap() = false;
    world.log_in("anna").await;
}

#[tokio::test]
async fn there_are_never_more_sessions_than_the_operator_allows() {
    let world = World::new(&["belfry.session.limit=2"]).await;
    world.log_in("anna").await;
    world.log_in("berta").await;
    let refused = world.try_log_in("carla", "pw").await.unwrap_err();
    assert!(
        matches!(refused, LoginError::Unavailable { .. }),
        "{refused}"
    );
    assert_eq!(world.push.session_count(), 2);
}

#[tokio::test]
async fn what_cannot_be_a_login_or_a_client_is_refused_before_the_mail_server_is_asked() {
    let world = World::new(&[]).await;
    let refused = world.try_log_in("3@1", "pw").await.unwrap_err();
    assert!(matches!(refused, LoginError::Login(_)), "{refused}");
    let nameless = LoginAttempt {
        login: "anna".into(),
        password: "pw".into(),
        client: String::new(),
        address: ADDRESS,
    };
    assert_eq!(
        world.push.log_in(nameless).await.unwrap_err(),
        LoginError::Client
    );
    assert_eq!(*world.mail_server.asked.lock().unwrap(), 0);
}

#[tokio::test]
async fn no_error_and_no_session_shows_a_password() {
    let world = World::new(&[]).await;
    let secret = "correct horse";
    let refused = world.try_log_in("anna", secret).await.unwrap_err();
    world
        .mail_server
        .passwords
        .lock()
        .unwrap()
        .insert("anna".into(), secret.into());
    let session = world.try_log_in("anna", secret).await.unwrap();
    let shown = format!("{refused} {refused:?} {session:?}");
    assert!(!shown.contains(secret), "{shown}");
}
