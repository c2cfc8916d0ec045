//! Whether anything that the tests produced shows a secret.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// What passwords of tests look like: `mail-Secret-5`.
const PASSWORD: &str = "-Secret-";

/// What device tokens of tests begin with, for Android and for iPhones.
const TOKENS: [&str; 2] = ["fcm-token-0", "00000000000000000000000000000000000000"];

/// What private keys begin with.
const KEY: &str = "PRIVATE KEY-----";

/// Looks through every file in the folder.
///
/// # Errors
///
/// The folder cannot be read, or is empty, so that nothing was looked at; or something shows a
/// secret: where, but not which.
pub(super) fn look_for_them(folder: &Path) -> Result<()> {
    let mut lines = 0;
    let mut files = 0;
    for entry in
        fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?
    {
        let file = entry?.path();
        let text = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
        files += 1;
        for (number, line) in text.lines().enumerate() {
            lines += 1;
            if shows_a_secret(line) {
                bail!(
                    "{}:{} shows a password, token or key",
                    file.display(),
                    number + 1
                );
            }
        }
    }
    if files < 2 {
        bail!(
            "the tests left no logs in {}: nothing was looked at",
            folder.display()
        );
    }
    println!("no secret in {lines} lines of {files} logs and of the tests' own output");
    Ok(())
}

fn shows_a_secret(line: &str) -> bool {
    line.contains(PASSWORD) || line.contains(KEY) || TOKENS.iter().any(|token| line.contains(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_and_masked_ones_are_not() {
        for line in [
            "login with mail-Secret-5 failed",
            "-----BEGIN PRIVATE KEY-----",
            "push to fcm-token-00000001:APA91b",
            "/3/device/0000000000000000000000000000000000000000000000000000000000000001",
        ] {
            assert!(shows_a_secret(line), "{line}");
        }
        for line in [
            "password [secret]",
            "token 000000…",
            "fcm-to…",
            "{\"uid\":0}",
        ] {
            assert!(!shows_a_secret(line), "{line}");
        }
    }

    #[test]
    fn where_nothing_was_written_nothing_was_looked_at() {
        let folder = std::env::temp_dir().join("belfry-xtask-no-logs");
        fs::create_dir_all(&folder).unwrap();
        assert!(look_for_them(&folder).is_err());
        fs::remove_dir(&folder).unwrap();
    }
}
