use axum::Json;
use axum::extract::State;

use super::PublicState;
use super::authenticated::Authenticated;
use super::problem::SessionProblem;

/// What the session's user may do.
#[utoipa::path(
    get,
    path = "/capabilities",
    tag = "sessions",
    security(("session" = [])),
    responses(
        (
            status = 200,
            description = "The names of the capabilities.",
            body = Vec<String>,
            example = json!(["mobile_mail_app"])
        ),
        SessionProblem,
    )
)]
pub(super) async fn list(
    State(state): State<PublicState>,
    Authenticated(session): Authenticated,
) -> Json<Vec<&'static str>> {
    Json(state.push.capabilities(session.user))
}
