//! What the operator is told besides.

use std::time::{Duration, SystemTime};

use belfry_plugin_api::frame::Level;

use crate::folder::{CERTIFICATE, FCM, Folder, PASSWORD, SERVICE_ACCOUNT, keystore_with};
use crate::{all, field, logged, offered, start, stop};

#[tokio::test]
async fn secrets_that_everybody_can_read_are_warned_of_by_name_and_mode() {
    let names = ["licence = 'licence.txt'\n", CERTIFICATE, FCM].concat();
    let keystore = crate::folder::keystore(PASSWORD);
    let folder = Folder::with(&[
        ("push.p12", &keystore),
        ("account.json", SERVICE_ACCOUNT.as_bytes()),
        ("licence.txt", b"you may"),
        ("restricted.toml", names.as_bytes()),
    ]);
    for (file, mode) in [
        ("push.p12", 0o644),
        ("account.json", 0o640),
        ("licence.txt", 0o644),
        ("restricted.toml", 0o604),
    ] {
        folder.set_mode(file, mode);
    }
    let mut host = start(&folder.path()).await;
    assert_eq!(offered(&mut host, "apns").await.len(), 4);
    let warning = logged(&mut host, Level::Warn, "push.p12").await;
    assert!(warning.contains("mode 0644"), "{warning}");
    let warning = logged(&mut host, Level::Warn, "restricted.toml").await;
    assert!(warning.contains("mode 0604"), "{warning}");
    // A group may be trusted, and a licence is no secret.
    assert_eq!(all(&host, Level::Warn).len(), 2);

    // It is enough to change the mode, and it is told again when it is wrong again.
    folder.set_mode("push.p12", 0o600);
    folder.set_mode("account.json", 0o646);
    let warning = logged(&mut host, Level::Warn, "account.json").await;
    assert!(warning.contains("mode 0646"), "{warning}");
    assert_eq!(all(&host, Level::Warn).len(), 3);
    stop(host).await;
}

#[tokio::test]
async fn an_expired_certificate_is_warned_of_with_its_date_and_still_offered() {
    let expired = keystore_with(PASSWORD, |params| {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let folder = Folder::with(&[
        ("push.p12", &expired),
        ("restricted.toml", CERTIFICATE.as_bytes()),
    ]);
    let mut host = start(&folder.path()).await;
    let warning = logged(&mut host, Level::Warn, "expired on 2001-01-01").await;
    assert!(warning.contains("push.p12"), "{warning}");
    let offered = field(&mut host, "apns", "keystore").await;
    assert_eq!(offered, Some(expired));
    stop(host).await;
}

#[tokio::test]
async fn a_certificate_that_expires_soon_is_warned_of_until_it_is_replaced() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let expires_in = |days: u32| {
        keystore_with(PASSWORD, |params| {
            params.not_after = (SystemTime::now() + days * DAY).into();
        })
    };
    let (folder, _) = Folder::with_certificate();
    folder.replace("push.p12", &expires_in(31));
    let mut host = start(&folder.path()).await;
    folder.replace("push.p12", &expires_in(29));
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    logged(&mut host, Level::Warn, "push.p12 expires on 20").await;
    assert_eq!(all(&host, Level::Warn).len(), 1);
    stop(host).await;
}

#[tokio::test]
async fn a_licence_is_reported_and_a_missing_one_warned_of() {
    let names = "licence = 'licence.txt'";
    let folder = Folder::with(&[("restricted.toml", names.as_bytes())]);
    let mut host = start(&folder.path()).await;
    logged(&mut host, Level::Warn, "licence.txt is not there").await;
    folder.replace("licence.txt", b"you may");
    logged(&mut host, Level::Info, "licence.txt is there").await;
    let outside = "licence = '../licence.txt'";
    folder.replace("restricted.toml", outside.as_bytes());
    logged(
        &mut host,
        Level::Warn,
        "licence in restricted.toml is not the name",
    )
    .await;
    stop(host).await;
}

#[tokio::test]
async fn a_key_that_means_nothing_is_warned_of() {
    let names = [CERTIFICATE, "keystroe = 'push.p12'"].concat();
    let (folder, _) = Folder::with_certificate();
    folder.replace("restricted.toml", names.as_bytes());
    let mut host = start(&folder.path()).await;
    logged(&mut host, Level::Warn, "apns.keystroe in").await;
    assert_eq!(offered(&mut host, "apns").await.len(), 4);
    stop(host).await;
}
