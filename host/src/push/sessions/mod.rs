//! Sessions: authenticated clients.
//!
//! They live in memory only: a session holds the user's password, which is never written down.
//! After a restart apps log in again.

mod table;
mod throttle;
mod token;

use std::sync::Arc;

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;

pub(super) use table::{Limits, Table};
pub(super) use throttle::Throttle;
pub use token::{SessionId, SessionToken};

/// An authenticated client.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who it is among the sessions; tells nothing of its token.
    pub id: SessionId,
    /// Whose it is.
    pub user: User,
    /// The name that the client gave itself.
    pub client: Arc<str>,
    /// What opened it, and opens the user's mailbox.
    pub(super) password: Secret,
}
