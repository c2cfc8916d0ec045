//! What of a value may be shown.

use url::Url;

use super::key::KeySpec;
use super::kind::Kind;

#[cfg(test)]
mod tests;

const HIDDEN: &str = "[hidden]";
const HIDDEN_IN_URL: &str = "hidden";

/// Longer values are cut in messages, in characters.
const LONGEST_SHOWN: usize = 120;

/// The value as an operator may see it: nothing of a secret, nor of a key that nobody declares
/// (it may be a secret of a plugin that is not installed), nor the password inside a URL.
pub(super) fn shown(spec: Option<&KeySpec>, value: &str) -> String {
    match spec {
        Some(spec) if !spec.secret => match spec.kind {
            Kind::Url { .. } => without_password(value),
            _ => value.to_owned(),
        },
        _ => HIDDEN.to_owned(),
    }
}

/// Like [`shown`], for a message: in quotes and not too long.
pub(super) fn quoted(spec: Option<&KeySpec>, value: &str) -> String {
    let shown = shown(spec, value);
    if shown == HIDDEN {
        return shown;
    }
    match shown.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{:?}…", &shown[..end]),
        None => format!("{shown:?}"),
    }
}

fn without_password(value: &str) -> String {
    let Ok(mut url) = Url::parse(value) else {
        // Whatever it is, an `@` may well end a password.
        let harmless = !value.contains(['@', '?']);
        return if harmless {
            value.to_owned()
        } else {
            HIDDEN.to_owned()
        };
    };
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["pass", "secret", "token", "key"]
            .iter()
            .any(|word| name.contains(word))
    };
    let has_password = url.password().is_some();
    // A user without a password is how NATS takes a token.
    let has_token = !has_password && !url.username().is_empty();
    if !has_password && !has_token && !url.query_pairs().any(|(name, _)| secret(&name)) {
        return value.to_owned();
    }
    let hidden = match (has_password, has_token) {
        (true, _) => url.set_password(Some(HIDDEN_IN_URL)),
        (_, true) => url.set_username(HIDDEN_IN_URL),
        _ => Ok(()),
    };
    if hidden.is_err() {
        return HIDDEN.to_owned();
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if !pairs.is_empty() {
        let shown = |(name, value)| {
            let value = if secret(name) { HIDDEN_IN_URL } else { value };
            (name, value)
        };
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        url.query_pairs_mut().clear().extend_pairs(pairs.map(shown));
    }
    url.into()
}
