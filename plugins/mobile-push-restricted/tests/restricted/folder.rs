//! A folder of real certificates and keys.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};

pub(crate) const PASSWORD: &str = "hunter2-of-the-keystore";

pub(crate) const SERVICE_ACCOUNT: &str = include_str!("../data/test-only-service-account.json");

pub(crate) const CERTIFICATE: &str = r#"
[apns]
keystore = "push.p12"
password = "hunter2-of-the-keystore"
topic = "org.example.mail"
production = true
"#;

pub(crate) const KEY: &str = r#"
[apns]
key = "push.p8"
key-id = "KEYID12345"
team-id = "TEAMID1234"
"#;

pub(crate) const FCM: &str = r#"
[fcm]
service-account = "account.json"
"#;

pub(crate) struct Folder {
    around: tempfile::TempDir,
}

impl Folder {
    /// A folder that is not there yet.
    pub(crate) fn missing() -> Self {
        Self {
            around: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder with these files, which only their owner can read.
    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self::missing();
        folder.fill(&folder.path(), files);
        folder
    }

    /// One with the certificate of [`CERTIFICATE`], and its keystore.
    pub(crate) fn with_certificate() -> (Self, Vec<u8>) {
        let keystore = keystore(PASSWORD);
        let files: [(&str, &[u8]); 2] = [
            ("push.p12", &keystore),
            ("restricted.toml", CERTIFICATE.as_bytes()),
        ];
        (Self::with(&files), keystore)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.beside("restricted")
    }

    /// A path outside the folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    pub(crate) fn fill(&self, folder: &Path, files: &[(&str, &[u8])]) {
        fs::create_dir_all(folder).unwrap();
        for (name, bytes) in files {
            write(&folder.join(name), bytes);
        }
    }

    /// Replaces a file by another one, as editors and package managers do.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) {
        let temporary = self.path().join(format!(".{name}.new"));
        write(&temporary, bytes);
        fs::rename(temporary, self.path().join(name)).unwrap();
    }

    /// Writes a file anew, in its place.
    pub(crate) fn overwrite(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    pub(crate) fn link(&self, target: &str, name: &str) {
        symlink(target, self.path().join(name)).unwrap();
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        set_mode(&self.path().join(name), mode);
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A keystore with a new key, valid for long.
pub(crate) fn keystore(password: &str) -> Vec<u8> {
    keystore_with(password, |params| {
        params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    })
}

/// A keystore with a new key and a certificate like this.
pub(crate) fn keystore_with(password: &str, set: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["push.example".into()]).unwrap();
    set(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    let chain = PrivateKeyChain::new(
        "id",
        PrivateKey::from_der(key.serialized_der()).unwrap(),
        [Certificate::from_der(certificate.der()).unwrap()],
    );
    let mut store = KeyStore::new();
    store.add_entry("push", KeyStoreEntry::PrivateKeyChain(chain));
    // The default number of rounds takes long without optimization.
    let writer = store.writer(password).encryption_iterations(500);
    writer.mac_iterations(500).write().unwrap()
}

/// A key as Apple's .p8 files are.
pub(crate) fn p8() -> String {
    KeyPair::generate().unwrap().serialize_pem()
}

/// A key that APNs takes no tokens of.
pub(crate) fn p384() -> String {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    key.serialize_pem()
}
