//! A mail server that notifies as fast as it is answered, or at a rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use belfry_tests::app::notification;
use belfry_tests::host::{LOGIN, PASSWORD};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Answers' latencies, in microseconds.
pub(crate) type Latencies = Histogram<u64>;

/// How notifications are sent.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Keep-alive connections.
    pub(crate) connections: u32,
    /// How many in all.
    pub(crate) count: u32,
    /// At most so many a second; none for as fast as they are answered.
    pub(crate) per_second: Option<u32>,
    /// The UID of the first.
    pub(crate) first_uid: u32,
}

/// Sends them, each of another mail of one of the users. Returns how long the answers took, each
/// measured from when its request was due.
pub(crate) async fn send(internal: &str, users: &[String], plan: Plan) -> Latencies {
    let address: Arc<str> = internal.trim_start_matches("http://").into();
    let users: Arc<[String]> = users.into();
    let next = Arc::new(AtomicU32::new(0));
    let begin = Instant::now();
    let senders: Vec<_> = (0..plan.connections)
        .map(|_| {
            tokio::spawn(connection(
                address.clone(),
                users.clone(),
                next.clone(),
                plan,
                begin,
            ))
        })
        .collect();
    let mut all = Latencies::new(3).unwrap();
    for sender in senders {
        all.add(sender.await.unwrap()).unwrap();
    }
    all
}

async fn connection(
    address: Arc<str>,
    users: Arc<[String]>,
    next: Arc<AtomicU32>,
    plan: Plan,
    begin: Instant,
) -> Latencies {
    let stream = TcpStream::connect(&*address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let authorization = format!("Basic {}", base64(&format!("{LOGIN}:{PASSWORD}")));
    let mut latencies = Latencies::new(3).unwrap();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.count {
            return latencies;
        }
        let due = match plan.per_second {
            Some(rate) => {
                let due = begin + Duration::from_secs_f64(f64::from(number) / f64::from(rate));
                tokio::time::sleep_until(due.into()).await;
                due
            }
            None => Instant::now(),
        };
        let user = &users[number as usize % users.len()];
        let body = notification(user, plan.first_uid + number).to_string();
        let request = Request::put("/preliminary/http-notify/v1/notify")
            .header("host", &*address)
            .header("authorization", &authorization)
            .header("content-type", "application/json; charset=utf-8")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        // The answer's 16 bytes come with its head; the connection reads them before the next.
        http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap();
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap();
        latencies.record(micros.max(1)).unwrap();
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
