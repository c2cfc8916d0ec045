//! Telling Dovecot which users' new mail to report, and as whom.
//!
//! Dovecot's `ox` driver reports mail of a user only while an entry of server metadata is set
//! (RFC 5464); with `user_from_metadata` it reports the user that stands there.

use belfry_imap::{ImapEndpoint, ImapSession, Login};
use belfry_plugin_api::error::{Error, Result};
use belfry_plugin_api::user::User;

/// The entry, on the mailbox `""`. Of the same name on `INBOX` is another, which nobody reads.
pub const ENTRY: &str = "/private/vendor/vendor.dovecot/http-notify";

/// The mailbox that stands for the server (RFC 5464, section 3).
const SERVER: &str = "";

/// Makes Dovecot report new mail of whom `login` logs in, as mail of `user`. Doing it again
/// changes nothing. It holds from the next delivery on.
///
/// # Errors
/// Permanent where an operator or the user must change something, else temporary.
pub async fn register(endpoint: &ImapEndpoint, login: &Login, user: User) -> Result<()> {
    let value = value(user);
    set(endpoint, login, Some(&value))
        .await
        .map_err(|error| error.context(format!("cannot ask Dovecot to report the mail of {user}")))
}

/// Makes Dovecot report no more of the mail of whom `login` logs in. Doing it again changes
/// nothing.
///
/// # Errors
/// As [`register`].
pub async fn unregister(endpoint: &ImapEndpoint, login: &Login) -> Result<()> {
    set(endpoint, login, None)
        .await
        .map_err(|error| error.context("cannot ask Dovecot to report no more mail"))
}

async fn set(endpoint: &ImapEndpoint, login: &Login, value: Option<&str>) -> Result<()> {
    let session = endpoint.login(login).await;
    let mut session = session.map_err(|error| explained(endpoint, error))?;
    let result = set_in(&mut session, endpoint, value).await;
    session.logout().await;
    result
}

async fn set_in(
    session: &mut ImapSession,
    endpoint: &ImapEndpoint,
    value: Option<&str>,
) -> Result<()> {
    let capabilities = session.capabilities().await;
    let capabilities = capabilities.map_err(|error| explained(endpoint, error))?;
    if !capabilities.has("METADATA") {
        return Err(Error::permanent(format!(
            "{endpoint} offers no METADATA: set `imap_metadata = yes` for the protocol imap and \
             `mail_attribute_dict = file:%h/dovecot-attributes` in Dovecot's configuration"
        )));
    }
    let set = session.set_metadata(SERVER, ENTRY, value).await;
    set.map_err(|error| explained(endpoint, error))
}

/// What an operator reads, and whether trying again can help.
fn explained(endpoint: &ImapEndpoint, error: belfry_imap::Error) -> Error {
    use belfry_imap::Error as Imap;
    match error {
        Imap::WrongCredentials(text) => Error::permanent(format!(
            "{endpoint} refused the login or the password ({text}): where the user's password \
             changed, the user has to log in again"
        )),
        Imap::Limit(text) => Error::temporary(format!(
            "{endpoint} takes no more connections of this user ({text}): close some, or raise \
             `mail_max_userip_connections` in Dovecot's configuration"
        )),
        Imap::Refused { code, text } if code.as_deref() == Some("CANNOT") => {
            Error::permanent(format!(
                "{endpoint} keeps no metadata ({text}): set `mail_attribute_dict = \
                 file:%h/dovecot-attributes` beside `imap_metadata = yes` in Dovecot's \
                 configuration"
            ))
        }
        error @ Imap::Refused { .. } => Error::permanent(format!("{endpoint}: {error}")),
        error => Error::temporary(format!("{endpoint}: {error}")),
    }
}

/// The entry's value for a user: `user=7@1`.
fn value(user: User) -> String {
    pairs(&[("user", &user.to_string())])
}

/// `key=value` pairs as Dovecot keeps them: separated by tabs, and tabs inside escaped.
fn pairs(pairs: &[(&str, &str)]) -> String {
    let pair = |(key, value): &(&str, &str)| format!("{}={}", tab_escaped(key), tab_escaped(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("\t")
}

/// Dovecot's `str_tabescape` (lib/strescape.c): U+0001 begins an escape sequence.
fn tab_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\u{1}0"),
            '\u{1}' => out.push_str("\u{1}1"),
            '\t' => out.push_str("\u{1}t"),
            '\r' => out.push_str("\u{1}r"),
            '\n' => out.push_str("\u{1}n"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use belfry_tests::dovecot::{Builder, Dovecot};
    use belfry_tests::lmtp;

    use super::*;

    const LOGIN: &str = "user1@example.com";
    const PASSWORD: &str = "a password";
    const USER: User = User { context: 1, id: 7 };

    fn one_user() -> Builder {
        Dovecot::builder().users([(LOGIN, PASSWORD)])
    }

    fn endpoint(dovecot: &Dovecot) -> ImapEndpoint {
        ImapEndpoint::parse(&dovecot.imap_url(), None).unwrap()
    }

    fn login() -> Login {
        Login::user(LOGIN, PASSWORD)
    }

    async fn entry(dovecot: &Dovecot) -> Option<String> {
        let mut session = endpoint(dovecot).login(&login()).await.unwrap();
        let entry = session.get_server_metadata(ENTRY).await.unwrap();
        session.logout().await;
        entry
    }

    #[test]
    fn values_are_tab_separated_and_escaped() {
        assert_eq!(value(USER), "user=7@1");
        assert_eq!(
            pairs(&[("user", "a\tb"), ("x", "\u{1}\r\n\0")]),
            "user=a\u{1}tb\tx=\u{1}1\u{1}r\u{1}n\u{1}0"
        );
    }

    #[tokio::test]
    async fn registering_and_unregistering_can_be_repeated() {
        let dovecot = one_user().start().await.unwrap();
        let endpoint = endpoint(&dovecot);
        for _ in 0..2 {
            register(&endpoint, &login(), USER).await.unwrap();
            assert_eq!(entry(&dovecot).await.as_deref(), Some("user=7@1"));
        }
        for _ in 0..2 {
            unregister(&endpoint, &login()).await.unwrap();
            assert_eq!(entry(&dovecot).await, None);
        }
        dovecot.assert_no_errors();
    }

    #[tokio::test]
    async fn a_registered_user_is_the_one_that_dovecot_reports() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dovecot = one_user()
            .driver_url(&format!("http://login:pass@127.0.0.1:{port}/notify"))
            .user_from_metadata(true)
            .start()
            .await
            .unwrap();
        register(&endpoint(&dovecot), &login(), USER).await.unwrap();
        let message = lmtp::mail("a@example.org", "Hello", "body");
        let server = dovecot.lmtp_address();
        let delivery = tokio::spawn(async move {
            lmtp::deliver(server, "a@example.org", &[LOGIN], &message).await
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.ends_with('}') {
            use tokio::io::AsyncReadExt;
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "{request}");
            request += std::str::from_utf8(&buffer[..read]).unwrap();
        }
        assert!(request.contains(r#"{"user":"7@1","#), "{request}");
        drop(stream);
        drop(listener);
        assert!(delivery.await.unwrap().unwrap()[0].is_success());
    }

    #[tokio::test]
    async fn a_wrong_password_is_permanent_and_never_repeated() {
        let dovecot = one_user().start().await.unwrap();
        let wrong = Login::user(LOGIN, "hunter2");
        let error = register(&endpoint(&dovecot), &wrong, USER)
            .await
            .unwrap_err();
        assert!(error.is_permanent(), "{error}");
        assert!(error.to_string().contains("7@1"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn a_dovecot_without_metadata_is_answered_with_its_two_settings() {
        for wanted in [
            one_user().imap_metadata(false),
            one_user().extra("mail_attribute_dict ="),
        ] {
            let dovecot = wanted.start().await.unwrap();
            let error = register(&endpoint(&dovecot), &login(), USER)
                .await
                .unwrap_err();
            assert!(error.is_permanent(), "{error}");
            for setting in ["mail_attribute_dict", "imap_metadata"] {
                assert!(error.to_string().contains(setting), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_dovecot_that_is_away_is_temporary_and_named() {
        let mut dovecot = one_user().start().await.unwrap();
        dovecot.stop().await;
        let error = unregister(&endpoint(&dovecot), &login()).await.unwrap_err();
        assert!(!error.is_permanent(), "{error}");
        assert!(error.to_string().contains(&dovecot.imap_url()), "{error}");
    }
}
