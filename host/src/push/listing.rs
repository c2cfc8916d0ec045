//! What operators see.

use belfry_plugin_api::user::User;

use crate::storage::Subscription;

/// How much of a device's token is shown.
const SHOWN_CHARS: usize = 6;

/// A subscription, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// Its id.
    pub id: i64,
    /// Whose device.
    pub user: User,
    /// The client's name.
    pub client: String,
    /// The transport's name.
    pub transport: String,
    /// The token's first characters, for telling devices apart, and `…`.
    pub token: String,
    /// The app, where the client named one.
    pub app: Option<String>,
    /// When it was confirmed last, in milliseconds since the Unix epoch.
    pub subscribed_ms: i64,
}

impl From<Subscription> for SubscriptionInfo {
    fn from(subscription: Subscription) -> Self {
        let token = subscription.token.expose_str().unwrap_or_default();
        let shown: String = token.chars().take(SHOWN_CHARS).collect();
        Self {
            id: subscription.id,
            user: subscription.user,
            client: subscription.client,
            transport: subscription.transport,
            token: format!("{shown}…"),
            app: subscription.app,
            subscribed_ms: subscription.subscribed_ms,
        }
    }
}
