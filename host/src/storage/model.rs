//! What is stored. Times are milliseconds since the Unix epoch.

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;

use super::Login;

/// A user as the host knows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The numbers.
    pub user: User,
    /// The login at the mail store.
    pub login: Login,
    /// When it was made known.
    pub created_ms: i64,
}

/// A user's wish, by one client, for a permanent listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Whose.
    pub user: User,
    /// The client's name.
    pub client: String,
    /// Since when.
    pub created_ms: i64,
    /// It is over, but the listener has not yet been told.
    pub ending: bool,
}

/// One device's token at one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Never given to another device, also when this one is gone.
    pub id: i64,
    /// Whose device.
    pub user: User,
    /// The name of the client that subscribed it.
    pub client: String,
    /// The transport's name: `apns`, `fcm`.
    pub transport: String,
    /// The device's token at the provider.
    pub token: Secret,
    /// The app that the token belongs to, where the client named one.
    pub app: Option<String>,
    /// When the client last said so.
    pub subscribed_ms: i64,
}

/// A subscription to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscription {
    /// See [`Subscription::user`].
    pub user: User,
    /// See [`Subscription::client`].
    pub client: String,
    /// See [`Subscription::transport`].
    pub transport: String,
    /// See [`Subscription::token`].
    pub token: Secret,
    /// See [`Subscription::app`].
    pub app: Option<String>,
    /// See [`Subscription::subscribed_ms`].
    pub subscribed_ms: i64,
}

/// What became of a [`NewSubscription`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// The subscription's id.
    pub id: i64,
    /// Whether this user had it already.
    pub known: bool,
    /// The user that the device belonged to before.
    pub moved_from: Option<User>,
}
