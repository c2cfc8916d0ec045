//! Whatever way files are replaced, it is noticed.

use std::fs;
use std::os::unix::fs::symlink;

use belfry_plugin_api::frame::Level;
use belfry_plugin_api::testkit::TestHost;

use crate::folder::{CERTIFICATE, FCM, Folder, KEY, PASSWORD, SERVICE_ACCOUNT, keystore, p8};
use crate::{field, logged, offered, start, stop};

/// Waits for the change and checks that it is this one.
async fn taken_up(host: &mut TestHost, keystore: &[u8]) {
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    let offered = field(host, "apns", "keystore").await;
    assert!(offered.as_deref() == Some(keystore), "another keystore");
}

#[tokio::test]
async fn a_file_replaced_by_a_rename_is_taken_up_time_and_again() {
    let (folder, _) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    for _ in 0..3 {
        let newer = keystore(PASSWORD);
        folder.replace("push.p12", &newer);
        taken_up(&mut host, &newer).await;
    }
    stop(host).await;
}

#[tokio::test]
async fn a_file_overwritten_in_its_place_is_taken_up_time_and_again() {
    let (folder, _) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    for _ in 0..3 {
        let newer = keystore(PASSWORD);
        folder.overwrite("push.p12", &newer);
        taken_up(&mut host, &newer).await;
    }
    stop(host).await;
}

#[tokio::test]
async fn other_names_in_restricted_toml_are_taken_up() {
    let (folder, _) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    let key = p8();
    folder.replace("push.p8", key.as_bytes());
    folder.replace("account.json", SERVICE_ACCOUNT.as_bytes());
    folder.overwrite("restricted.toml", [KEY, FCM].concat().as_bytes());
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(host.credential_changed().await.unwrap(), "fcm");
    assert_eq!(field(&mut host, "apns", "key").await, Some(key.into()));
    assert_eq!(field(&mut host, "apns", "keystore").await, None);
    stop(host).await;
}

#[tokio::test]
async fn a_value_in_restricted_toml_is_taken_up() {
    let (folder, _) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    let sandbox = CERTIFICATE.replace("production = true", "production = false");
    folder.replace("restricted.toml", sandbox.as_bytes());
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    let production = field(&mut host, "apns", "production").await;
    assert_eq!(production.as_deref(), Some(&b"false"[..]));
    stop(host).await;
}

#[tokio::test]
async fn a_keystore_and_its_new_password_are_taken_up_together() {
    let (folder, _) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    let newer = keystore("another password");
    folder.replace("push.p12", &newer);
    let names = CERTIFICATE.replace(PASSWORD, "another password");
    folder.replace("restricted.toml", names.as_bytes());
    taken_up(&mut host, &newer).await;
    let password = field(&mut host, "apns", "password").await;
    assert_eq!(password.as_deref(), Some(&b"another password"[..]));
    stop(host).await;
}

#[tokio::test]
async fn the_same_bytes_once_more_are_no_change() {
    let (folder, same) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    folder.replace("push.p12", &same);
    folder.overwrite("restricted.toml", CERTIFICATE.as_bytes());
    folder.replace("account.json", SERVICE_ACCOUNT.as_bytes());
    folder.replace("restricted.toml", [CERTIFICATE, FCM].concat().as_bytes());
    // Had the others counted as one, it would have come first.
    assert_eq!(host.credential_changed().await.unwrap(), "fcm");
    stop(host).await;
}

/// As the kubelet lays a secret out: the names are links through `..data`, which is swapped.
#[tokio::test]
async fn a_swap_of_the_link_that_all_names_lead_through_is_taken_up() {
    let folder = Folder::with(&[]);
    let generation = |name: &str| {
        let keystore = keystore(PASSWORD);
        let files: [(&str, &[u8]); 2] = [
            ("push.p12", &keystore),
            ("restricted.toml", CERTIFICATE.as_bytes()),
        ];
        folder.fill(&folder.path().join(name), &files);
        keystore
    };
    let first = generation("..2026_01_01");
    folder.link("..2026_01_01", "..data");
    folder.link("..data/push.p12", "push.p12");
    folder.link("..data/restricted.toml", "restricted.toml");
    let mut host = start(&folder.path()).await;
    assert_eq!(field(&mut host, "apns", "keystore").await, Some(first));

    for (old, new) in [
        ("..2026_01_01", "..2026_01_02"),
        ("..2026_01_02", "..2026_01_03"),
    ] {
        let newer = generation(new);
        folder.link(new, "..data_tmp");
        let data = folder.path().join("..data");
        fs::rename(folder.path().join("..data_tmp"), data).unwrap();
        fs::remove_dir_all(folder.path().join(old)).unwrap();
        taken_up(&mut host, &newer).await;
    }

    // What a link leads to may also change by itself.
    let newest = keystore(PASSWORD);
    fs::write(folder.path().join("..2026_01_03/push.p12"), &newest).unwrap();
    taken_up(&mut host, &newest).await;
    stop(host).await;
}

#[tokio::test]
async fn a_folder_replaced_as_a_whole_is_taken_up_and_watched() {
    let (folder, _) = Folder::with_certificate();
    let mut host = start(&folder.path()).await;
    let newer = keystore(PASSWORD);
    let files: [(&str, &[u8]); 2] = [
        ("push.p12", &newer),
        ("restricted.toml", CERTIFICATE.as_bytes()),
    ];
    folder.fill(&folder.beside("new"), &files);
    fs::rename(folder.path(), folder.beside("old")).unwrap();
    fs::rename(folder.beside("new"), folder.path()).unwrap();
    taken_up(&mut host, &newer).await;

    let newest = keystore(PASSWORD);
    folder.overwrite("push.p12", &newest);
    taken_up(&mut host, &newest).await;
    stop(host).await;
}

#[tokio::test]
async fn a_folder_that_is_a_link_is_taken_up_when_it_leads_elsewhere() {
    let (one, _) = Folder::with_certificate();
    let (other, keystore) = Folder::with_certificate();
    let around = Folder::missing();
    symlink(one.path(), around.path()).unwrap();
    let mut host = start(&around.path()).await;

    let new = around.beside("new");
    symlink(other.path(), &new).unwrap();
    fs::rename(new, around.path()).unwrap();
    taken_up(&mut host, &keystore).await;
    stop(host).await;
}

#[tokio::test]
async fn what_is_no_longer_named_is_withdrawn() {
    let names = [CERTIFICATE, FCM].concat();
    let keystore = keystore(PASSWORD);
    let folder = Folder::with(&[
        ("push.p12", &keystore),
        ("account.json", SERVICE_ACCOUNT.as_bytes()),
        ("restricted.toml", names.as_bytes()),
    ]);
    let mut host = start(&folder.path()).await;
    folder.replace("restricted.toml", CERTIFICATE.as_bytes());
    assert_eq!(host.credential_changed().await.unwrap(), "fcm");
    assert_eq!(host.credential("fcm").await.unwrap(), None);
    assert_eq!(offered(&mut host, "apns").await.len(), 4);

    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(host.credential("apns").await.unwrap(), None);
    logged(
        &mut host,
        Level::Warn,
        "nothing is offered for apns any more",
    )
    .await;
    stop(host).await;
}
