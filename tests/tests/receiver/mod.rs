//! A bare HTTP server that writes down what Dovecot sends, and judges nothing.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut of_name = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        of_name.next().map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Receiver {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::answering("200 OK").await
    }

    pub(crate) async fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, status, seen.clone()));
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self, login: &str, password: &str) -> String {
        let password = password.replace('%', "%25");
        format!(
            "http://{login}:{password}@127.0.0.1:{}/preliminary/http-notify/v1/notify",
            self.port
        )
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn serve(stream: TcpStream, status: &str, seen: Arc<Mutex<Vec<Request>>>) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    loop {
        let line = line(&mut stream).await?;
        if line.is_empty() {
            return Ok(());
        }
        let mut request = Request {
            line,
            headers: Vec::new(),
            body: Value::Null,
        };
        loop {
            let header = self::line(&mut stream).await?;
            let Some((name, value)) = header.split_once(": ") else {
                break;
            };
            request.headers.push((name.to_owned(), value.to_owned()));
        }
        let length = request.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        request.body = serde_json::from_slice(&body).unwrap();
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

async fn line(stream: &mut BufStream<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}
