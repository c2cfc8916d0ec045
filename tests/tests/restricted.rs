//! Certificates and keys in a folder of their own, replaced while mail flows.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::path::Path;

use belfry_tests::app::{client, notification, notify};
use belfry_tests::crowd::Crowd;
use belfry_tests::host::Host;
use belfry_tests::providers::{KEYSTORE_PASSWORD, Providers, TOPIC};
use belfry_tests::wait::{PATIENCE, until};
use reqwest::StatusCode;

const RESTRICTED: &str = "
fcm.service-account = \"account.json\"
[apns]
keystore = \"push.p12\"
password = \"PASSWORD\"
topic = \"TOPIC\"
production = false
";

/// Writes a file as an operator's tools do: under another name first.
fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let unfinished = folder.join(format!(".{name}.new"));
    std::fs::write(&unfinished, bytes).unwrap();
    std::fs::rename(unfinished, folder.join(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_certificates_take_effect_at_once_and_no_push_is_lost() {
    certificates_are_replaced("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_certificates_take_effect_at_once_inside_the_hosts_process() {
    certificates_are_replaced("host").await;
}

async fn certificates_are_replaced(isolation: &str) {
    let providers = Providers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path();
    put(
        files,
        "account.json",
        &std::fs::read(providers.file("account.json")).unwrap(),
    );
    let of_another_app = providers
        .ca
        .client_keystore("org.example.other", KEYSTORE_PASSWORD)
        .unwrap();
    put(files, "push.p12", &of_another_app);
    let restricted = RESTRICTED
        .replace("PASSWORD", KEYSTORE_PASSWORD)
        .replace("TOPIC", TOPIC);
    put(files, "restricted.toml", restricted.as_bytes());

    let builder = Host::builder()
        .plugin("push-dovecot")
        .plugin("mobile-push-restricted");
    let host = providers
        .endpoints(builder)
        .set("belfry.mobile-push-restricted.folder", files.display())
        .set("belfry.plugin.mobile-push-restricted.isolation", isolation)
        .set("belfry.plugin.mobile-push.isolation", isolation)
        .start()
        .await;
    let crowd = Crowd::gather(&host, 1).await;
    let http = client();
    let mail = async |uid| {
        let body = notification(&crowd.users[0], uid);
        assert_eq!(
            notify(&http, host.internal(), &body).await,
            Some(StatusCode::OK)
        );
    };

    // The certificate is for another app: Apple refuses, Google does not care.
    mail(1).await;
    providers.fcm.wait_for_delivered(1, PATIENCE).await.unwrap();
    until("the refusal to be shown", async || {
        let (_, text) = host.ctl(&["health"]).await;
        text.contains("apns").then_some(())
    })
    .await;
    assert_eq!(providers.apns.delivered().len(), 0);

    // Half a file changes nothing; the right one takes effect without a restart.
    let right = providers
        .ca
        .client_keystore(TOPIC, KEYSTORE_PASSWORD)
        .unwrap();
    put(files, "push.p12", &right[..right.len() / 2]);
    put(files, "push.p12", &right);
    providers
        .apns
        .wait_for_delivered(1, PATIENCE)
        .await
        .unwrap();

    // While mail flows the certificate is replaced again and again.
    for uid in 2..=60 {
        if uid % 10 == 0 {
            put(
                files,
                "push.p12",
                &providers
                    .ca
                    .client_keystore(TOPIC, KEYSTORE_PASSWORD)
                    .unwrap(),
            );
        }
        mail(uid).await;
    }
    providers
        .apns
        .wait_for_delivered(60, PATIENCE)
        .await
        .unwrap();
    providers
        .fcm
        .wait_for_delivered(60, PATIENCE)
        .await
        .unwrap();
    assert_eq!(providers.apns.delivered().len(), 60);
    assert_eq!(host.plugin("mobile-push").await.unwrap()["generation"], 1);
}
