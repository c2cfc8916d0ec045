use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::PublicState;
use super::problem::{ErrorBody, Problem};
use crate::config::Snapshot;

const KEYS: &str = "belfry.provider.";

/// A mail provider, as apps show it before anybody has logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct Provider {
    /// The provider's id.
    #[schema(example = "example")]
    id: String,
    /// The name to show.
    #[schema(example = "Example Mail")]
    name: String,
    /// Where the logo is.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<String>,
    /// The colour to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#004488")]
    colour: Option<String>,
    /// The server that the provider's users speak to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://push.example.com")]
    server_url: Option<String>,
}

/// The mail providers that the operator named.
#[utoipa::path(
    get,
    path = "/providers",
    tag = "providers",
    responses((status = 200, description = "All providers, by id.", body = Vec<Provider>))
)]
pub(super) async fn list(State(state): State<PublicState>) -> Json<Vec<Provider>> {
    let snapshot = state.config.snapshot();
    let ids: BTreeSet<&str> = snapshot.keys().filter_map(id_in).collect();
    Json(
        ids.into_iter()
            .filter_map(|id| find(&snapshot, id))
            .collect(),
    )
}

/// One mail provider.
#[utoipa::path(
    get,
    path = "/providers/{id}",
    tag = "providers",
    params(("id" = String, Path, description = "The provider's id")),
    responses(
        (status = 200, description = "The provider.", body = Provider),
        (status = 400, description = "The id is not UTF-8.", body = ErrorBody),
        (status = 404, description = "No provider has this id.", body = ErrorBody),
    )
)]
pub(super) async fn get(
    State(state): State<PublicState>,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Json<Provider>, Problem> {
    let Path(id) = id.map_err(|_| Problem::malformed("the id is not UTF-8"))?;
    let found = find(&state.config.snapshot(), &id);
    found.map(Json).ok_or_else(|| {
        let detail = "no provider has this id; GET /api/v1/providers names those that there are";
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    })
}

fn find(snapshot: &Snapshot, id: &str) -> Option<Provider> {
    let value = |name: &str| {
        let value = snapshot.get(&format!("{KEYS}{id}.{name}"))?;
        Some(value.to_owned())
    };
    let (name, logo, colour) = (value("name"), value("logo"), value("colour"));
    let server_url = value("server-url");
    let named = [&name, &logo, &colour, &server_url];
    named.iter().any(|value| value.is_some()).then(|| Provider {
        id: id.to_owned(),
        name: name.unwrap_or_else(|| id.to_owned()),
        logo,
        colour,
        server_url,
    })
}

fn id_in(key: &str) -> Option<&str> {
    let (id, _) = key.strip_prefix(KEYS)?.split_once('.')?;
    Some(id)
}
