//! The credential for FCM: a service account of Google's.

use belfry_plugin_api::secret::Secret;
use ring::signature::RsaKeyPair;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use crate::contents::Contents;
use crate::file_name::FileName;
use crate::offer::{Offer, credential};

/// Makes an offer of the file that `restricted.toml` names.
///
/// # Errors
///
/// Says why the file cannot be used.
pub(crate) fn offer(contents: &Contents, name: &FileName) -> Result<Offer, String> {
    let file = contents.file(name)?;
    let path = contents.path(name);
    let account = check(&file.bytes).map_err(|why| format!("{} {why}", path.display()))?;
    Ok(Offer {
        credential: credential([("service-account", Some(file.bytes.clone()))]),
        what: format!("{account} in {}", path.display()),
        end: None,
    })
}

/// Checks the JSON key file of a service account and says whose it is. Errors repeat nothing of
/// it: the decoder's own would quote values.
fn check(file: &Secret) -> Result<String, String> {
    let json: Value = serde_json::from_slice(file.expose()).map_err(|error| {
        format!(
            "is not JSON: it cannot be read from line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    let text = |name: &str| match json.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(format!(
            "is not the key file of a service account: it has no {name}"
        )),
    };
    if text("type")? != "service_account" {
        return Err("is not the key file of a service account: its type is another one".into());
    }
    let (project, email) = (text("project_id")?, text("client_email")?);
    let token_uri = text("token_uri")?;
    if !token_uri.starts_with("https://") && !token_uri.starts_with("http://") {
        return Err("has a token_uri that is not an HTTP address".into());
    }
    check_key(text("private_key")?)?;
    Ok(format!("service account {email} of project {project}"))
}

/// Google takes tokens that are signed with RS256.
fn check_key(pem: &str) -> Result<(), String> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "has a private_key that is not in PEM (BEGIN PRIVATE KEY)".to_owned())?;
    RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
        .map(drop)
        .map_err(|error| format!("has a private_key that is no RSA key: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = include_str!("../tests/data/test-only-service-account.json");

    fn why(text: &str) -> String {
        check(&text.into()).unwrap_err()
    }

    #[test]
    fn a_service_account_is_told_by_its_address_and_project() {
        assert_eq!(
            check(&ACCOUNT.into()).as_deref(),
            Ok("service account push@belfry-test.example of project belfry-test")
        );
    }

    #[test]
    fn each_fault_has_its_sentence() {
        assert_eq!(
            why("{\n  \"type\": service_account"),
            "is not JSON: it cannot be read from line 2, column 11"
        );
        for name in [
            "type",
            "project_id",
            "client_email",
            "token_uri",
            "private_key",
        ] {
            let sentence = format!("is not the key file of a service account: it has no {name}");
            let other = ACCOUNT.replace(&format!("\"{name}\""), "\"other\"");
            assert_eq!(why(&other), sentence);
            let number =
                ACCOUNT.replace(&format!("\"{name}\":"), &format!("\"{name}\": 1, \"o\":"));
            assert_eq!(why(&number), sentence);
        }
        for (from, to, sentence) in [
            (
                "service_account",
                "authorized_user",
                "is not the key file of a service account: its type is another one",
            ),
            (
                "https:",
                "file:",
                "has a token_uri that is not an HTTP address",
            ),
            (
                "BEGIN PRIVATE",
                "BEGIN MY",
                "has a private_key that is not in PEM (BEGIN PRIVATE KEY)",
            ),
        ] {
            assert_eq!(why(&ACCOUNT.replace(from, to)), sentence);
        }
        let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let mut account: Value = serde_json::from_str(ACCOUNT).unwrap();
        account["private_key"] = elliptic.into();
        let told = why(&account.to_string());
        assert!(
            told.starts_with("has a private_key that is no RSA key: "),
            "{told}"
        );
    }
}
