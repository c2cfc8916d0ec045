//! Requests that plugins answer themselves.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use belfry_plugin_api::frame::HttpCall;
use belfry_plugin_api::manifest::{PluginId, Surface};
use http_body_util::BodyExt;
use serde_json::json;

use super::public::MAX_BODY_BYTES;
use crate::node::{Lookup, Node, Routed};

/// How long a client may take to send the body.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Answers what is no route of the host's own on the public address: an app with a session may ask
/// a plugin that has such a route.
pub(super) async fn answer_public(node: Arc<Node>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let found = node
        .routes()
        .find(Surface::Public, head.method.as_str(), path);
    let Routed { plugin, route } = match found {
        Lookup::Found(found) => found,
        Lookup::OtherMethods(methods) => {
            let allow = methods.join(", ");
            let detail = format!("{path} takes {allow}");
            let mut response = problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                &detail,
            );
            if let Ok(allow) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(ALLOW, allow);
            }
            return response;
        }
        Lookup::Nothing => {
            let detail = "nothing is here; GET /api/v1/openapi.json describes what there is";
            return problem(StatusCode::NOT_FOUND, "not_found", detail);
        }
    };
    let token = head
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let Some(session) = token.and_then(|token| node.push().session(token)) else {
        let detail = "a session is needed: POST /api/v1/sessions";
        return problem(StatusCode::UNAUTHORIZED, "no_session", detail);
    };
    let limited = http_body_util::Limited::new(body, MAX_BODY_BYTES);
    let body = match tokio::time::timeout(BODY_PATIENCE, limited.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let detail = format!("a body has at most {MAX_BODY_BYTES} bytes");
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &detail);
        }
        Ok(Err(_)) | Err(_) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "malformed",
                "the body did not come",
            );
        }
    };
    let call = HttpCall {
        route: route.name.clone(),
        method: head.method.to_string(),
        path: path.to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        user: Some(session.user),
        body,
    };
    pass_on(&node, &plugin, call).await
}

fn problem(status: StatusCode, error: &str, detail: &str) -> Response {
    tracing::info!(
        status = status.as_u16(),
        error,
        "an app's request was refused: {detail}"
    );
    (status, Json(json!({"error": error, "detail": detail}))).into_response()
}

/// Asks the plugin and passes on its answer.
pub(super) async fn pass_on(node: &Node, plugin: &PluginId, call: HttpCall) -> Response {
    match node.http(plugin, call).await {
        Ok(reply) => {
            let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let content_type = HeaderValue::from_str(&reply.content_type)
                .unwrap_or(HeaderValue::from_static("application/octet-stream"));
            (status, [(CONTENT_TYPE, content_type)], reply.body).into_response()
        }
        Err(error) => {
            tracing::error!(%plugin, %error, "a plugin did not answer a request");
            let body = json!({"error": "plugin_failed", "detail": "the plugin that serves this route did not answer"});
            (StatusCode::BAD_GATEWAY, Json(body)).into_response()
        }
    }
}
