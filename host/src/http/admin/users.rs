//! Users, their registrations, subscriptions and listeners.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::user::User;
use serde::{Deserialize, Serialize};

use super::input::{Body, Head};
use super::refusal::Refusal;
use super::{Admin, to_the_end};
use crate::node::Node;
use crate::push::{ListenerInfo, SubscriptionInfo};
use crate::storage::{Login, Registration, UserRecord};

/// The listeners of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerList {
    /// By context and user.
    pub listeners: Vec<ListenerEntry>,
}

/// One user's listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerEntry {
    /// The user's number.
    pub user: u32,
    /// The user's context.
    pub context: u32,
    /// Whether it outlives the user's sessions.
    pub permanent: bool,
    /// The plugin that listens.
    pub plugin: PluginId,
    /// Whether new mail is heard of.
    pub hears: bool,
    /// How it is, and why.
    pub state: String,
}

impl From<ListenerInfo> for ListenerEntry {
    fn from(info: ListenerInfo) -> Self {
        Self {
            user: info.user.id,
            context: info.user.context,
            permanent: info.permanent,
            hears: info.hears(),
            state: info.state.to_string(),
            plugin: info.plugin,
        }
    }
}

/// Who wants permanent listeners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationList {
    /// By context, user and client.
    pub registrations: Vec<RegistrationEntry>,
}

/// A user's wish, by one client, for a permanent listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationEntry {
    /// The user's number.
    pub user: u32,
    /// The user's context.
    pub context: u32,
    /// The client's name.
    pub client: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// It is over, but the listener has not yet been told.
    pub ending: bool,
}

impl From<Registration> for RegistrationEntry {
    fn from(registration: Registration) -> Self {
        Self {
            user: registration.user.id,
            context: registration.user.context,
            client: registration.client,
            created_ms: registration.created_ms,
            ending: registration.ending,
        }
    }
}

/// Users' devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionList {
    /// By context, user and id.
    pub subscriptions: Vec<SubscriptionEntry>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionEntry {
    /// Its id.
    pub id: i64,
    /// The user's number.
    pub user: u32,
    /// The user's context.
    pub context: u32,
    /// The client's name.
    pub client: String,
    /// The transport's name.
    pub transport: String,
    /// The first characters of its token, for telling devices apart.
    pub token: String,
    /// The app, where the client named one.
    pub app: Option<String>,
    /// When it was confirmed last, in milliseconds since the Unix epoch.
    pub subscribed_ms: i64,
}

impl From<SubscriptionInfo> for SubscriptionEntry {
    fn from(info: SubscriptionInfo) -> Self {
        Self {
            id: info.id,
            user: info.user.id,
            context: info.user.context,
            client: info.client,
            transport: info.transport,
            token: info.token,
            app: info.app,
            subscribed_ms: info.subscribed_ms,
        }
    }
}

/// Who is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {
    /// By context and number.
    pub users: Vec<UserEntry>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEntry {
    /// The number.
    pub user: u32,
    /// The context.
    pub context: u32,
    /// The login at the mail store.
    pub login: String,
    /// When it was made known, in milliseconds since the Unix epoch.
    pub created_ms: i64,
}

impl From<UserRecord> for UserEntry {
    fn from(record: UserRecord) -> Self {
        Self {
            user: record.user.id,
            context: record.user.context,
            login: record.login.to_string(),
            created_ms: record.created_ms,
        }
    }
}

/// A user to be made known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// The number.
    pub user: u32,
    /// The context.
    pub context: u32,
    /// The login at the mail store.
    pub login: String,
}

/// Something is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// How many there were.
    pub removed: u64,
}

/// Which of a user's registrations are meant.
#[derive(Debug, Deserialize)]
pub(super) struct WhichClient {
    client: Option<String>,
}

fn all<T, L: From<T>>(listed: Vec<T>) -> Vec<L> {
    listed.into_iter().map(L::from).collect()
}

pub(super) async fn listeners(State(Admin { node, .. }): State<Admin>) -> Json<ListenerList> {
    Json(ListenerList {
        listeners: all(node.push().listeners()),
    })
}

pub(super) async fn registrations(
    State(Admin { node, .. }): State<Admin>,
) -> Result<Json<RegistrationList>, Refusal> {
    Ok(Json(RegistrationList {
        registrations: all(node.push().registrations().await?),
    }))
}

pub(super) async fn remove_registration(
    State(Admin { node, .. }): State<Admin>,
    Head(Path((context, id))): Head<Path<(u32, u32)>>,
    Head(Query(WhichClient { client })): Head<Query<WhichClient>>,
) -> Result<Json<Removed>, Refusal> {
    let user = User { context, id };
    to_the_end(async move {
        let removed = node.push().remove_registration(user, client.as_deref()).await?;
        if removed == 0 {
            let by = client.map(|client| format!(" of the client {client:?}")).unwrap_or_default();
            let detail = format!("user {user} has no registration{by}; `belfryctl registration list` shows those that there are");
            return Err(Refusal::not_found(detail));
        }
        tracing::info!(%user, client, removed, "the operator ended registrations");
        Ok(Json(Removed { removed }))
    })
    .await
}

pub(super) async fn subscriptions(
    State(Admin { node, .. }): State<Admin>,
) -> Result<Json<SubscriptionList>, Refusal> {
    Ok(Json(SubscriptionList {
        subscriptions: all(node.push().subscriptions().await?),
    }))
}

pub(super) async fn remove_subscription(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(id)): Head<Path<i64>>,
) -> Result<Json<Removed>, Refusal> {
    to_the_end(async move {
        if !node.push().remove_subscription(id).await? {
            let detail = format!("there is no subscription {id}; `belfryctl subscription list` shows those that there are");
            return Err(Refusal::not_found(detail));
        }
        forget_deliveries(&node, id).await?;
        tracing::info!(subscription = id, "the operator removed a subscription");
        Ok(Json(Removed { removed: 1 }))
    })
    .await
}

pub(super) async fn list(
    State(Admin { node, .. }): State<Admin>,
) -> Result<Json<UserList>, Refusal> {
    Ok(Json(UserList {
        users: all(node.push().users().await?),
    }))
}

pub(super) async fn add(
    State(Admin { node, .. }): State<Admin>,
    Body(NewUser {
        user: id,
        context,
        login,
    }): Body<NewUser>,
) -> Result<(StatusCode, Json<UserEntry>), Refusal> {
    let login: Login = login
        .parse()
        .map_err(|error: crate::storage::ParseLoginError| Refusal::malformed(error.to_string()))?;
    let user = User { context, id };
    to_the_end(async move {
        let record = node.push().add_user(user, &login).await?;
        tracing::info!(%user, "the operator made a user known");
        Ok((StatusCode::CREATED, Json(record.into())))
    })
    .await
}

pub(super) async fn remove(
    State(Admin { node, .. }): State<Admin>,
    Head(Path((context, id))): Head<Path<(u32, u32)>>,
) -> Result<Json<Removed>, Refusal> {
    let user = User { context, id };
    to_the_end(async move {
        let devices = node.push().subscriptions_of(user).await?;
        if !node.push().remove_user(user).await? {
            let detail = format!(
                "there is no user {user}; `belfryctl user list` shows those that there are"
            );
            return Err(Refusal::not_found(detail));
        }
        for device in devices.iter() {
            forget_deliveries(&node, device.id).await?;
        }
        tracing::info!(%user, "the operator removed a user");
        Ok(Json(Removed { removed: 1 }))
    })
    .await
}

/// What waits for a device that is gone must not reach it any more.
async fn forget_deliveries(node: &Node, subscription: i64) -> Result<(), Refusal> {
    node.delivery()
        .queue()
        .delete_for_subscription(subscription)
        .await?;
    node.delivery().reload();
    Ok(())
}
