//! The form of a notification: what must be there before it is accepted.

use std::collections::BTreeMap;

use belfry_plugin_api::manifest::{FieldType, Route};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The longest name of a user, in bytes: an address has at most 254 (RFC 5321, section 4.5.3.1.3).
const MAX_USER_BYTES: usize = 512;

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a JSON object.
    #[error("the body is no JSON object: {0}")]
    NotAnObject(String),
    /// A required field is not there.
    #[error("the field {0} is missing")]
    Missing(String),
    /// A field has another type.
    #[error("the field {name} must be {wanted}")]
    Type {
        /// Which field.
        name: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The user's name is empty or too long.
    #[error("the field {0} names no user: it has 1 to {MAX_USER_BYTES} bytes")]
    User(String),
}

/// The types that fields can have; contents that do not matter are skipped, not stored.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Integer(#[expect(dead_code, reason = "only whether it is one matters")] u32),
    Text(String),
    Other(IgnoredAny),
}

/// Checks that a route's fields are there and of their types. Returns the user's name, where the
/// route has a field for it.
///
/// # Errors
///
/// Names the first field that is wrong.
pub fn check_fields(route: &Route, body: &[u8]) -> Result<Option<String>, Malformed> {
    let mut fields: BTreeMap<String, Field> =
        serde_json::from_slice(body).map_err(|error| Malformed::NotAnObject(error.to_string()))?;
    for (name, wanted) in &route.fields {
        let field = fields
            .get(name)
            .ok_or_else(|| Malformed::Missing(name.clone()))?;
        let (fits, wanted) = match wanted {
            FieldType::String => (matches!(field, Field::Text(_)), "a string"),
            FieldType::Integer => (
                matches!(field, Field::Integer(_)),
                "a whole number from 0 to 4294967295",
            ),
            FieldType::Any => (
                !matches!(field, Field::Other(_)),
                "a string or a whole number",
            ),
        };
        if !fits {
            return Err(Malformed::Type {
                name: name.clone(),
                wanted,
            });
        }
    }
    let Some(name) = &route.user else {
        return Ok(None);
    };
    match fields.remove(name) {
        Some(Field::Text(user)) if (1..=MAX_USER_BYTES).contains(&user.len()) => Ok(Some(user)),
        _ => Err(Malformed::User(name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use belfry_plugin_api::manifest::{Accept, Surface};
    use proptest::prelude::*;

    use super::*;

    fn route() -> Route {
        Route {
            name: "notify".into(),
            surface: Surface::Internal,
            methods: vec!["PUT".into()],
            paths: vec!["/notify".into()],
            accept: Accept::Inbox,
            user: Some("user".into()),
            fields: BTreeMap::from([
                ("user".into(), FieldType::String),
                ("imap-uid".into(), FieldType::Integer),
            ]),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |body: &str| {
            check_fields(&route(), body.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(said("").contains("no JSON object"));
        assert!(said("[]").contains("no JSON object"));
        assert!(said("{\"user\":\"a\",").contains("no JSON object"));
        assert!(said("{\"user\":\"a\"}").contains("imap-uid is missing"));
        assert!(said("{\"user\":\"a\",\"imap-uid\":-1}").contains("imap-uid must be"));
        assert!(said("{\"user\":\"a\",\"imap-uid\":\"1\"}").contains("imap-uid must be"));
        assert!(said("{\"user\":1,\"imap-uid\":1}").contains("user must be a string"));
        assert!(said("{\"user\":\"\",\"imap-uid\":1}").contains("names no user"));
    }

    #[test]
    fn further_fields_may_be_anything() {
        let body = r#"{"user":"7@1","imap-uid":1,"x":{"y":[1,2.5,null,"z"]}}"#;
        assert_eq!(
            check_fields(&route(), body.as_bytes()),
            Ok(Some("7@1".into()))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = check_fields(&route(), &body);
        }
    }
}
