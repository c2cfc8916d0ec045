//! The configuration in force.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};

use super::Admin;
use super::input::Head;
use super::refusal::Refusal;

/// How a key got its value. Values are as they may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The key.
    pub key: String,
    /// The value in force; none where there is neither value nor default.
    pub value: Option<String>,
    /// Who set it: a line of a file, `--set`, or nobody (`default`).
    pub origin: String,
    /// Everything that was set for the key, the strongest first.
    pub settings: Vec<Set>,
    /// Whether anybody reads it.
    pub known: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What holds where nobody sets it.
    pub default: Option<String>,
    /// What it may be.
    pub allowed: Option<String>,
    /// What it does.
    pub help: Option<String>,
}

/// One place that sets a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// A line of a file, or `--set`.
    pub origin: String,
    /// To what.
    pub value: String,
}

pub(super) async fn explain(
    State(Admin { node, .. }): State<Admin>,
    Head(Path(key)): Head<Path<String>>,
) -> Result<Json<Explained>, Refusal> {
    let snapshot = node.config().snapshot();
    let explanation = snapshot.explain(&key);
    let spec = explanation.spec;
    if spec.is_none() && explanation.settings.is_empty() {
        let nearest = snapshot.nearest(&key);
        let nearest = nearest
            .map(|name| format!("; the nearest known name is {name}"))
            .unwrap_or_default();
        return Err(Refusal::not_found(format!(
            "nothing reads or sets {key:?}{nearest}"
        )));
    }
    let settings = explanation.settings.into_iter().map(|(origin, value)| Set {
        origin: origin.to_string(),
        value,
    });
    Ok(Json(Explained {
        key,
        value: explanation.value,
        origin: explanation.origin.to_string(),
        settings: settings.collect(),
        known: spec.is_some(),
        secret: spec.as_ref().is_some_and(|spec| spec.secret),
        // A secret with a default would be one that everybody knows; it is not shown all the same.
        default: spec
            .as_ref()
            .filter(|spec| !spec.secret)
            .and_then(|spec| spec.default.clone()),
        allowed: spec.as_ref().map(|spec| spec.kind.allowed()),
        help: spec.map(|spec| spec.help),
    }))
}
