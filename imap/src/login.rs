//! Who logs in, and by which mechanism.

use async_imap::{Authenticator, Client, Session};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use belfry_plugin_api::secret::Secret;

use crate::connect::failure;
use crate::wire::Wire;
use crate::{Capabilities, Error};

/// Who logs in.
#[derive(Debug, Clone)]
pub enum Login {
    /// A user with a password of the user's own.
    User {
        /// The mail login.
        login: String,
        /// The password.
        password: Secret,
    },
    /// A master user, who may act as any user.
    Master {
        /// The mail login of the user to act as.
        user: String,
        /// The master user's own name.
        master_user: String,
        /// The master user's password.
        master_password: Secret,
        /// What stands between both names where the server wants them as one, `*` in
        /// `user*master`. Used only with a server that does not offer SASL PLAIN.
        separator: String,
    },
}

impl Login {
    /// A user with a password of the user's own.
    pub fn user(login: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::User {
            login: login.into(),
            password: password.into(),
        }
    }

    /// The name of the user whose mail is reached.
    pub fn name(&self) -> &str {
        match self {
            Self::User { login, .. } => login,
            Self::Master { user, .. } => user,
        }
    }

    /// The same, taken apart and checked for what cannot be said in IMAP.
    fn parts(&self) -> Result<Parts<'_>, Error> {
        let (act_as, name, password, separator) = match self {
            Self::User { login, password } => ("", login, password, ""),
            Self::Master {
                user,
                master_user,
                master_password,
                separator,
            } => (
                user.as_str(),
                master_user,
                master_password,
                separator.as_str(),
            ),
        };
        let wrong = |reason: &str| Err(Error::WrongCredentials(reason.to_owned()));
        let Some(password) = password.expose_str() else {
            return wrong("a password must be UTF-8");
        };
        if name.is_empty() || password.is_empty() || self.name().is_empty() {
            return wrong("login and password may not be empty");
        }
        if [act_as, name, password, separator]
            .iter()
            .any(|text| text.contains(['\r', '\n', '\0']))
        {
            return wrong("login and password may not hold a line break or NUL");
        }
        Ok(Parts {
            act_as,
            name,
            password,
            separator,
        })
    }

    /// Logs in on a connection that is as safe as it will get.
    ///
    /// SASL PLAIN (RFC 4616) comes first: it carries every character, and names a master user and
    /// the user to act as apart. `LOGIN` is for servers that do not offer it.
    pub(crate) async fn perform(
        &self,
        client: Client<Wire>,
        offered: &Capabilities,
    ) -> Result<Session<Wire>, Error> {
        let parts = self.parts()?;
        let result = if offered.has("AUTH=PLAIN") {
            let message = parts.sasl_plain();
            let command = if offered.has("SASL-IR") {
                format!("PLAIN {}", STANDARD.encode(message.expose()))
            } else {
                "PLAIN".to_owned()
            };
            client.authenticate(command, Answer(&message)).await
        } else if offered.has("LOGINDISABLED") {
            return Err(Error::Unavailable(
                "it offers no login by password on this connection: use imaps:// or \
                 ?starttls=required, or allow plain-text logins in its configuration"
                    .to_owned(),
            ));
        } else {
            client.login(parts.login_name(), parts.password).await
        };
        result.map_err(|(error, client)| {
            let encoded = STANDARD.encode(parts.sasl_plain().expose());
            let secrets = [parts.password, &encoded];
            failure(&error, client.get_ref(), |reply| {
                Error::of_login(reply.without(&secrets))
            })
        })
    }
}

struct Parts<'a> {
    /// The user to act as; empty where it is the one who logs in.
    act_as: &'a str,
    name: &'a str,
    password: &'a str,
    separator: &'a str,
}

impl Parts<'_> {
    /// `message = [authzid] NUL authcid NUL passwd` (RFC 4616, section 2).
    fn sasl_plain(&self) -> Secret {
        Secret::from([self.act_as, self.name, self.password].join("\0"))
    }

    fn login_name(&self) -> String {
        if self.act_as.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}{}{}", self.act_as, self.separator, self.name)
        }
    }
}

/// Answers the server's challenge, which is empty for PLAIN.
struct Answer<'a>(&'a Secret);

impl<'a> Authenticator for Answer<'a> {
    type Response = &'a [u8];

    fn process(&mut self, _challenge: &[u8]) -> &'a [u8] {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let login = Login::user("anna@example.com", "hunter2");
        assert!(!format!("{login:?}").contains("hunter2"));
    }

    #[test]
    fn what_could_smuggle_a_command_is_refused_before_it_is_sent() {
        for (name, password) in [
            ("a\r\nA2 LOGOUT", "pw"),
            ("a", "p\nw"),
            ("a", "p\0w"),
            ("", "pw"),
            ("a", ""),
        ] {
            let refused = Login::user(name, password).parts().err();
            assert!(
                matches!(refused, Some(Error::WrongCredentials(_))),
                "{name:?} {password:?}"
            );
        }
        let not_text = Login::User {
            login: "a".into(),
            password: Secret::new(vec![0xff]),
        };
        assert!(not_text.parts().is_err());
    }

    #[test]
    fn a_master_user_acts_as_a_user() {
        let login = Login::Master {
            user: "anna".into(),
            master_user: "root".into(),
            master_password: "pw".into(),
            separator: "*".into(),
        };
        let parts = login.parts().unwrap();
        assert_eq!(parts.sasl_plain().expose(), b"anna\0root\0pw");
        assert_eq!(parts.login_name(), "anna*root");
        assert_eq!(login.name(), "anna");
    }
}
