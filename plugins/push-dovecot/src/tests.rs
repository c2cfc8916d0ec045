use belfry_plugin_api::mail::NewMail;
use belfry_plugin_api::testkit::TestHost;
use belfry_plugin_api::user::User;

use super::PushDovecot;

const USER: User = User { context: 1, id: 7 };
const CONFIG: [(&str, &str); 1] = [("belfry.imap.url", "imap://127.0.0.1:1")];

/// The JSON bodies of a captured exchange.
fn bodies(capture: &str) -> Vec<String> {
    capture
        .split("---------")
        .filter_map(|part| Some(part.split_once("\n\n")?.1.trim().to_owned()))
        .filter(|body| body.starts_with('{'))
        .collect()
}

fn captures() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/dovecot");
    let mut captures: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (
                name,
                String::from_utf8_lossy(&std::fs::read(path).unwrap()).replace("\r\n", "\n"),
            )
        })
        .collect();
    captures.sort();
    captures
}

#[tokio::test]
async fn every_captured_request_tells_of_its_mail() {
    let mut host = TestHost::start::<PushDovecot>(&CONFIG).await.unwrap();
    let mut count = 0;
    let mut requests = 0;
    for (name, capture) in captures() {
        requests += capture.matches("PUT /preliminary").count();
        for body in bodies(&capture) {
            let said: serde_json::Value = serde_json::from_str(&body).unwrap();
            let events = host.report("http-notify", Some(USER), &body).await.unwrap();
            let (user, mail) = NewMail::from_event(&events[0]).unwrap();
            assert_eq!(user, USER, "{name}");
            assert_eq!(mail.folder, "INBOX", "{name}");
            assert_eq!(u64::from(mail.uid), said["imap-uid"], "{name}");
            assert_eq!(
                u64::from(mail.uid_validity),
                said["imap-uidvalidity"],
                "{name}"
            );
            assert_eq!(
                mail.unread.map(u64::from),
                said["unseen"].as_u64(),
                "{name}"
            );
            count += 1;
        }
    }
    assert!(requests > 20, "the captures are gone");
    assert_eq!(count, requests);
    host.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_that_is_not_known_is_ignored_and_its_case_is_not_looked_at() {
    let mut host = TestHost::start::<PushDovecot>(&CONFIG).await.unwrap();
    let body = |event: &str| {
        format!(
            r#"{{"user":"7@1","event":"{event}","folder":"INBOX","imap-uid":1,"imap-uidvalidity":1}}"#
        )
    };
    let events = host
        .report("http-notify", Some(USER), &body("flagsSet"))
        .await
        .unwrap();
    assert_eq!(events, []);
    let events = host
        .report("http-notify", Some(USER), &body("MESSAGENEW"))
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_keeps_the_plugin_from_starting() {
    let config = [CONFIG[0], ("belfry.push-dovecot.metadata", "magic")];
    let error = TestHost::start::<PushDovecot>(&config).await.err().unwrap();
    assert!(
        error.to_string().contains("write session or master"),
        "{error}"
    );
}
