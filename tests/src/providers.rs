//! The doubles of both providers, and the credentials that a host reaches them with.

use std::path::PathBuf;

use belfry_sandbox::{
    Apns, ApnsOptions, Fcm, FcmOptions, ProviderKey, Record, ServiceAccount, TestCa,
};
use tempfile::TempDir;

use crate::host::Builder;

/// The app's bundle id.
pub const TOPIC: &str = "org.example.mail";

/// The password of the keystore.
pub const KEYSTORE_PASSWORD: &str = "keystore-Secret-2";

/// Both doubles.
pub struct Providers {
    /// Apple's.
    pub apns: Apns,
    /// Google's.
    pub fcm: Fcm,
    /// The test's own certificate authority.
    pub ca: TestCa,
    key: ProviderKey,
    folder: TempDir,
}

/// How a host shows APNs who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApnsBy {
    /// By a client certificate.
    Certificate,
    /// By a token signed with a `.p8` key.
    Key,
}

impl Providers {
    /// Starts both.
    pub async fn start() -> Self {
        Self::start_recording(|| Record::Full).await
    }

    /// Starts both, keeping so much of what they see.
    pub async fn start_recording(record: impl Fn() -> Record) -> Self {
        let ca = TestCa::new().unwrap();
        let key = ProviderKey::generate("TEAM123456").unwrap();
        let mut options = ApnsOptions::new(&ca, TOPIC).key(key.accepted());
        options.record = record();
        let apns = Apns::start(options).await.unwrap();
        let account = ServiceAccount::new("belfry-test", "push@belfry-test.example");
        let mut options = FcmOptions::new(&ca, account.clone());
        options.record = record();
        let fcm = Fcm::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("ca.pem", ca.pem().as_bytes());
        write(
            "push.p12",
            &ca.client_keystore(TOPIC, KEYSTORE_PASSWORD).unwrap(),
        );
        write("key.p8", key.p8().as_bytes());
        write("account.json", account.json(fcm.token_uri()).as_bytes());
        Self {
            apns,
            fcm,
            ca,
            key,
            folder,
        }
    }

    /// A file with credentials.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Points a host at both.
    #[must_use]
    pub fn of(&self, host: Builder, by: ApnsBy) -> Builder {
        let file = |name: &str| self.file(name).display().to_string();
        let host = self
            .endpoints(host)
            .set(
                "belfry.mobile-push.fcm.service-account",
                file("account.json"),
            )
            .set("belfry.mobile-push.apns.topic", TOPIC);
        match by {
            ApnsBy::Certificate => host
                .set(
                    "com.openxchange.mobilepush.events.apn.ios.keystore",
                    file("push.p12"),
                )
                .set(
                    "com.openxchange.mobilepush.events.apn.ios.password",
                    KEYSTORE_PASSWORD,
                ),
            ApnsBy::Key => host
                .set("belfry.mobile-push.apns.key", file("key.p8"))
                .set("belfry.mobile-push.apns.key-id", self.key.key_id())
                .set("belfry.mobile-push.apns.team-id", self.key.team_id()),
        }
    }

    /// Points a host at both, with no credentials.
    #[must_use]
    pub fn endpoints(&self, host: Builder) -> Builder {
        let ca = self.file("ca.pem").display().to_string();
        host.plugin("mobile-push")
            .set("com.openxchange.mobilepush.events.apn.ios.enabled", "true")
            .set("com.openxchange.mobilepush.events.gcm.enabled", "true")
            .set("belfry.mobile-push.apns.endpoint", self.apns.endpoint())
            .set("belfry.mobile-push.apns.ca", &ca)
            .set("belfry.mobile-push.fcm.endpoint", self.fcm.endpoint())
            .set("belfry.mobile-push.fcm.ca", &ca)
    }

    /// Fails where either saw something that its rules forbid.
    ///
    /// # Panics
    ///
    /// With the list.
    pub fn assert_no_violations(&self) {
        let seen = (self.apns.violations(), self.fcm.violations());
        assert!(seen.0.is_empty() && seen.1.is_empty(), "{seen:?}");
    }
}
