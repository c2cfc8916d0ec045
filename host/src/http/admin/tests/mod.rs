//! The admin API of a real host, without a socket between.

mod deliveries;
mod health;
mod streams;
mod users;
mod wrong;

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::router;
use crate::config::{Folder, Override};
use crate::http::Ending;
use crate::node::{Node, Running, Startup};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until a condition gives something.
async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A host on folders and addresses of its own.
struct World {
    running: Running,
    ending: Ending,
    folder: TempDir,
}

impl World {
    async fn new(set: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config", "plugins"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let free = [
            "belfry.http.public.listen=127.0.0.1:0",
            "belfry.http.internal.listen=127.0.0.1:0",
        ];
        let overrides = free
            .iter()
            .chain(set)
            .map(|set| set.parse::<Override>().unwrap());
        let startup = Startup {
            config: Folder::named(folder.path().join("config")),
            plugins: folder.path().join("plugins"),
            state: folder.path().join("state"),
            overrides: overrides.collect(),
        };
        Self {
            running: Running::start(&startup).await.unwrap(),
            ending: Ending::default(),
            folder,
        }
    }

    fn node(&self) -> &Node {
        self.running.node()
    }

    async fn send(&self, request: Request<Body>) -> Response {
        let router = router(self.running.node().clone(), self.ending.clone());
        router.oneshot(request).await.unwrap()
    }

    /// Asks, and reads the whole answer as JSON.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let response = self.send(request(method, path, body)).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let answer = serde_json::from_slice(&bytes);
        (
            status,
            answer.unwrap_or_else(|error| panic!("{method} {path} answers no JSON: {error}")),
        )
    }

    /// Asks for something that is there.
    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }
}

fn request(method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", super::BASE));
    match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .unwrap()
}
