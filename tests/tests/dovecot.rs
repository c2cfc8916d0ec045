//! What everything else stands on, with a real Dovecot: logging in, metadata, and the requests
//! that new mail causes.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

mod receiver;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use belfry_imap::{Error, ImapEndpoint, ImapSession, Login};
use belfry_tests::dovecot::{Builder, Dovecot};
use belfry_tests::lmtp::{self, mail};

use self::receiver::Receiver;

const USER: &str = "user1@example.com";
const OTHER: &str = "user2@example.com";
const PASSWORD: &str = "correct horse \"battery\" \u{fc} \\";
const ENTRY: &str = "/private/vendor/vendor.dovecot/http-notify";

fn two_users() -> Builder {
    Dovecot::builder().users([(USER, PASSWORD), (OTHER, "other")])
}

fn endpoint(dovecot: &Dovecot) -> ImapEndpoint {
    ImapEndpoint::parse(&dovecot.imap_url(), None).unwrap()
}

async fn log_in(dovecot: &Dovecot, login: &str, password: &str) -> Result<ImapSession, Error> {
    endpoint(dovecot).login(&Login::user(login, password)).await
}

async fn set_metadata(dovecot: &Dovecot, value: Option<&str>) {
    let mut session = log_in(dovecot, USER, PASSWORD).await.unwrap();
    session.set_metadata("", ENTRY, value).await.unwrap();
    session.logout().await;
}

async fn deliver(dovecot: &Dovecot, recipients: &[&str], subject: &str) -> Vec<lmtp::Reply> {
    let message = mail("Alice <alice@example.org>", subject, "Hello body");
    lmtp::deliver(
        dovecot.lmtp_address(),
        "alice@example.org",
        recipients,
        &message,
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn a_right_password_logs_in_and_a_wrong_one_does_not() {
    let dovecot = two_users().start().await.unwrap();
    let mut session = log_in(&dovecot, USER, PASSWORD).await.unwrap();
    assert!(session.capabilities().await.unwrap().has("metadata"));
    session.logout().await;

    let elsewhere = endpoint(&dovecot).with_local_address("127.0.0.2".parse().unwrap());
    for (login, password) in [
        (USER, "wrong"),
        ("nobody@example.com", PASSWORD),
        (OTHER, PASSWORD),
    ] {
        let error = elsewhere
            .login(&Login::user(login, password))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::WrongCredentials(_)),
            "{login}: {error:?}"
        );
        assert!(!format!("{error} {error:?}").contains(password));
    }
    let log = dovecot.log().unwrap();
    assert!(log.contains("rip=127.0.0.2"), "{log}");
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn a_master_user_acts_as_any_user_and_as_nobody_else() {
    let dovecot = two_users().master_user("master", "master password");
    let dovecot = dovecot.start().await.unwrap();
    let master = |user: &str, password: &str| Login::Master {
        user: user.to_owned(),
        master_user: "master".to_owned(),
        master_password: password.into(),
        separator: "*".to_owned(),
    };
    let endpoint = endpoint(&dovecot);
    let mut session = endpoint
        .login(&master(USER, "master password"))
        .await
        .unwrap();
    session
        .set_metadata("", ENTRY, Some("user=7@1"))
        .await
        .unwrap();
    session.logout().await;
    let mut own = log_in(&dovecot, USER, PASSWORD).await.unwrap();
    assert_eq!(
        own.get_server_metadata(ENTRY).await.unwrap().unwrap(),
        "user=7@1"
    );
    own.logout().await;

    for login in [
        master(USER, "wrong"),
        master("nobody@example.com", "master password"),
    ] {
        let error = endpoint.login(&login).await.unwrap_err();
        assert!(matches!(error, Error::WrongCredentials(_)), "{error:?}");
    }
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn metadata_is_kept_word_for_word_until_it_is_removed() {
    let dovecot = two_users().start().await.unwrap();
    let mut session = log_in(&dovecot, USER, PASSWORD).await.unwrap();
    assert_eq!(session.get_server_metadata(ENTRY).await, Ok(None));
    let long = "x".repeat(5_000);
    for value in [
        "user=7@1",
        "a\tb\r\nc \u{fc}",
        r#""quoted" \ back"#,
        "{3}",
        &long,
    ] {
        session.set_metadata("", ENTRY, Some(value)).await.unwrap();
        assert_eq!(
            session.get_server_metadata(ENTRY).await.unwrap().as_deref(),
            Some(value)
        );
    }
    session
        .set_metadata("INBOX", ENTRY, Some("of the mailbox"))
        .await
        .unwrap();
    assert_eq!(
        session.get_server_metadata(ENTRY).await.unwrap(),
        Some(long)
    );
    session.set_metadata("", ENTRY, None).await.unwrap();
    assert_eq!(session.get_server_metadata(ENTRY).await, Ok(None));
    session.logout().await;
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn a_dovecot_without_metadata_says_so() {
    let dovecot = two_users().imap_metadata(false).start().await.unwrap();
    let mut session = log_in(&dovecot, USER, PASSWORD).await.unwrap();
    assert!(!session.capabilities().await.unwrap().has("METADATA"));
    let refused = session.set_metadata("", ENTRY, Some("user=7@1")).await;
    assert!(
        matches!(&refused, Err(Error::Refused { .. } | Error::Protocol(_))),
        "{refused:?}"
    );
    session.logout().await;
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn too_many_connections_of_a_user_are_told_from_a_wrong_password() {
    let dovecot = two_users().extra("protocol imap {\n mail_max_userip_connections = 1\n}");
    let dovecot = dovecot.start().await.unwrap();
    let session = log_in(&dovecot, USER, PASSWORD).await.unwrap();
    let error = log_in(&dovecot, USER, PASSWORD).await.unwrap_err();
    assert!(matches!(error, Error::Limit(_)), "{error:?}");
    session.logout().await;
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn imaps_and_starttls_protect_the_login() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let file = |name: &str, text: String| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = file("certificate.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let dovecot = two_users().tls(&certificate, &key).start().await.unwrap();
    let starttls = format!("{}?starttls=required", dovecot.imap_url());
    for url in [dovecot.imaps_url(), starttls] {
        let endpoint = ImapEndpoint::parse(&url, Some(&certificate)).unwrap();
        let login = Login::user(USER, PASSWORD);
        endpoint.login(&login).await.unwrap().logout().await;
        let stranger = ImapEndpoint::parse(&url, None).unwrap();
        let error = stranger.login(&login).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }
    let log = dovecot.log().unwrap();
    assert_eq!(log.matches("method=PLAIN").count(), 2, "{log}");
    assert_eq!(
        log.lines().filter(|line| line.contains("Login:")).count(),
        2,
        "{log}"
    );
}

#[tokio::test]
async fn delivery_is_reported_as_long_as_the_user_wants_it() {
    let receiver = Receiver::start().await;
    let dovecot = two_users()
        .driver_url(&receiver.url("login", "pa%ss"))
        .start()
        .await
        .unwrap();

    deliver(&dovecot, &[USER], "before").await;
    set_metadata(&dovecot, Some("user=7@1")).await;
    let replies = deliver(&dovecot, &[USER], "while").await;
    assert!(replies[0].is_success(), "{replies:?}");
    set_metadata(&dovecot, None).await;
    deliver(&dovecot, &[USER], "after").await;

    // Dovecot answers LMTP only after it reported, so whatever was reported is here.
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let request = &requests[0];
    assert_eq!(
        request.line,
        "PUT /preliminary/http-notify/v1/notify HTTP/1.1"
    );
    assert_eq!(
        request.header("authorization"),
        Some("Basic bG9naW46cGElc3M=")
    );
    assert_eq!(
        request.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert!(request.body["imap-uidvalidity"].is_u64());
    assert_eq!(
        request.body,
        serde_json::json!({
            "user": USER, "event": "messageNew", "folder": "INBOX",
            "imap-uidvalidity": request.body["imap-uidvalidity"], "imap-uid": 2,
            "from": "Alice <alice@example.org>", "subject": "while", "snippet": "Hello body",
            "unseen": 2,
        })
    );
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn two_drivers_report_twice_and_may_name_the_user_from_metadata() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let dovecot = two_users()
        .driver_url(&first.url("login", "pass"))
        .second_driver(&second.url("login2", "pass2"))
        .user_from_metadata(true)
        .start()
        .await
        .unwrap();
    set_metadata(&dovecot, Some("user=7@1")).await;
    deliver(&dovecot, &[USER], "twice").await;
    for receiver in [&first, &second] {
        let requests = receiver.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert_eq!(requests[0].body["user"], "7@1");
        assert_eq!(requests[0].body["subject"], "twice");
    }
    assert_eq!(
        second.requests()[0].header("authorization"),
        Some("Basic bG9naW4yOnBhc3My")
    );
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn every_recipient_gets_an_answer_of_its_own() {
    let dovecot = two_users().start().await.unwrap();
    let replies = deliver(&dovecot, &[USER, "nobody@example.com", OTHER], ".\r\n.").await;
    let codes: Vec<_> = replies.iter().map(|reply| reply.code).collect();
    assert_eq!(codes, [250, 550, 250], "{replies:?}");
    let mut lmtp = lmtp::Lmtp::connect(dovecot.lmtp_address()).await.unwrap();
    for _ in 0..3 {
        let message = mail("a@example.org", "again", ".\r\n..\r\nend");
        let replies = lmtp
            .deliver("a@example.org", &[USER], &message)
            .await
            .unwrap();
        assert!(replies[0].is_success(), "{replies:?}");
        let replies = lmtp
            .deliver("a@example.org", &["nobody@x.org"], &message)
            .await
            .unwrap();
        assert!(!replies[0].is_success(), "{replies:?}");
    }
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn a_restart_keeps_mail_and_metadata_and_takes_other_drivers() {
    let receiver = Receiver::start().await;
    let mut dovecot = two_users().start().await.unwrap();
    set_metadata(&dovecot, Some("user=7@1")).await;
    deliver(&dovecot, &[USER], "unheard").await;
    let url = receiver.url("login", "pass");
    dovecot
        .reconfigure(|builder| builder.driver_url(&url))
        .await
        .unwrap();
    deliver(&dovecot, &[USER], "heard").await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].body["imap-uid"], 2);
    dovecot.assert_no_errors();
}

#[tokio::test]
async fn a_receiver_that_refuses_shows_in_the_log_and_a_test_may_expect_it() {
    let receiver = Receiver::answering("503 Service Unavailable").await;
    let dovecot = two_users()
        .driver_url(&receiver.url("login", "pass"))
        .start()
        .await
        .unwrap();
    set_metadata(&dovecot, Some("user=7@1")).await;
    let replies = deliver(&dovecot, &[USER], "refused").await;
    assert!(replies[0].is_success(), "{replies:?}");
    assert_eq!(receiver.requests().len(), 1);
    dovecot.assert_no_errors_but(&["503"]);
    let strict = std::panic::catch_unwind(|| dovecot.assert_no_errors());
    assert!(strict.is_err(), "{}", dovecot.log().unwrap());
}

#[tokio::test]
async fn a_dropped_dovecot_leaves_no_process_and_no_file() {
    let dovecot = two_users().start().await.unwrap();
    let folder = dovecot.folder().to_owned();
    let session = log_in(&dovecot, USER, PASSWORD).await.unwrap();
    let master = processes()
        .into_iter()
        .find(|process| process.command.contains(folder.to_str().unwrap()))
        .unwrap();
    let of_this = || {
        processes()
            .into_iter()
            .filter(|process| process.group == master.group)
    };
    assert!(of_this().count() > 3);
    drop(dovecot);
    drop(session);
    let deadline = Instant::now() + Duration::from_secs(5);
    while let Some(process) = of_this().next() {
        assert!(Instant::now() < deadline, "{process:?} is still there");
        tokio::task::yield_now().await;
    }
    assert!(!folder.exists());
}

#[derive(Debug)]
struct Process {
    group: String,
    command: String,
}

/// All processes of the machine, without those that ended and wait to be taken notice of.
fn processes() -> Vec<Process> {
    let read = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // PID (NAME) STATE PARENT GROUP, where a name may hold anything.
        let mut stat = stat.rsplit_once(')')?.1.split_whitespace();
        stat.next().filter(|state| *state != "Z")?;
        let group = stat.nth(1)?.to_owned();
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).into_owned();
        Some(Process { group, command })
    };
    let all = std::fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| read(entry.unwrap())).collect()
}
