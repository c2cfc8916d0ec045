//! HTTP over the admin socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use url::Url;

use super::failure::Failure;
use crate::http::admin::{BASE, ErrorBody};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a host may take to answer. A plugin that starts has 60 s to get ready, and one that is
/// stopped before has some to finish what it has in hand.
const ANSWER: Duration = Duration::from_secs(180);

/// What a host says over its socket.
pub(super) struct Client {
    socket: PathBuf,
}

/// Where a request goes.
pub(super) struct Target {
    method: Method,
    url: Option<Url>,
}

impl Target {
    /// A route of the admin API, given as the parts of its path.
    pub(super) fn new<'a>(method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let mut url = Url::parse("http://belfry").ok();
        if let Some(url) = &mut url {
            url.set_path(BASE);
            // A URL with a host has segments.
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.extend(path);
            }
        }
        Self { method, url }
    }

    /// The same, with a parameter where it has a value.
    pub(super) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let (Some(url), Some(value)) = (&mut self.url, value) {
            url.query_pairs_mut().append_pair(name, &value.to_string());
        }
        self
    }

    fn path_and_query(&self) -> String {
        let Some(url) = &self.url else {
            return BASE.to_owned();
        };
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    }
}

impl Client {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Asks for something.
    pub(super) async fn get<'a, T: DeserializeOwned>(
        &self,
        path: impl IntoIterator<Item = &'a str>,
    ) -> Result<T, Failure> {
        self.ask(Target::new(Method::GET, path), None::<&()>).await
    }

    /// Sends a request, and reads its answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        target: Target,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let answer = async {
            let response = self.send(target, body).await?;
            let bytes = response.into_body().collect().await;
            let bytes = bytes.map_err(|error| self.broke_off(&error))?.to_bytes();
            Ok::<_, Failure>(bytes)
        };
        let bytes = tokio::time::timeout(ANSWER, answer).await;
        let bytes = bytes.map_err(|_| self.silent())??;
        serde_json::from_slice(&bytes).map_err(|error| other_release(&error))
    }

    /// Sends a request whose answer goes on, and hands each of its lines on until it ends.
    pub(super) async fn follow<T: DeserializeOwned>(
        &self,
        target: Target,
        mut line: impl FnMut(T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let response = tokio::time::timeout(ANSWER, self.send(target, None::<&()>)).await;
        let mut body = response.map_err(|_| self.silent())??.into_body();
        let mut pending = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.broke_off(&error))?;
            pending.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let told: Vec<_> = pending.drain(..=end).collect();
                line(serde_json::from_slice(&told).map_err(|error| other_release(&error))?)?;
            }
        }
        Err(self.unreachable("it has ended; start belfryd again"))
    }

    async fn send(
        &self,
        target: Target,
        body: Option<&impl Serialize>,
    ) -> Result<Response<Incoming>, Failure> {
        let bytes = match body {
            Some(body) => serde_json::to_vec(body),
            None => Ok(Vec::new()),
        };
        let bytes =
            bytes.map_err(|error| Failure::Refused(format!("the request has no JSON: {error}")))?;
        let request = Request::builder()
            .method(&target.method)
            .uri(target.path_and_query())
            .header(HOST, "belfry")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(bytes)));
        let request =
            request.map_err(|error| Failure::Refused(format!("this cannot be asked: {error}")))?;
        let stream = self.connect().await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broke_off(&error))?;
        // What goes wrong with it is seen by whoever waits for the answer.
        tokio::spawn(connection);
        let sent = sender.send_request(request).await;
        let response = sent.map_err(|error| self.broke_off(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let refusal = response.into_body().collect().await;
        let refusal = refusal.map_err(|error| self.broke_off(&error))?.to_bytes();
        Err(Failure::Refused(
            match serde_json::from_slice::<ErrorBody>(&refusal) {
                Ok(refusal) => refusal.detail,
                Err(_) => format!("the host answered {status} without saying why; its log may"),
            },
        ))
    }

    async fn connect(&self) -> Result<UnixStream, Failure> {
        match tokio::time::timeout(CONNECT, UnixStream::connect(&self.socket)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.unreachable(match error.kind() {
                ErrorKind::NotFound => {
                    "there is no such socket; start belfryd, or name the socket of its state folder with --socket"
                        .to_owned()
                }
                ErrorKind::ConnectionRefused => "nobody serves the socket any more; start belfryd".to_owned(),
                ErrorKind::PermissionDenied => {
                    "this user may not open the socket; be root, or the user that belfryd runs as".to_owned()
                }
                _ => format!("{error}; name the socket of a host's state folder with --socket"),
            })),
            Err(_) => Err(self.silent()),
        }
    }

    fn unreachable(&self, why: impl Into<String>) -> Failure {
        Failure::Unreachable {
            socket: Path::to_owned(&self.socket),
            why: why.into(),
        }
    }

    fn silent(&self) -> Failure {
        self.unreachable("it accepts connections and does not answer; its log may say why")
    }

    fn broke_off(&self, error: &hyper::Error) -> Failure {
        self.unreachable(format!("it broke off ({error}); its log may say why"))
    }
}

fn other_release(error: &serde_json::Error) -> Failure {
    Failure::Refused(format!(
        "the host's answer cannot be read ({error}); use the belfryctl of the same release"
    ))
}
