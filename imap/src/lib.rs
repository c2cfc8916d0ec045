//! Logging in to a mail store by IMAP, for whoever has to: the host checks a session's password,
//! plugins set server metadata.
//!
//! An [`ImapEndpoint`] is read once from the configuration; [`ImapEndpoint::login`] then opens one
//! connection, makes it safe, and returns an [`ImapSession`] or an [`Error`] that says whose fault
//! it was. The protocol itself is spoken by `async-imap`; this crate adds what it leaves open:
//! certificates, deadlines, the choice of the mechanism, and errors by kind.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use belfry_imap::{ImapEndpoint, Login};
//!
//! let endpoint = ImapEndpoint::parse("imap://127.0.0.1:143", None)?;
//! let mut session = endpoint.login(&Login::user("user1@example.com", "secret")).await?;
//! session.set_metadata("", "/private/vendor/example", Some("value")).await?;
//! session.logout().await;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod capabilities;
mod connect;
mod deadline;
mod endpoint;
mod error;
mod login;
mod reply;
mod session;
mod transport;
mod trust;
mod wire;

pub use capabilities::Capabilities;
pub use connect::{CONNECT_TIMEOUT, LOGIN_TIMEOUT};
pub use endpoint::{EndpointError, ImapEndpoint, Security};
pub use error::Error;
pub use login::Login;
pub use session::{COMMAND_TIMEOUT, ImapSession, LOGOUT_TIMEOUT};

// async-imap writes every line that it sends to `log`, passwords included, at trace level. The
// workspace builds `log` without that level; a build that brings it back must not pass.
const _: () = assert!(!matches!(log::STATIC_MAX_LEVEL, log::LevelFilter::Trace));
