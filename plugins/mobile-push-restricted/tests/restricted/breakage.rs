//! What cannot be used never takes the place of what could.

use std::fs;

use belfry_plugin_api::frame::Level;

use crate::folder::{CERTIFICATE, FCM, Folder, KEY, PASSWORD, SERVICE_ACCOUNT, keystore, p8, p384};
use crate::{all, field, logged, offered, start, stop};

#[tokio::test]
async fn a_keystore_that_cannot_be_opened_leaves_the_old_one_in_force() {
    let (folder, old) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    for (bytes, why) in [
        (
            &old[..old.len() / 2],
            "push.p12 cannot be read as a PKCS#12 keystore",
        ),
        (
            &keystore("another"),
            "push.p12 does not open with apns.password",
        ),
        (
            &[0; 1024 * 1024 + 1],
            "push.p12 cannot be read: it has more than 1048576 bytes",
        ),
    ] {
        folder.overwrite("push.p12", bytes);
        let error = logged(&mut host, Level::Error, why).await;
        let consequence = "push.p12, valid until 2099-01-01 stays in force";
        assert!(error.contains(consequence), "{error}");
        let offered = field(&mut host, "apns", "keystore").await;
        assert_eq!(offered.as_ref(), Some(&old));
    }
    let newer = keystore(PASSWORD);
    folder.overwrite("push.p12", &newer);
    // The first change since the start: what was broken was none.
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(newer));
    assert_eq!(all(&host, Level::Error).len(), 3);
    stop(host).await;
}

#[tokio::test]
async fn a_file_or_folder_that_is_gone_for_a_moment_is_not_missed() {
    let (folder, old) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    let newer = keystore(PASSWORD);
    fs::remove_file(folder.path().join("restricted.toml")).unwrap();
    fs::remove_file(folder.path().join("push.p12")).unwrap();
    folder.replace("push.p12", &newer);
    folder.replace("restricted.toml", CERTIFICATE.as_bytes());
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    let offered = field(&mut host, "apns", "keystore").await;
    assert_eq!(offered, Some(newer));
    assert_ne!(offered, Some(old));
    assert_eq!(all(&host, Level::Error), [""; 0]);
    assert_eq!(all(&host, Level::Warn), [""; 0]);
    stop(host).await;
}

#[tokio::test]
async fn a_key_of_another_kind_leaves_the_old_one_in_force() {
    let old = p8();
    let folder = Folder::with(&[
        ("push.p8", old.as_bytes()),
        ("restricted.toml", KEY.as_bytes()),
    ]);
    let mut host = start(&folder.path()).await;
    folder.overwrite("push.p8", p384().as_bytes());
    let why = "holds no key of the curve P-256";
    logged(&mut host, Level::Error, why).await;
    let offered = field(&mut host, "apns", "key").await;
    assert_eq!(offered, Some(old.into()));

    let newer = p8();
    folder.overwrite("push.p8", newer.as_bytes());
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(field(&mut host, "apns", "key").await, Some(newer.into()));
    assert_eq!(all(&host, Level::Error).len(), 1);
    stop(host).await;
}

#[tokio::test]
async fn a_service_account_that_is_cut_off_leaves_the_old_one_in_force() {
    let folder = Folder::with(&[
        ("account.json", SERVICE_ACCOUNT.as_bytes()),
        ("restricted.toml", FCM.as_bytes()),
    ]);
    let mut host = start(&folder.path()).await;
    let half = &SERVICE_ACCOUNT[..SERVICE_ACCOUNT.len() / 2];
    folder.overwrite("account.json", half.as_bytes());
    logged(&mut host, Level::Error, "account.json is not JSON").await;
    let offered = field(&mut host, "fcm", "service-account").await;
    assert_eq!(offered, Some(SERVICE_ACCOUNT.into()));
    stop(host).await;
}

#[tokio::test]
async fn a_restricted_toml_that_cannot_be_read_leaves_all_in_force_and_is_one_error() {
    let names = [CERTIFICATE, FCM].concat();
    let old = keystore(PASSWORD);
    let folder = Folder::with(&[
        ("push.p12", &old),
        ("account.json", SERVICE_ACCOUNT.as_bytes()),
        ("restricted.toml", names.as_bytes()),
    ]);
    let mut host = start(&folder.path()).await;
    // The line that cannot be read is the one with the password.
    let broken = names.replace("password = \"", "password = ");
    folder.overwrite("restricted.toml", broken.as_bytes());
    let error = logged(
        &mut host,
        Level::Error,
        "restricted.toml is not TOML in line 4",
    )
    .await;
    assert!(error.contains("for apns, the certificate in"), "{error}");
    assert!(error.contains("for fcm, service account"), "{error}");
    assert_eq!(all(&host, Level::Error).len(), 1);
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(old));
    assert_eq!(offered(&mut host, "fcm").await.len(), 1);

    folder.overwrite("restricted.toml", FCM.as_bytes());
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(host.credential("apns").await.unwrap(), None);
    stop(host).await;
}

#[tokio::test]
async fn what_was_never_good_is_told_to_who_asks() {
    let folder = Folder::with(&[
        ("push.p12", b"no keystore"),
        ("restricted.toml", CERTIFICATE.as_bytes()),
    ]);
    let mut host = start(&folder.path()).await;
    let error = host.credential("apns").await.unwrap_err();
    assert!(!error.is_permanent());
    assert!(error.to_string().contains("push.p12"), "{error}");
    let error = logged(&mut host, Level::Error, "push.p12").await;
    assert!(error.contains("nothing is offered for apns"), "{error}");

    let good = keystore(PASSWORD);
    folder.overwrite("push.p12", &good);
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(good));
    stop(host).await;
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_folder_is_refused() {
    let folder = Folder::with(&[]);
    let key = p8();
    folder.fill(&folder.beside("."), &[("push.p8", key.as_bytes())]);
    folder.fill(&folder.path().join("inner"), &[("push.p8", key.as_bytes())]);
    let absolute = folder.beside("push.p8");
    for name in [
        "../push.p8",
        "inner/../../push.p8",
        "inner/push.p8",
        absolute.to_str().unwrap(),
    ] {
        let names = KEY.replace("push.p8", name);
        folder.replace("restricted.toml", names.as_bytes());
        let mut host = start(&folder.path()).await;
        let refused = "apns.key in restricted.toml is not the name of a file beside it";
        let error = host.credential("apns").await.unwrap_err();
        assert!(error.to_string().contains(refused), "{name}: {error}");
        logged(&mut host, Level::Error, refused).await;
        stop(host).await;
    }
}
