//! A provider token that outlives the process that signed it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use belfry_plugin_api::secret::Secret;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;

use super::SigningKey;

/// The largest file that is read, in bytes; a token has some 250.
const MAX_BYTES: u64 = 4_096;

#[derive(Deserialize)]
struct Claims {
    iat: u64,
}

/// The name of the file for a key's token.
pub(super) fn file_name(team_id: &str, key_id: &str) -> String {
    let plain = |text: &str| -> String {
        let kept = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        text.chars().map(kept).collect()
    };
    format!("provider-token-{}-{}", plain(team_id), plain(key_id))
}

/// The token and when it was signed, where the file holds one that this key signed.
pub(super) fn read(file: &Path, key: &SigningKey) -> Option<(Secret, SystemTime)> {
    if std::fs::metadata(file).ok()?.len() > MAX_BYTES {
        return None;
    }
    let token = Secret::new(std::fs::read(file).ok()?);
    let (signed, signature) = token.expose_str()?.rsplit_once('.')?;
    let (_, claims) = signed.split_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public())
        .verify(signed.as_bytes(), &signature)
        .ok()?;
    let claims: Claims =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(claims.iat))?;
    Some((token, at))
}

/// Keeps a token. Where that is not possible it works all the same, until a restart.
pub(super) fn write(file: &Path, token: &Secret) {
    let unfinished = file.with_extension("unfinished");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut out| out.write_all(token.expose()))
        .and_then(|()| std::fs::rename(&unfinished, file));
    if let Err(error) = written {
        tracing::warn!(file = %file.display(), %error,
            "the provider token cannot be kept; after a restart APNs may refuse a new one for 20 minutes");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::testing::HandClock;
    use crate::jwt::ProviderTokens;

    fn key(pem: &str) -> SigningKey {
        SigningKey::es256(&Secret::from(pem)).unwrap()
    }

    fn new_pem() -> String {
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .unwrap()
            .serialize_pem()
    }

    #[test]
    fn a_token_outlives_its_process_until_it_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let pem = new_pem();
        let token_at = |seconds| {
            let tokens = ProviderTokens::kept_in(folder.path(), Arc::new(HandClock::at(seconds)));
            tokens
                .of(key(&pem), "KEY1234567", "TEAM123456")
                .header()
                .unwrap()
        };
        let first = token_at(1_000_000);
        assert_eq!(token_at(1_000_000 + 49 * 60), first);
        assert_ne!(token_at(1_000_000 + 51 * 60), first);
    }

    #[test]
    fn a_file_that_is_no_token_of_this_key_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HandClock::at(1_000_000));
        let tokens = ProviderTokens::kept_in(folder.path(), clock);
        tokens
            .of(key(&new_pem()), "KEY1234567", "TEAM123456")
            .header()
            .unwrap();
        let file = folder.path().join(file_name("TEAM123456", "KEY1234567"));
        assert!(read(&file, &key(&new_pem())).is_none());
        for text in ["", ".", "..", "a.b.c", "a.e30.c"] {
            std::fs::write(&file, text).unwrap();
            assert!(read(&file, &key(&new_pem())).is_none(), "{text:?}");
        }
    }
}
