//! Mail logins.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use belfry_plugin_api::user::User;

/// The longest login, in bytes: the longest mail address (RFC 5321, section 4.5.3.1).
pub const MAX_LOGIN_BYTES: usize = 320;

/// A login at the mail store, usually a mail address.
///
/// Two logins are the same when they differ in letter case only. Domains never tell cases apart
/// (RFC 5321, section 2.4), and mail stores do not for logins: Dovecot folds them by default.
#[derive(Debug, Clone)]
pub struct Login {
    text: String,
    key: String,
}

/// What was given cannot be a login. The text is not repeated: people type passwords into the
/// wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseLoginError {
    /// Nothing is there.
    #[error("the login is empty")]
    Empty,
    /// Longer than [`MAX_LOGIN_BYTES`].
    #[error("the login has more than {MAX_LOGIN_BYTES} bytes")]
    TooLong,
    /// Blanks or control characters.
    #[error("the login holds blanks or control characters")]
    Characters,
    /// Mail servers write users' numbers in this form.
    #[error("the login has the form of USER@CONTEXT, which stands for a user's numbers")]
    Numbers,
}

impl Login {
    /// The login as it is said to the mail store: as it was given, with the domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What two spellings of the same login have in common.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The [key](Self::key) of a text, without a copy where it is in lower case already.
    pub fn key_of(text: &str) -> Cow<'_, str> {
        let folded = |c: char| c.is_ascii() && !c.is_ascii_uppercase();
        if text.chars().all(folded) {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(text.to_lowercase())
        }
    }
}

impl FromStr for Login {
    type Err = ParseLoginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ParseLoginError::Empty);
        }
        if text.len() > MAX_LOGIN_BYTES {
            return Err(ParseLoginError::TooLong);
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(ParseLoginError::Characters);
        }
        if text.parse::<User>().is_ok() {
            return Err(ParseLoginError::Numbers);
        }
        let text = match text.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
            None => text.to_owned(),
        };
        let key = Self::key_of(&text).into_owned();
        Ok(Self { text, key })
    }
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Login {}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_login_are_the_same_login() {
        let login: Login = " Anna.Berg@Example.COM ".parse().unwrap();
        assert_eq!(login.as_str(), "Anna.Berg@example.com");
        assert_eq!(login.key(), "anna.berg@example.com");
        assert_eq!(login, "anna.berg@EXAMPLE.com".parse().unwrap());
        assert_eq!(
            "ÄNNE@müller.de".parse::<Login>().unwrap().key(),
            "änne@müller.de"
        );
    }

    #[test]
    fn what_cannot_be_a_login_is_refused() {
        let error = |text: &str| text.parse::<Login>().unwrap_err();
        assert_eq!(error("  "), ParseLoginError::Empty);
        assert_eq!(error(&"x".repeat(321)), ParseLoginError::TooLong);
        assert_eq!(error("a b"), ParseLoginError::Characters);
        assert_eq!(error("a\r\nb"), ParseLoginError::Characters);
        assert_eq!(error("249@1"), ParseLoginError::Numbers);
    }

    #[test]
    fn a_folded_text_is_not_copied() {
        assert!(matches!(
            Login::key_of("anna@example.com"),
            Cow::Borrowed(_)
        ));
        assert_eq!(Login::key_of("Anna@example.com"), "anna@example.com");
    }
}
