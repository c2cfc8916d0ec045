use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::secret::Secret;
use crate::user::User;

/// A request that a mail server made and the host accepted into its inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The host's number for it, to be given back in [`ReportDone`].
    pub id: i64,
    /// The name of the route in the manifest.
    pub route: String,
    /// The user that the route's user field named.
    #[serde(default)]
    pub user: Option<User>,
    /// The body as it came.
    pub body: Bytes,
    /// When the host accepted it, in milliseconds since the epoch. A report that waited for the
    /// plugin is older than it looks. `None` from hosts before plugin-api 0.1.1.
    #[serde(default)]
    pub received_at_ms: Option<i64>,
}

impl Report {
    /// Reads the body as JSON.
    ///
    /// # Errors
    ///
    /// A permanent error: the same body will not become readable.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::permanent(format_args!("the body of route {}: {error}", self.route))
        })
    }

    /// The user, where the route requires one.
    ///
    /// # Errors
    ///
    /// A permanent error where the route in the manifest names no user field.
    pub fn user(&self) -> Result<User> {
        self.user.ok_or_else(|| {
            Error::permanent(format_args!("route {} names no user field", self.route))
        })
    }
}

/// What became of a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDone {
    /// The report's number.
    pub id: i64,
    /// The events to publish, in order; none where there is nothing to tell.
    pub result: Result<Vec<Event>>,
}

/// How to log in to the mail store for a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MailCredentials {
    /// The user's own password.
    Password {
        /// The password.
        password: Secret,
    },
    /// A master user, who may log in as anybody.
    Master {
        /// The master user's login.
        master: String,
        /// The master user's password.
        password: Secret,
        /// What joins the two logins where SASL's authorization identity cannot be used.
        separator: String,
    },
}

/// A user to listen for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Who it is.
    pub user: User,
    /// The login at the mail store.
    pub login: String,
    /// How to log in there; none where the host knows none at the moment.
    #[serde(default)]
    pub credentials: Option<MailCredentials>,
    /// Whether the listener outlives the user's sessions.
    #[serde(default)]
    pub permanent: bool,
}
