//! The main job: a new mail in a real Dovecot reaches the phone.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use belfry_tests::app::{App, apns_token, fcm_token};
use belfry_tests::dovecot::Dovecot;
use belfry_tests::host::Host;
use belfry_tests::lmtp;
use belfry_tests::providers::{ApnsBy, Providers};
use belfry_tests::wait::PATIENCE;
use reqwest::StatusCode;

const USER: &str = "user1@example.com";
const PASSWORD: &str = "mail-Secret-3";

async fn mail_arrives(dovecot: &Dovecot, from: &str, subject: &str) {
    let message = lmtp::mail(from, subject, "Hello body");
    let replies = lmtp::deliver(
        dovecot.lmtp_address(),
        "alice@example.org",
        &[USER],
        &message,
    )
    .await
    .unwrap();
    assert!(replies.iter().all(lmtp::Reply::is_success), "{replies:?}");
}

async fn world(isolation: &str, by: ApnsBy) -> (Providers, Host, Dovecot) {
    let providers = Providers::start().await;
    let builder = Host::builder().plugin("push-dovecot");
    let host = providers
        .of(builder, by)
        .set("belfry.plugin.push-dovecot.isolation", isolation)
        .set("belfry.plugin.mobile-push.isolation", isolation)
        .start()
        .await;
    let dovecot = Dovecot::builder()
        .users([(USER, PASSWORD)])
        .driver_url(&host.notify_url())
        .user_from_metadata(true)
        .start()
        .await
        .unwrap();
    host.set("belfry.imap.url", &dovecot.imap_url());
    (providers, host, dovecot)
}

async fn a_mail_reaches_both_phones(isolation: &str, by: ApnsBy) {
    let (providers, mut host, dovecot) = world(isolation, by).await;
    let app = belfry_tests::wait::until("the mail server's address to be in force", async || {
        let response =
            belfry_tests::app::try_log_in(&host, USER, PASSWORD, belfry_tests::app::CLIENT).await;
        (response.status() == StatusCode::CREATED).then_some(())
    });
    app.await;
    let app = App::log_in(&host, USER, PASSWORD).await;
    assert_eq!(
        app.subscribe("apns", &apns_token(1)).await,
        StatusCode::CREATED
    );
    assert_eq!(app.subscribe("apns", &apns_token(1)).await, StatusCode::OK);
    assert_eq!(
        app.subscribe("fcm", &fcm_token(1)).await,
        StatusCode::CREATED
    );
    host.listens_for(&app.user()).await;

    mail_arrives(&dovecot, "Alice <alice@example.org>", "Hello").await;
    providers
        .apns
        .wait_for_delivered(1, PATIENCE)
        .await
        .unwrap();
    providers.fcm.wait_for_delivered(1, PATIENCE).await.unwrap();
    let iphone = providers.apns.as_device_sees(&apns_token(1));
    let android = providers.fcm.as_device_sees(&fcm_token(1));
    for push in iphone.iter().chain(&android) {
        assert_eq!(push.sender(), Some("Alice"));
        assert_eq!(push.subject(), Some("Hello"));
        assert_eq!(push.unread(), Some(1));
        assert_eq!(push.cid(), Some("default0/INBOX:1"));
    }
    assert_eq!((iphone.len(), android.len()), (1, 1));

    assert_eq!(
        app.unsubscribe("apns", &apns_token(1)).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        app.unsubscribe("fcm", &fcm_token(1)).await,
        StatusCode::NO_CONTENT
    );
    host.listens_no_longer().await;
    assert_eq!(entry_of(&dovecot).await, None);
    mail_arrives(&dovecot, "Alice <alice@example.org>", "Unheard").await;
    // What the mail server would have sent, it has sent before it answered the delivery.
    assert!(host.end().await);
    assert_eq!(
        providers.apns.pushes().len() + providers.fcm.pushes().len(),
        2
    );
    providers.assert_no_violations();
    dovecot.assert_no_errors();
}

/// What the mail server keeps about the user.
async fn entry_of(dovecot: &Dovecot) -> Option<String> {
    let endpoint = belfry_imap::ImapEndpoint::parse(&dovecot.imap_url(), None).unwrap();
    let login = belfry_imap::Login::user(USER, PASSWORD);
    let mut session = endpoint.login(&login).await.unwrap();
    let entry = session
        .get_server_metadata("/private/vendor/vendor.dovecot/http-notify")
        .await
        .unwrap();
    session.logout().await;
    entry
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_mail_reaches_both_phones_with_plugins_in_processes_of_their_own() {
    a_mail_reaches_both_phones("process", ApnsBy::Certificate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_mail_reaches_both_phones_with_plugins_in_the_hosts_process() {
    a_mail_reaches_both_phones("host", ApnsBy::Key).await;
}
