//! Events: those that pass, and the operator's own.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use belfry_plugin_api::event::{Event, Properties, Topic, TopicPattern};
use belfry_plugin_api::manifest::PluginId;
use serde::{Deserialize, Serialize};

use super::input::{Body, Head};
use super::refusal::Refusal;
use super::stream::json_lines;
use super::{Admin, now_ms, to_the_end};

/// An event to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// What it is about.
    pub topic: Topic,
    /// Whose it is, as `USER@CONTEXT`.
    #[serde(default)]
    pub user: Option<String>,
    /// What it says.
    #[serde(default)]
    pub properties: Properties,
}

/// Who gets an event that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The plugins whose handlers want it.
    pub handlers: Vec<PluginId>,
}

/// An event that passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassingEvent {
    /// When it was seen, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What it is about.
    pub topic: Topic,
    /// Whose it is, as `USER@CONTEXT`.
    pub user: Option<String>,
    /// What it says.
    pub properties: Properties,
}

/// Which events.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    /// Patterns, separated by commas; none for all.
    #[serde(default)]
    topics: String,
}

pub(super) async fn send(
    State(Admin { node, .. }): State<Admin>,
    Body(NewEvent {
        topic,
        user,
        properties,
    }): Body<NewEvent>,
) -> Result<Json<Sent>, Refusal> {
    let user = user.map(|user| user.parse()).transpose();
    let user = user.map_err(|error: belfry_plugin_api::user::ParseUserError| {
        Refusal::malformed(error.to_string())
    })?;
    let event = Event {
        topic,
        user,
        properties,
    };
    to_the_end(async move {
        let handlers = node.delivery().wanting(&event);
        tracing::info!(topic = %event.topic, "the operator publishes an event");
        node.delivery().publish(vec![event]).await?;
        Ok(Json(Sent { handlers }))
    })
    .await
}

pub(super) async fn tail(
    State(Admin { node, ending }): State<Admin>,
    Head(Query(Which { topics })): Head<Query<Which>>,
) -> Result<Response, Refusal> {
    let patterns = topics
        .split(',')
        .map(str::trim)
        .filter(|topic| !topic.is_empty());
    let patterns: Vec<TopicPattern> = patterns.map(str::parse).collect::<Result<_, _>>().map_err(
        |error: belfry_plugin_api::event::ParseTopicError| Refusal::malformed(error.to_string()),
    )?;
    let wanted = move |event: &Event| {
        patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&event.topic))
    };
    Ok(json_lines(
        node.delivery().listen(),
        ending,
        move |event: &Event| {
            wanted(event).then(|| PassingEvent {
                at_ms: now_ms(),
                topic: event.topic.clone(),
                user: event.user.map(|user| user.to_string()),
                properties: event.properties.clone(),
            })
        },
    ))
}
