//! The plugin over folders of real files.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod breakage;
mod folder;
mod notices;
mod replacement;

use std::path::Path;

use belfry_plugin_api::frame::{Level, ProviderCredential};
use belfry_plugin_api::testkit::TestHost;
use mobile_push_restricted::Restricted;

use folder::{CERTIFICATE, FCM, Folder, KEY, PASSWORD, SERVICE_ACCOUNT, p8};

const FOLDER: &str = "belfry.mobile-push-restricted.folder";

async fn start(folder: &Path) -> TestHost {
    let folder = folder.to_str().unwrap();
    TestHost::start::<Restricted>(&[(FOLDER, folder)])
        .await
        .unwrap()
}

/// Stops the plugin and looks for secrets in all that it has said.
async fn stop(host: TestHost) {
    let account: serde_json::Value = serde_json::from_str(SERVICE_ACCOUNT).unwrap();
    let key = account["private_key"].as_str().unwrap();
    let key_line = key.lines().nth(1).unwrap();
    for record in host.logs() {
        let said = format!("{record:?}");
        for secret in [PASSWORD, key_line, "PRIVATE KEY-----"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    host.stop().await.unwrap();
}

/// What is offered, field by field.
async fn offered(host: &mut TestHost, provider: &str) -> Vec<(String, Vec<u8>)> {
    let credential = host.credential(provider).await.unwrap();
    let ProviderCredential { fields } = credential.unwrap_or_default();
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name, value.expose().to_vec()))
        .collect()
}

async fn field(host: &mut TestHost, provider: &str, name: &str) -> Option<Vec<u8>> {
    let fields = offered(host, provider).await.into_iter();
    fields
        .filter_map(|(field, value)| (field == name).then_some(value))
        .next()
}

/// Waits for a record of this level with this in it.
async fn logged(host: &mut TestHost, level: Level, part: &str) -> String {
    let record = host
        .logged(|record| record.level == level && record.message.contains(part))
        .await;
    match record {
        Ok(record) => record.message,
        Err(error) => panic!("{part:?} is not in {:#?}: {error}", host.logs()),
    }
}

/// What was logged at this level until now.
fn all(host: &TestHost, level: Level) -> Vec<&str> {
    let records = host.logs().iter().filter(|record| record.level == level);
    records.map(|record| record.message.as_str()).collect()
}

#[tokio::test]
async fn a_certificate_is_offered_with_all_that_belongs_to_it() {
    let (folder, keystore) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    assert_eq!(
        offered(&mut host, "apns").await,
        [
            ("keystore".into(), keystore),
            ("password".into(), PASSWORD.into()),
            ("production".into(), b"true".into()),
            ("topic".into(), b"org.example.mail".into()),
        ]
    );
    assert_eq!(host.credential("fcm").await.unwrap(), None);
    assert_eq!(host.credential("wns").await.unwrap(), None);
    logged(
        &mut host,
        Level::Info,
        "push.p12, valid until 2099-01-01 is in force",
    )
    .await;
    assert_eq!(all(&host, Level::Warn), [""; 0]);
    stop(host).await;
}

#[tokio::test]
async fn a_keystore_without_a_password_is_offered_without_one() {
    let keystore = folder::keystore("");
    let folder = Folder::with(&[
        ("push.p12", &keystore),
        ("restricted.toml", b"apns.keystore = 'push.p12'"),
    ]);
    let mut host = start(&folder.path()).await;
    assert_eq!(
        offered(&mut host, "apns").await,
        [("keystore".into(), keystore)]
    );
    stop(host).await;
}

#[tokio::test]
async fn a_key_and_a_service_account_are_offered_side_by_side() {
    let key = p8();
    let names = [KEY, FCM].concat();
    let folder = Folder::with(&[
        ("push.p8", key.as_bytes()),
        ("account.json", SERVICE_ACCOUNT.as_bytes()),
        ("restricted.toml", names.as_bytes()),
    ]);
    let mut host = start(&folder.path()).await;
    assert_eq!(
        offered(&mut host, "apns").await,
        [
            ("key".into(), key.into_bytes()),
            ("key-id".into(), b"KEYID12345".into()),
            ("team-id".into(), b"TEAMID1234".into()),
        ]
    );
    assert_eq!(
        offered(&mut host, "fcm").await,
        [("service-account".into(), SERVICE_ACCOUNT.into())]
    );
    logged(&mut host, Level::Info, "key KEYID12345 of team TEAMID1234").await;
    logged(&mut host, Level::Info, "push@belfry-test.example").await;
    stop(host).await;
}

#[tokio::test]
async fn a_missing_folder_offers_nothing_until_it_appears() {
    let folder = Folder::missing();
    let mut host = start(&folder.path()).await;
    assert_eq!(host.credential("apns").await.unwrap(), None);
    let warning = logged(&mut host, Level::Warn, "does not exist").await;
    assert!(
        warning.contains(folder.path().to_str().unwrap()),
        "{warning}"
    );
    assert_eq!(all(&host, Level::Warn).len(), 1);

    // One file after the other, as an operator may do it.
    let keystore = folder::keystore(PASSWORD);
    folder.fill(&folder.path(), &[]);
    logged(&mut host, Level::Warn, "restricted.toml does not exist").await;
    folder.replace("restricted.toml", CERTIFICATE.as_bytes());
    logged(&mut host, Level::Error, "push.p12 is not there").await;
    folder.replace("push.p12", &keystore);
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(keystore));
    stop(host).await;
}

#[tokio::test]
async fn folders_above_may_be_missing_too() {
    let around = Folder::missing();
    let path = around.beside("etc/belfry/restricted");
    let mut host = start(&path).await;
    let names = b"fcm.service-account = 'account.json'";
    let account = SERVICE_ACCOUNT.as_bytes();
    around.fill(
        &path,
        &[("account.json", account), ("restricted.toml", names)],
    );
    assert_eq!(host.credential_changed().await.unwrap(), "fcm");
    stop(host).await;
}

#[tokio::test]
async fn another_folder_is_taken_up_when_it_is_configured() {
    let (folder, _) = Folder::with_certificate();
    let (other, keystore) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    let path = other.path();
    host.configure(&[(FOLDER, path.to_str().unwrap())]).unwrap();
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(keystore));

    // From now on this one is watched.
    let newer = folder::keystore(PASSWORD);
    other.replace("push.p12", &newer);
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(newer));
    stop(host).await;
}

#[tokio::test]
async fn no_folder_at_all_is_refused() {
    let error = TestHost::start::<Restricted>(&[(FOLDER, "")]).await;
    let error = error.err().unwrap().to_string();
    assert!(error.contains(FOLDER), "{error}");

    let (folder, keystore) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    host.configure(&[(FOLDER, "")]).unwrap();
    let refused = "the changed configuration is not in force";
    logged(&mut host, Level::Error, refused).await;
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(keystore));
    stop(host).await;
}
