//! The routes, and the description that follows from them.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{PREFIX, PublicState, capabilities, providers, sessions, subscriptions};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Belfry",
        description = "For apps: log in, and subscribe devices to notifications of new mail. \
                       Every failure has a JSON body with `error`, a word for programs, and \
                       `detail`, a sentence for people."
    ),
    modifiers(&BearerTokens)
)]
struct Description;

struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The token that POST /sessions answered with"))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("session", SecurityScheme::Http(bearer));
    }
}

/// All routes with their descriptions.
pub(super) fn described() -> OpenApiRouter<PublicState> {
    let routes = OpenApiRouter::new()
        .routes(routes!(sessions::begin))
        .routes(routes!(sessions::end))
        .routes(routes!(
            subscriptions::put,
            subscriptions::list,
            subscriptions::delete
        ))
        .routes(routes!(capabilities::list))
        .routes(routes!(providers::list))
        .routes(routes!(providers::get))
        .routes(routes!(describe));
    OpenApiRouter::with_openapi(Description::openapi()).nest(PREFIX, routes)
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "description",
    responses(
        (status = 200, description = "An OpenAPI document.", content_type = "application/json")
    )
)]
async fn describe(State(state): State<PublicState>) -> impl IntoResponse {
    let description = state.description.get().cloned().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], description)
}
