//! Plugins and their services.

use std::path::PathBuf;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use belfry_plugin_api::manifest::PluginId;
use serde::{Deserialize, Serialize};

use super::input::{Body, Head};
use super::refusal::Refusal;
use super::{Admin, to_the_end};
use crate::bundle::{Offered, Status};
use crate::delivery::HeldUp;

/// How long an installed plugin may take to get as far as it gets before it is shown as it is. A
/// start that takes longer is a failed one anyway.
const SETTLING: Duration = Duration::from_secs(75);

/// The plugins of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginList {
    /// Those that are installed, by id.
    pub plugins: Vec<Status>,
    /// Files that are not.
    pub refused: Vec<RefusedFile>,
}

/// A file that holds no plugin that could be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFile {
    /// Where it lies.
    pub file: PathBuf,
    /// What is wrong with it, and what to do.
    pub fault: String,
}

/// Services that run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceList {
    /// By kind, name and ranking, the highest first.
    pub services: Vec<Offered>,
}

/// What is to be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Install {
    /// An absolute path, as the host sees it.
    pub file: PathBuf,
}

/// By what a plugin is to be replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// An absolute path, as the host sees it; none for the file that the plugin came from.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

/// A plugin is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uninstalled {
    /// Which one.
    pub id: PluginId,
    /// The file that it came from, which is not touched.
    pub file: PathBuf,
    /// Whether that file is still there.
    pub file_remains: bool,
}

pub(super) async fn list(State(Admin { node, .. }): State<Admin>) -> Json<PluginList> {
    let refused = node.bundles().refused().await;
    let mut plugins = node.bundles().list().await;
    for hold_up in node.delivery().hold_ups() {
        let HeldUp::EventHandlers(id) = &hold_up.who else {
            continue;
        };
        let plugin = plugins
            .iter_mut()
            .find(|plugin| plugin.id == *id && plugin.reason.is_none());
        if let Some(plugin) = plugin {
            plugin.reason = Some(format!("deny-listed: {}", hold_up.reason));
        }
    }
    Json(PluginList {
        plugins,
        refused: refused
            .into_iter()
            .map(|(file, fault)| RefusedFile { file, fault })
            .collect(),
    })
}

pub(super) async fn services(State(Admin { node, .. }): State<Admin>) -> Json<ServiceList> {
    Json(ServiceList {
        services: node.bundles().services().all(),
    })
}

pub(super) async fn info(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(id)): Head<Path<PluginId>>,
) -> Result<Json<Status>, Refusal> {
    Ok(Json(node.bundles().status(&id).await?))
}

pub(super) async fn install(
    State(Admin { node, .. }): State<Admin>,
    Body(Install { file }): Body<Install>,
) -> Result<(StatusCode, Json<Status>), Refusal> {
    must_be_absolute(&file)?;
    to_the_end(async move {
        let bundles = node.bundles();
        let id = bundles.install(&file).await?;
        tracing::info!(plugin = %id, file = %file.display(), "the operator installed a plugin");
        // It goes on by itself; its status says how far it has got.
        let _ = tokio::time::timeout(SETTLING, bundles.settled(&id)).await;
        Ok((StatusCode::CREATED, Json(bundles.status(&id).await?)))
    })
    .await
}

pub(super) async fn start(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(id)): Head<Path<PluginId>>,
) -> Result<Json<Status>, Refusal> {
    to_the_end(async move {
        // Asked first, so that nothing is noted about a plugin that is not there.
        node.bundles().status(&id).await?;
        tracing::info!(plugin = %id, "the operator starts a plugin");
        node.bundles().start(&id).await?;
        Ok(Json(node.bundles().status(&id).await?))
    })
    .await
}

pub(super) async fn stop(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(id)): Head<Path<PluginId>>,
) -> Result<Json<Status>, Refusal> {
    to_the_end(async move {
        tracing::info!(plugin = %id, "the operator stops a plugin");
        node.bundles().stop(&id).await?;
        Ok(Json(node.bundles().status(&id).await?))
    })
    .await
}

pub(super) async fn update(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(id)): Head<Path<PluginId>>,
    Body(Update { file }): Body<Update>,
) -> Result<Json<Status>, Refusal> {
    if let Some(file) = &file {
        must_be_absolute(file)?;
    }
    to_the_end(async move {
        let bundles = node.bundles();
        bundles.status(&id).await?;
        tracing::info!(plugin = %id, "the operator updates a plugin");
        bundles.update(&id, file.as_deref()).await?;
        let _ = tokio::time::timeout(SETTLING, bundles.settled(&id)).await;
        Ok(Json(bundles.status(&id).await?))
    })
    .await
}

pub(super) async fn uninstall(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(id)): Head<Path<PluginId>>,
) -> Result<Json<Uninstalled>, Refusal> {
    to_the_end(async move {
        let file = node.bundles().status(&id).await?.source;
        tracing::info!(plugin = %id, "the operator uninstalls a plugin");
        node.bundles().uninstall(&id).await?;
        let file_remains = file.exists();
        Ok(Json(Uninstalled {
            id,
            file,
            file_remains,
        }))
    })
    .await
}

/// The host's working directory is not the operator's.
fn must_be_absolute(file: &std::path::Path) -> Result<(), Refusal> {
    if file.is_absolute() {
        Ok(())
    } else {
        Err(Refusal::malformed(format!(
            "{} is no absolute path; write it from / on",
            file.display()
        )))
    }
}
