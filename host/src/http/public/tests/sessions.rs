use serde_json::json;

use super::{Api, credentials};

#[tokio::test]
async fn a_session_begins_with_the_right_password_and_ends_when_the_app_says_so() {
    let api = Api::new(&[]).await;
    let login = credentials("Anna@example.com", "pw");
    let begun = api.call("POST", "/sessions", None, Some(login)).await;
    assert_eq!(begun.status, 201);
    assert_eq!(begun.header("cache-control"), "no-store");
    let session = begun.body["session"].as_str().unwrap();
    assert_eq!(session.len(), 43);
    assert_eq!(
        begun.body,
        json!({
            "session": session,
            "user": 3,
            "context": 1,
            "capabilities": ["mobile_mail_app"],
        })
    );
    let capabilities = api.call("GET", "/capabilities", Some(session), None).await;
    assert_eq!(capabilities.body, json!(["mobile_mail_app"]));

    let other = api.log_in_as("anna@example.com").await;
    let ended = api
        .call("DELETE", "/sessions/current", Some(session), None)
        .await;
    assert_eq!(ended.status, 204);
    let ended = api
        .call("DELETE", "/sessions/current", Some(session), None)
        .await;
    assert_eq!(ended.error(), (401, "no_session"));
    let capabilities = api.call("GET", "/capabilities", Some(&other), None).await;
    assert_eq!(capabilities.status, 200);
}

#[tokio::test]
async fn whoever_does_not_get_in_is_told_why() {
    let api = Api::new(&["belfry.user.auto-provision=false"]).await;
    let answer = async |login, password| {
        api.call(
            "POST",
            "/sessions",
            None,
            Some(credentials(login, password)),
        )
        .await
    };
    assert_eq!(
        answer("anna", "no").await.error(),
        (401, "wrong_credentials")
    );
    assert_eq!(answer("anna", "pw").await.error(), (403, "not_known"));
    assert_eq!(answer("", "pw").await.error(), (400, "malformed"));
    assert_eq!(answer("3@1", "pw").await.error(), (400, "malformed"));

    *api.world.mail_server.away.lock().unwrap() = true;
    let away = answer("anna", "pw").await;
    assert_eq!(away.error(), (503, "unavailable"));
    assert_eq!(away.header("retry-after"), "30");
    *api.world.mail_server.away.lock().unwrap() = false;

    for _ in 0..20 {
        answer("berta", "no").await;
    }
    let held_back = answer("berta", "pw").await;
    assert_eq!(held_back.error(), (429, "too_many_tries"));
    let seconds: u64 = held_back.header("retry-after").parse().unwrap();
    assert!((1..=300).contains(&seconds), "{seconds}");

    api.world
        .configure(&["com.openexchange.capability.mobile_mail_app=false"]);
    assert_eq!(answer("anna", "pw").await.error(), (403, "no_capability"));
}

#[tokio::test]
async fn a_client_without_a_usable_name_is_refused() {
    let api = Api::new(&[]).await;
    let login = json!({"login": "anna", "password": "pw", "client": "a\nb"});
    let refused = api.call("POST", "/sessions", None, Some(login)).await;
    assert_eq!(refused.error(), (400, "malformed"));
    assert!(refused.detail().contains("client"), "{refused:?}");
}

#[tokio::test]
async fn a_session_that_was_not_used_for_long_is_gone() {
    let api = Api::new(&["belfry.session.idle-timeout=1"]).await;
    let session = api.log_in_as("anna").await;
    crate::push::tests::world::until("the session is idle for too long", || {
        api.world.push.end_idle_sessions();
        api.world.push.session_count() == 0
    })
    .await;
    let gone = api.call("GET", "/capabilities", Some(&session), None).await;
    assert_eq!(gone.error(), (401, "no_session"));
}
