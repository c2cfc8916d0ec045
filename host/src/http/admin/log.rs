//! The host's log, as it is written, and how much of it.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use belfry_plugin_api::frame::Level;
use belfry_plugin_api::manifest::PluginId;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::input::{Body, Head};
use super::refusal::Refusal;
use super::stream::json_lines;
use crate::log::{Control, Record};

/// What stands for the host itself where plugins' ids stand.
const HOST: &str = "belfryd";

/// From which level on records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetLevel {
    /// The level; none for the usual one.
    pub level: Option<Level>,
}

/// Which records.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    plugin: Option<PluginId>,
    level: Option<Level>,
}

pub(super) async fn tail(
    State(Admin { ending, .. }): State<Admin>,
    Head(Query(Which { plugin, level })): Head<Query<Which>>,
) -> Result<Response, Refusal> {
    let control = control()?;
    Ok(json_lines(
        control.listen(),
        ending,
        move |record: &Record| {
            let is_of_plugin = plugin
                .as_ref()
                .is_none_or(|plugin| record.plugin.as_deref() == Some(plugin.as_str()));
            let is_bad_enough = level.is_none_or(|level| record.level <= level);
            (is_of_plugin && is_bad_enough).then(|| record.clone())
        },
    ))
}

pub(super) async fn set_level(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(id)): Head<Path<PluginId>>,
    Body(SetLevel { level }): Body<SetLevel>,
) -> Result<(StatusCode, Json<SetLevel>), Refusal> {
    if id.as_str() == HOST {
        control()?
            .set_level(level.map(name))
            .map_err(Refusal::failed)?;
    } else {
        node.bundles().status(&id).await?;
        node.set_log_level(&id, level);
    }
    tracing::info!(id = %id, level = level.map(name), "the operator changed what is logged");
    Ok((StatusCode::OK, Json(SetLevel { level })))
}

fn control() -> Result<&'static Control, Refusal> {
    Control::get().ok_or_else(|| Refusal::failed("this process writes no log of its own"))
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}
