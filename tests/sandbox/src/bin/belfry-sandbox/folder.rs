//! The folder that an operator's host is pointed at.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use belfry_sandbox::{Apns, Fcm, ProviderKey, TestCa};
use uuid::Uuid;

use crate::args::Auth;

const TEAM_ID: &str = "BELFRYTEAM";
const KEYSTORE: &str = "apns.p12";
const PASSWORD: &str = "apns.password";
const SERVICE_ACCOUNT: &str = "fcm-service-account.json";
const PROPERTIES: &str = "sandbox.properties";

/// Credentials of a sandbox, some of them from an earlier run.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) ca: TestCa,
    pub(crate) key: ProviderKey,
    key_file: PathBuf,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        let path = path.canonicalize()?;
        let ca = TestCa::load_or_create(&path)
            .with_context(|| format!("cannot use the authority in {}", path.display()))?;
        let (key, key_file) = provider_key(&path)?;
        Ok(Self {
            path,
            ca,
            key,
            key_file,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what depends on the addresses and the topic.
    pub(crate) fn write(&self, apns: &Apns, fcm: &Fcm, topic: &str, auth: Auth) -> Result<()> {
        let password = self.password()?;
        self.put(KEYSTORE, &self.ca.client_keystore(topic, &password)?)?;
        self.put(SERVICE_ACCOUNT, fcm.service_account_json().as_bytes())?;
        let properties = self.properties(apns, fcm, topic, &password, auth);
        self.put(PROPERTIES, properties.as_bytes())
    }

    fn password(&self) -> Result<String> {
        match fs::read_to_string(self.path.join(PASSWORD)) {
            Ok(password) => Ok(password.trim().to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let password = Uuid::new_v4().simple().to_string();
                self.put(PASSWORD, password.as_bytes())?;
                Ok(password)
            }
            Err(error) => Err(error).context(format!("cannot read {PASSWORD}")),
        }
    }

    fn properties(
        &self,
        apns: &Apns,
        fcm: &Fcm,
        topic: &str,
        password: &str,
        auth: Auth,
    ) -> String {
        let file = |name: &str| self.path.join(name).display().to_string();
        let ca = file("ca.pem");
        let mut lines = vec![
            (
                "com.openxchange.mobilepush.events.apn.ios.enabled",
                "true".to_owned(),
            ),
            (
                "com.openxchange.mobilepush.events.apn.ios.production",
                "false".to_owned(),
            ),
            ("belfry.mobile-push.apns.endpoint", apns.endpoint()),
            ("belfry.mobile-push.apns.ca", ca.clone()),
            ("belfry.mobile-push.apns.topic", topic.to_owned()),
        ];
        match auth {
            Auth::Keystore => lines.extend([
                (
                    "com.openxchange.mobilepush.events.apn.ios.keystore",
                    file(KEYSTORE),
                ),
                (
                    "com.openxchange.mobilepush.events.apn.ios.password",
                    password.to_owned(),
                ),
            ]),
            Auth::Key => lines.extend([
                (
                    "belfry.mobile-push.apns.key",
                    self.key_file.display().to_string(),
                ),
                (
                    "belfry.mobile-push.apns.key-id",
                    self.key.key_id().to_owned(),
                ),
                (
                    "belfry.mobile-push.apns.team-id",
                    self.key.team_id().to_owned(),
                ),
            ]),
        }
        lines.extend([
            (
                "com.openxchange.mobilepush.events.gcm.enabled",
                "true".to_owned(),
            ),
            (
                "belfry.mobile-push.fcm.service-account",
                file(SERVICE_ACCOUNT),
            ),
            ("belfry.mobile-push.fcm.endpoint", fcm.endpoint()),
            ("belfry.mobile-push.fcm.ca", ca),
        ]);
        let mut text =
            "# Written by belfry-sandbox at each start: points Belfry at its doubles.\n".to_owned();
        for (key, value) in lines {
            // In Java properties a backslash starts an escape.
            text.push_str(&format!("{key}={}\n", value.replace('\\', "\\\\")));
        }
        text
    }

    /// Replaces a file in one step, for a host may be watching; all are for their owner's eyes only.
    fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        put(&self.path.join(name), content)
    }
}

/// The key of an earlier run, recognised by its file name, or a new one.
fn provider_key(folder: &Path) -> Result<(ProviderKey, PathBuf)> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let id = name
            .strip_prefix("AuthKey_")
            .and_then(|rest| rest.strip_suffix(".p8"));
        if let Some(id) = id {
            let key = ProviderKey::from_p8(&fs::read_to_string(&path)?, id, TEAM_ID).with_context(
                || format!("cannot use {}; remove it for a new one", path.display()),
            )?;
            return Ok((key, path));
        }
    }
    let key = ProviderKey::generate(TEAM_ID)?;
    let path = folder.join(format!("AuthKey_{}.p8", key.key_id()));
    put(&path, key.p8().as_bytes())?;
    Ok((key, path))
}

fn put(path: &Path, content: &[u8]) -> Result<()> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let draft = path.with_file_name(format!(".{name}.new"));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&draft, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}
