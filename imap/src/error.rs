//! Why a login or a command failed, by what a caller does about it.

use crate::reply::Reply;

/// Why a login or a command failed.
///
/// The texts hold what the server said, on one line and cut short, and never a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server does not know this login with this password. Trying again does not help.
    #[error("the IMAP server refused the login or the password: {0}")]
    WrongCredentials(String),
    /// The server allows no more connections of this user from this address (`[LIMIT]`,
    /// RFC 5530, section 3).
    #[error("the IMAP server takes no more connections of this user: {0}")]
    Limit(String),
    /// The server cannot be reached or trusted, or is not able to work now. Later it may.
    #[error("the IMAP server is not available: {0}")]
    Unavailable(String),
    /// The server understood the command and declined it, for a reason that is none of the above.
    #[error("the IMAP server refused{}: {text}", code.as_ref().map(|code| format!(" with [{code}]")).unwrap_or_default())]
    Refused {
        /// The response code without its arguments, in upper case, such as `CANNOT`.
        code: Option<String>,
        /// What the server said after it.
        text: String,
    },
    /// What was said, by either side, is not the IMAP that the other expects.
    #[error("the IMAP conversation failed: {0}")]
    Protocol(String),
}

impl Error {
    /// What a `NO`, `BAD` or `BYE` to a login means.
    pub(crate) fn of_login(reply: Reply) -> Self {
        match (reply.status.as_str(), reply.code.as_deref()) {
            ("BAD", _) => Self::Protocol(reply.text),
            (_, Some("LIMIT")) => Self::Limit(reply.text),
            // RFC 5530, section 3: UNAVAILABLE, INUSE and SERVERBUG blame the server.
            (_, Some("UNAVAILABLE" | "INUSE" | "SERVERBUG")) | ("BYE", _) => {
                Self::Unavailable(reply.text)
            }
            (_, None | Some("AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED")) => {
                Self::WrongCredentials(reply.text)
            }
            (_, Some(_)) => Self::refused(reply),
        }
    }

    /// What a `NO`, `BAD` or `BYE` to any later command means.
    pub(crate) fn of_command(reply: Reply) -> Self {
        match (reply.status.as_str(), reply.code.as_deref()) {
            ("BAD", _) => Self::Protocol(reply.text),
            (_, Some("UNAVAILABLE" | "INUSE" | "SERVERBUG")) | ("BYE", _) => {
                Self::Unavailable(reply.text)
            }
            _ => Self::refused(reply),
        }
    }

    fn refused(reply: Reply) -> Self {
        Self::Refused {
            code: reply.code,
            text: reply.text,
        }
    }
}
