use belfry_plugin_api::mail::NewMail;
use belfry_plugin_api::testkit::TestHost;
use belfry_plugin_api::user::User;

use super::Hello;

const USER: User = User { context: 1, id: 7 };

#[tokio::test]
async fn a_reported_mail_becomes_an_event() {
    let mut host = TestHost::start::<Hello>(&[]).await.unwrap();
    let body = r#"{"user":"7@1","validity":1,"uid":2,"from":"Alice","about":"Lunch"}"#;
    let events = host.report("mail", Some(USER), body).await.unwrap();
    let (user, mail) = NewMail::from_event(&events[0]).unwrap();
    assert_eq!(user, USER);
    assert_eq!(mail.uid, 2);
    assert_eq!(mail.subject.as_deref(), Some("Lunch"));
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_of_another_form_is_refused_for_good() {
    let mut host = TestHost::start::<Hello>(&[]).await.unwrap();
    let error = host.report("mail", Some(USER), "{}").await.unwrap_err();
    assert!(error.is_permanent(), "{error}");
    assert!(error.to_string().contains("validity"), "{error}");
    host.stop().await.unwrap();
}
