mod description;
mod failures;
mod sessions;
mod subscriptions;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{PREFIX, PublicState, router};
use crate::push::tests::world::{APP, World};

/// The routes over a real database, with test doubles for mail server and plugins.
struct Api {
    world: World,
    router: Router,
    description: Value,
    transports: Arc<Mutex<Vec<String>>>,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Api {
    async fn new(properties: &[&str]) -> Self {
        let world = World::new(properties).await;
        let transports = Arc::new(Mutex::new(vec!["apns".to_owned(), "fcm".to_owned()]));
        let names = Arc::clone(&transports);
        let state = PublicState::new(
            Arc::clone(&world.push),
            Arc::clone(&world.config),
            Arc::new(move || names.lock().unwrap().clone()),
        );
        let mut api = Self {
            world,
            router: router(state),
            description: Value::Null,
            transports,
        };
        let answer = api
            .send(request("GET", "/openapi.json", None, Body::empty()))
            .await;
        assert_eq!(answer.status, 200);
        api.description = answer.body;
        api
    }

    /// Sends a request. Whatever comes back is what the description promises for this route.
    async fn call(
        &self,
        method: &str,
        path: &str,
        session: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let answer = self.send(request(method, path, session, body)).await;
        self.check(method, path, &answer);
        answer
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).unwrap(),
        };
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        };
        if answer.body != Value::Null {
            assert_eq!(answer.header("content-type"), "application/json");
        }
        if answer.status.is_client_error() || answer.status.is_server_error() {
            let error = answer.body.as_object().unwrap();
            assert_eq!(error.len(), 2, "{error:?}");
            assert!(
                error["error"].is_string() && error["detail"].is_string(),
                "{error:?}"
            );
        }
        answer
    }

    fn check(&self, method: &str, path: &str, answer: &Answer) {
        let template = match path.strip_prefix("/providers/") {
            Some(_) => "/providers/{id}",
            None => path,
        };
        let path = format!("{PREFIX}{template}");
        let operation = &self.description["paths"][path][method.to_ascii_lowercase()];
        let response = &operation["responses"][answer.status.as_str()];
        assert!(
            response.is_object(),
            "{method} {template} does not promise {}",
            answer.status
        );
        let promised = response.get("content").is_some();
        assert_eq!(
            promised,
            answer.body != Value::Null,
            "{method} {template}: {answer:?}"
        );
    }

    async fn log_in_as(&self, login: &str) -> String {
        let answer = self
            .call("POST", "/sessions", None, Some(credentials(login, "pw")))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["session"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn error(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["error"].as_str().unwrap())
    }

    fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap()
    }
}

fn request(method: &str, path: &str, session: Option<&str>, body: Body) -> Request<Body> {
    let peer: SocketAddr = "192.0.2.1:40000".parse().unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{PREFIX}{path}"))
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .extension(ConnectInfo(peer));
    if let Some(session) = session {
        request = request.header(AUTHORIZATION, format!("Bearer {session}"));
    }
    request.body(body).unwrap()
}

fn credentials(login: &str, password: &str) -> Value {
    json!({"login": login, "password": password, "client": APP})
}
