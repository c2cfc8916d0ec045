//! A request on a plugin's route.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use belfry_plugin_api::frame::HttpCall;
use belfry_plugin_api::manifest::{Accept, Route, Surface};
use http_body_util::BodyExt;
use serde_json::json;

use super::basic_auth;
use super::body::check_fields;
use crate::http::plugin_routes::pass_on;
use crate::metrics::count;
use crate::node::{Lookup, Node, Routed};

/// The largest body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long a client may take to send the body. Dovecot itself gives up after 2 s.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// What a mail server that can wait is asked to wait before it tries again, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// An answer other than success.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    detail: String,
    header: Option<(axum::http::HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            error,
            detail: detail.into(),
            header: None,
        }
    }

    fn with(mut self, name: axum::http::HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }
}

/// Answers whatever is no route of the host's own.
pub(super) async fn answer(State(node): State<Arc<Node>>, request: Request) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    match serve(&node, request).await {
        Ok(response) => response,
        Err(refusal) => {
            count(&node.metrics().notifications, "answer", refusal.error);
            let status = refusal.status.as_u16();
            tracing::warn!(peer = peer.map(tracing::field::display), %method, path, status,
                detail = refusal.detail, "a request on the internal address was refused");
            let body = json!({"error": refusal.error, "detail": refusal.detail});
            let mut response = (refusal.status, axum::Json(body)).into_response();
            if let Some((name, value)) = refusal.header {
                response.headers_mut().insert(name, value);
            }
            response
        }
    }
}

async fn serve(node: &Node, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let Routed { plugin, route } =
        match node
            .routes()
            .find(Surface::Internal, head.method.as_str(), path)
        {
            Lookup::Found(found) => found,
            Lookup::OtherMethods(methods) => {
                let allow = methods.join(", ");
                let detail = format!("{path} takes {allow}");
                let refusal =
                    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
                return Err(match HeaderValue::from_str(&allow) {
                    Ok(value) => refusal.with(ALLOW, value),
                    Err(_) => refusal,
                });
            }
            Lookup::Nothing => {
                let detail = format!("no installed plugin has the route {path}");
                return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", detail));
            }
        };
    if let Err(refused) = basic_auth::check(&node.config().snapshot(), &head.headers) {
        if refused == basic_auth::Refused::Wrong {
            node.penalties().serve().await;
        }
        let challenge = HeaderValue::from_static("Basic realm=\"Belfry\", charset=\"UTF-8\"");
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", refused.detail());
        return Err(refusal.with(WWW_AUTHENTICATE, challenge));
    }
    let body = read(&head.headers, body).await?;
    match route.accept {
        Accept::Inbox => accept(node, &plugin, &route, &head.headers, body).await,
        Accept::Plugin => {
            let call = HttpCall {
                route: route.name.clone(),
                method: head.method.to_string(),
                path: path.to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                user: None,
                body,
            };
            Ok(pass_on(node, &plugin, call).await)
        }
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let too_large = || {
        let detail = format!("a body has at most {MAX_BODY_BYTES} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let limited = http_body_util::Limited::new(body, MAX_BODY_BYTES);
    match tokio::time::timeout(BODY_PATIENCE, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            format!("the body broke off: {error}"),
        )),
        Err(_) => {
            let detail = format!("the body did not come within {} s", BODY_PATIENCE.as_secs());
            Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                detail,
            ))
        }
    }
}

async fn accept(
    node: &Node,
    plugin: &belfry_plugin_api::manifest::PluginId,
    route: &Route,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        let detail = "the body must be application/json";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            detail,
        ));
    }
    let user = check_fields(route, &body)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "malformed", error.to_string()))?;
    match node
        .delivery()
        .accept(plugin, &route.name, user, body)
        .await
    {
        Ok(()) => {
            count(&node.metrics().notifications, "answer", "accepted");
            let json = HeaderValue::from_static("application/json");
            Ok(([(CONTENT_TYPE, json)], "{\"success\":true}").into_response())
        }
        Err(error) => {
            let refusal = Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "cannot_keep",
                error.to_string(),
            );
            Err(refusal.with(RETRY_AFTER, RETRY_AFTER_S))
        }
    }
}
