//! The key file of a Google service account.

use belfry_plugin_api::secret::Secret;
use serde::Deserialize;

use crate::http2::{Origin, ParseOriginError};
use crate::jwt::{KeyError, SigningKey};

/// Why a key file cannot be used. No variant shows anything of it but names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceAccountError {
    /// A key of the API that is gone, or anything else that is no JSON.
    #[error(
        "it is not a service account's JSON file. Server keys (com.openxchange.mobilepush.events.gcm.key) \
         stopped working when Google shut their API down in 2024: in the Firebase console open \
         Project settings, Service accounts, generate a new private key, and name the file that you get \
         in belfry.mobile-push.fcm.service-account"
    )]
    NotJson,
    /// JSON of another kind.
    #[error(
        "it is JSON, but not the key of a service account ({0}); in the Firebase console open Project \
         settings, Service accounts, and generate a new private key"
    )]
    NotServiceAccount(String),
    /// The `project_id` cannot be part of an address.
    #[error("its project_id {0:?} is not the id of a project")]
    BadProject(String),
    /// The `token_uri` is no address.
    #[error("its token_uri cannot be used: {0}")]
    BadTokenUri(#[from] ParseOriginError),
    /// The `private_key` does not sign.
    #[error("its private_key cannot be used: {0}")]
    BadKey(#[from] KeyError),
}

/// An account that may send to the apps of one Firebase project.
#[derive(Debug)]
pub struct ServiceAccount {
    pub(super) project_id: String,
    pub(super) client_email: String,
    pub(super) key: SigningKey,
    /// As the file says it: the audience of the assertion.
    pub(super) token_uri: String,
    pub(super) token_origin: Origin,
    pub(super) token_path: String,
}

#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    project_id: String,
    client_email: String,
    private_key: String,
    token_uri: String,
}

impl ServiceAccount {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// Where it is not that of a service account.
    pub fn parse(file: &Secret) -> Result<Self, ServiceAccountError> {
        let json: serde_json::Value =
            serde_json::from_slice(file.expose()).map_err(|_| ServiceAccountError::NotJson)?;
        if !json.is_object() {
            return Err(ServiceAccountError::NotJson);
        }
        if let Some(missing) = [
            "type",
            "project_id",
            "client_email",
            "private_key",
            "token_uri",
        ]
        .into_iter()
        .find(|name| !json[name].is_string())
        {
            return Err(ServiceAccountError::NotServiceAccount(format!(
                "it has no {missing}"
            )));
        }
        // The error of serde may quote a value, and one of the values is the key.
        let file: KeyFile = serde_json::from_value(json).map_err(|_| {
            ServiceAccountError::NotServiceAccount("a field is not text".to_owned())
        })?;
        let key = Secret::from(file.private_key);
        if file.kind != "service_account" {
            return Err(ServiceAccountError::NotServiceAccount(format!(
                "its type is {:?}",
                file.kind
            )));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.:_".contains(c);
        if file.project_id.is_empty() || !file.project_id.chars().all(plain) {
            return Err(ServiceAccountError::BadProject(file.project_id));
        }
        let (token_origin, token_path) = Origin::with_path(&file.token_uri)?;
        Ok(Self {
            project_id: file.project_id,
            client_email: file.client_email,
            key: SigningKey::rs256(&key)?,
            token_uri: file.token_uri,
            token_origin,
            token_path,
        })
    }

    /// The Firebase project.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(file: &str) -> String {
        ServiceAccount::parse(&file.into()).unwrap_err().to_string()
    }

    fn file(change: impl Fn(&mut Value)) -> String {
        let mut file = json!({
            "type": "service_account",
            "project_id": "mail-1",
            "client_email": "push@mail-1.iam.gserviceaccount.com",
            "private_key": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
            "token_uri": "https://oauth2.googleapis.com/token",
        });
        change(&mut file);
        file.to_string()
    }

    #[test]
    fn a_server_key_of_the_old_api_is_refused_with_what_to_do() {
        for key in [
            "AIzaSyD-hunter2",
            "AAAAhunter2:APA91b",
            "",
            "\"AIza-hunter2\"",
            "12",
        ] {
            let refusal = refusal(key);
            assert!(
                refusal.contains("Service accounts") && refusal.contains("2024"),
                "{refusal}"
            );
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn another_kind_of_json_is_refused_by_what_it_lacks() {
        assert!(refusal(r#"{"project_info": {}}"#).contains("it has no type"));
        let other = refusal(&file(|file| file["type"] = "authorized_user".into()));
        assert!(other.contains("authorized_user"), "{other}");
        let no_key = refusal(&file(|file| file["private_key"] = json!({"hunter2": 1})));
        assert!(
            no_key.contains("private_key") && !no_key.contains("hunter2"),
            "{no_key}"
        );
    }

    #[test]
    fn a_project_or_an_address_that_cannot_be_used_is_named() {
        let project = refusal(&file(|file| file["project_id"] = "../x".into()));
        assert!(project.contains("../x"), "{project}");
        let address = refusal(&file(|file| {
            file["token_uri"] = "http://example.org/token".into()
        }));
        assert!(address.contains("https"), "{address}");
    }

    #[test]
    fn a_damaged_key_is_refused_without_showing_it() {
        let refusal = refusal(&file(|_| ()));
        assert!(
            refusal.contains("private_key") && !refusal.contains("hunter2"),
            "{refusal}"
        );
    }
}
