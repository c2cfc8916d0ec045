//! A client as plain as can be, so that a test sends exactly what it says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use belfry_sandbox::{
    Apns, ApnsOptions, Double, Fcm, FcmOptions, ProviderKey, ServiceAccount, TestCa,
};
use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, StatusCode};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) const TOPIC: &str = "org.example.mail";
pub(crate) const TEAM: &str = "TEAM123456";
pub(crate) const PROJECT: &str = "mail-app";
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A device token of APNs' form, a different one for each number.
pub(crate) fn device(number: u8) -> String {
    format!("{number:02x}").repeat(32)
}

/// An open HTTP/2 connection.
pub(crate) struct Client {
    send: SendRequest<Bytes>,
    authority: String,
    driver: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Status and `reason`, as APNs gives them.
    pub(crate) fn reason(&self) -> (u16, String) {
        (
            self.status.as_u16(),
            self.json()["reason"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }
}

pub(crate) async fn tls(
    address: SocketAddr,
    ca: &TestCa,
    identity: Option<Identity>,
    alpn: &[&[u8]],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(ca.roots().unwrap());
    let mut config = match identity {
        Some((certificate, key)) => builder
            .with_client_auth_cert(vec![certificate], key)
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

impl Client {
    pub(crate) async fn connect(double: &Double, ca: &TestCa, identity: Option<Identity>) -> Self {
        Self::connect_to(double.address(), ca, identity).await
    }

    pub(crate) async fn connect_to(
        address: SocketAddr,
        ca: &TestCa,
        identity: Option<Identity>,
    ) -> Self {
        let stream = tls(address, ca, identity, &[b"h2"]).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        let driver = tokio::spawn(connection);
        Self {
            send,
            authority: address.to_string(),
            driver,
        }
    }

    /// Streams that the double allows at the moment.
    pub(crate) fn allowed_streams(&self) -> usize {
        self.send.current_max_send_streams()
    }

    /// Sends without waiting for the answer.
    pub(crate) async fn start(
        &mut self,
        request: Request<()>,
        body: impl Into<Bytes>,
    ) -> ResponseFuture {
        self.try_start(request, body.into()).await.unwrap()
    }

    async fn try_start(
        &mut self,
        request: Request<()>,
        body: Bytes,
    ) -> Result<ResponseFuture, h2::Error> {
        let (response, mut stream) = self.open(request).await?;
        stream.send_data(body, true)?;
        Ok(response)
    }

    /// Sends the headers of a request whose body comes later.
    pub(crate) async fn open(
        &mut self,
        request: Request<()>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let (mut parts, ()) = request.into_parts();
        parts.uri = format!("https://{}{}", self.authority, parts.uri)
            .parse()
            .unwrap();
        std::future::poll_fn(|cx| self.send.poll_ready(cx)).await?;
        self.send
            .send_request(Request::from_parts(parts, ()), false)
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<()>,
        body: impl Into<Bytes>,
    ) -> Result<Reply, h2::Error> {
        finish(self.try_start(request, body.into()).await?).await
    }

    /// How the connection ended.
    pub(crate) async fn ended(self) -> Result<(), h2::Error> {
        drop(self.send);
        tokio::time::timeout(SOON, self.driver)
            .await
            .expect("the double ends the connection")
            .unwrap()
    }
}

pub(crate) async fn finish(response: ResponseFuture) -> Result<Reply, h2::Error> {
    let (parts, mut body) = response.await?.into_parts();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        text.extend_from_slice(&data);
    }
    Ok(Reply {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(text).unwrap(),
    })
}

/// Authority, key and double, as most tests of APNs want them.
pub(crate) struct Apple {
    pub(crate) ca: TestCa,
    pub(crate) key: ProviderKey,
    pub(crate) apns: Apns,
    pub(crate) token: String,
}

impl Apple {
    pub(crate) async fn new() -> Self {
        Self::with(|options| options).await
    }

    pub(crate) async fn with(change: impl FnOnce(ApnsOptions) -> ApnsOptions) -> Self {
        let ca = TestCa::new().unwrap();
        let key = ProviderKey::generate(TEAM).unwrap();
        let apns = Apns::start(change(ApnsOptions::new(&ca, TOPIC).key(key.accepted())))
            .await
            .unwrap();
        let token = key.token(SystemTime::now()).unwrap();
        Self {
            ca,
            key,
            apns,
            token,
        }
    }

    /// A connection that will show provider tokens.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.apns, &self.ca, None).await
    }

    /// A connection with a push certificate.
    pub(crate) async fn certified(&self, topic: &str) -> Client {
        Client::connect(
            &self.apns,
            &self.ca,
            Some(self.ca.client_identity(topic).unwrap()),
        )
        .await
    }

    /// A request that nothing is wrong with.
    pub(crate) fn push(&self, device: &str) -> Request<()> {
        push(&self.token, device)
    }
}

pub(crate) fn push(token: &str, device: &str) -> Request<()> {
    Request::post(format!("/3/device/{device}"))
        .header("authorization", format!("bearer {token}"))
        .header("apns-topic", TOPIC)
        .header("apns-push-type", "alert")
        .header("apns-priority", "10")
        .header("apns-expiration", "0")
        .body(())
        .unwrap()
}

/// A request with one header changed, or taken away.
pub(crate) fn with(
    mut request: Request<()>,
    name: &'static str,
    value: Option<&str>,
) -> Request<()> {
    match value {
        Some(value) => drop(request.headers_mut().insert(name, value.parse().unwrap())),
        None => drop(request.headers_mut().remove(name)),
    }
    request
}

pub(crate) fn alert(subject: &str) -> String {
    json!({
        "aps": {"alert": {"title": "Alice", "body": subject}, "badge": 3, "sound": "default"},
        "cid": format!("default0/INBOX:{subject}"),
    })
    .to_string()
}

/// Authority, account and double for FCM.
pub(crate) struct Google {
    pub(crate) ca: TestCa,
    pub(crate) account: ServiceAccount,
    pub(crate) fcm: Fcm,
}

impl Google {
    pub(crate) async fn new() -> Self {
        let ca = TestCa::new().unwrap();
        let account = ServiceAccount::new(PROJECT, "belfry@mail-app.iam.gserviceaccount.com");
        let fcm = Fcm::start(FcmOptions::new(&ca, account.clone()))
            .await
            .unwrap();
        Self { ca, account, fcm }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.fcm, &self.ca, None).await
    }

    pub(crate) fn push(&self) -> Request<()> {
        self.push_with(&self.fcm.access_token().unwrap())
    }

    pub(crate) fn push_with(&self, token: &str) -> Request<()> {
        Request::post(format!("/v1/projects/{PROJECT}/messages:send"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(())
            .unwrap()
    }
}

pub(crate) fn message(token: &str, cid: &str) -> Value {
    json!({"message": {
        "token": token,
        "data": {"cid": cid, "subject": "Lunch?", "sender": "Alice", "unread": "3"},
        "android": {"priority": "HIGH", "ttl": "86400s"},
    }})
}

/// A connection with a certificate, on which many streams may be open from the start.
pub(crate) async fn connected(apple: &Apple) -> Client {
    apple.certified(TOPIC).await
}

pub(crate) async fn send_hello(apple: &Apple, client: &mut Client) -> Result<u16, h2::Error> {
    client
        .send(apple.push(&device(1)), alert("hello"))
        .await
        .map(|reply| reply.status.as_u16())
}
