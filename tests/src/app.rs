//! What an app does at the public address, and a mail server at the internal one.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::host::{Host, LOGIN, PASSWORD};

/// The client that is allowed by default.
pub const CLIENT: &str = "open-xchange-mailapp";

/// A client for both addresses; its connections are kept.
pub fn client() -> Client {
    // One that is installed already is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().tcp_nodelay(true).build().unwrap()
}

/// An app's session.
pub struct App {
    http: Client,
    base: String,
    session: String,
    /// The answer to the login.
    pub answer: Value,
}

impl App {
    /// Logs in.
    pub async fn log_in(host: &Host, login: &str, password: &str) -> Self {
        let response = try_log_in(host, login, password, CLIENT).await;
        assert_eq!(
            response.status(),
            StatusCode::CREATED,
            "{}",
            response.text().await.unwrap()
        );
        let answer: Value = response.json().await.unwrap();
        Self {
            http: client(),
            base: host.public().to_owned(),
            session: answer["session"].as_str().unwrap().to_owned(),
            answer,
        }
    }

    /// `USER@CONTEXT`.
    pub fn user(&self) -> String {
        format!("{}@{}", self.answer["user"], self.answer["context"])
    }

    /// Subscribes a device. Returns the status.
    pub async fn subscribe(&self, transport: &str, token: &str) -> StatusCode {
        let body = json!({"transport": transport, "token": token});
        self.request(reqwest::Method::PUT, "/subscriptions", Some(body))
            .await
            .status()
    }

    /// Unsubscribes a device. Returns the status.
    pub async fn unsubscribe(&self, transport: &str, token: &str) -> StatusCode {
        let body = json!({"transport": transport, "token": token});
        self.request(reqwest::Method::DELETE, "/subscriptions", Some(body))
            .await
            .status()
    }

    /// Any request of this session.
    pub async fn request(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Response {
        let request = self
            .http
            .request(method, format!("{}/api/v1{path}", self.base))
            .bearer_auth(&self.session);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap()
    }
}

/// Tries to log in.
pub async fn try_log_in(host: &Host, login: &str, password: &str, client_name: &str) -> Response {
    client()
        .post(format!("{}/api/v1/sessions", host.public()))
        .json(&json!({"login": login, "password": password, "client": client_name}))
        .send()
        .await
        .unwrap()
}

/// A notification as Dovecot sends it.
pub fn notification(user: &str, uid: u32) -> Value {
    json!({
        "user": user, "event": "messageNew", "folder": "INBOX", "imap-uidvalidity": 1,
        "imap-uid": uid, "from": "Alice <alice@example.org>", "subject": format!("Mail {uid}"),
        "snippet": "", "unseen": uid,
    })
}

/// Sends a notification as a mail server does. `None` where the host did not answer.
pub async fn notify(http: &Client, host: &str, body: &Value) -> Option<StatusCode> {
    let url = format!("{host}/preliminary/http-notify/v1/notify");
    let request = http.put(url).basic_auth(LOGIN, Some(PASSWORD)).json(body);
    request.send().await.ok().map(|response| response.status())
}

/// A device token of Apple's form.
pub fn apns_token(number: u32) -> String {
    format!("{number:064x}")
}

/// A device token of Google's form.
pub fn fcm_token(number: u32) -> String {
    format!("fcm-token-{number:08}:APA91b{:0>120}", number)
}
