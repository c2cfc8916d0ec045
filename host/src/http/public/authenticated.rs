//! Requests with a session.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::PublicState;
use super::problem::Problem;
use crate::push::Session;

/// The session that a request comes with (RFC 6750, section 2.1).
pub(super) struct Authenticated(pub(super) Arc<Session>);

impl FromRequestParts<PublicState> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &PublicState,
    ) -> Result<Self, Self::Rejection> {
        let header = parts.headers.get(AUTHORIZATION);
        let token = header.and_then(|header| bearer(header.to_str().ok()?));
        let session = token.and_then(|token| state.push.session(token));
        session.map(Self).ok_or_else(Problem::no_session)
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
