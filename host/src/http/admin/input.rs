//! What requests hold, with refusals in the API's form.

use std::fmt::Display;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// A part of the request's head, such as its path or query.
pub(super) struct Head<E>(pub(super) E);

impl<S, E> FromRequestParts<S> for Head<E>
where
    S: Send + Sync,
    E: FromRequestParts<S>,
    E::Rejection: Display,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        E::from_request_parts(parts, state)
            .await
            .map(Self)
            .map_err(refuse)
    }
}

/// The body, as JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let read = Json::<T>::from_request(request, state).await;
        read.map(|Json(body)| Self(body)).map_err(refuse)
    }
}

fn refuse(rejection: impl Display + IntoResponse) -> Refusal {
    let detail = rejection.to_string();
    Refusal::new(rejection.into_response().status(), "malformed", detail)
}
