//! What the app on a phone does: log its user in, subscribe the device.

use anyhow::{Result, bail};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};

/// The app's name, one of those that are allowed by default.
const CLIENT: &str = "open-xchange-mailapp";

/// An app with a session.
pub(crate) struct App {
    http: Client,
    base: String,
    /// The answer to the login.
    pub(crate) session: Session,
}

/// The answer to a login.
#[derive(Deserialize)]
pub(crate) struct Session {
    session: String,
    pub(crate) user: u64,
    pub(crate) context: u64,
}

impl App {
    /// Logs in at the host's public address.
    pub(crate) async fn log_in(public: &str, login: &str, password: &str) -> Result<Self> {
        // One that is installed already is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().tcp_nodelay(true).build()?;
        let base = format!("{public}/api/v1");
        let body = json!({"login": login, "password": password, "client": CLIENT});
        let request = http.post(format!("{base}/sessions")).json(&body);
        let answer = answer(request, "the login").await?;
        Ok(Self {
            http,
            base,
            session: serde_json::from_value(answer)?,
        })
    }

    /// Subscribes a device.
    pub(crate) async fn subscribe(&self, transport: &str, token: &str) -> Result<()> {
        let url = format!("{}/subscriptions", self.base);
        let request = self
            .http
            .request(Method::PUT, url)
            .bearer_auth(&self.session.session)
            .json(&json!({"transport": transport, "token": token}));
        answer(request, "the subscription").await.map(drop)
    }
}

async fn answer(request: reqwest::RequestBuilder, what: &str) -> Result<Value> {
    let response = request.send().await?;
    let status = response.status();
    let body = response.text().await?;
    if !status.is_success() {
        bail!("{what} was answered {status}: {body}");
    }
    Ok(serde_json::from_str(&body).unwrap_or_default())
}
