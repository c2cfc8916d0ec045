//! One request and its response on one stream.

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, StatusCode};

/// What is read of a response's body; a provider's answer is far below.
const RESPONSE_BODY_LIMIT_BYTES: usize = 64 * 1024;

/// A response, as far as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Sends a request and reads its response. Dropping the future resets the stream.
pub(super) async fn exchange(
    send: &mut SendRequest<Bytes>,
    request: Request<Bytes>,
) -> Result<Answer, h2::Error> {
    let (parts, body) = request.into_parts();
    let (response, mut upload) =
        send.send_request(Request::from_parts(parts, ()), body.is_empty())?;
    if !body.is_empty() {
        // A peer that answers or resets before it read the body makes this fail; what it said
        // is in the response.
        let _answered_already = upload.send_data(body, true);
    }
    let (parts, body) = response.await?.into_parts();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: read(body).await,
    })
}

/// Reads a body. What cannot be read is left out: the status has been given, and that is what
/// decides.
async fn read(mut body: RecvStream) -> Bytes {
    let mut read = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                if error.reason() != Some(Reason::NO_ERROR) {
                    tracing::debug!(%error, "a provider's answer broke off");
                }
                break;
            }
        };
        // The window of the whole connection is reopened by this, so it is due for every byte,
        // wanted or not; it fails only where the stream is gone, and the window with it.
        let _stream_gone = body.flow_control().release_capacity(piece.len());
        if read.len() + piece.len() > RESPONSE_BODY_LIMIT_BYTES {
            tracing::debug!(
                "a provider's answer was longer than {RESPONSE_BODY_LIMIT_BYTES} bytes"
            );
            break;
        }
        read.extend_from_slice(&piece);
    }
    read.freeze()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use h2::server;

    use super::*;

    /// A client and a server at the two ends of a pipe; the server answers each request with a
    /// body of so many bytes.
    async fn connected(body_bytes: usize) -> SendRequest<Bytes> {
        let (client, server) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let mut connection = server::handshake(server).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let mut body = respond
                    .send_response(http::Response::new(()), false)
                    .unwrap();
                body.send_data(Bytes::from(vec![b'x'; body_bytes]), true)
                    .unwrap();
            }
        });
        let (send, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(async move { connection.await.unwrap() });
        send
    }

    fn request() -> Request<Bytes> {
        Request::post("https://provider/")
            .body(Bytes::from_static(b"{}"))
            .unwrap()
    }

    async fn answered(send: &mut SendRequest<Bytes>) -> Answer {
        let exchange = exchange(send, request());
        tokio::time::timeout(Duration::from_secs(5), exchange)
            .await
            .expect("stalled")
            .unwrap()
    }

    #[tokio::test]
    async fn bodies_beyond_the_window_of_the_connection_do_not_stall_it() {
        let mut send = connected(10_000).await;
        // The window is 65,535 bytes here (RFC 9113, section 6.9.2).
        for _ in 0..100 {
            let answer = answered(&mut send).await;
            assert_eq!(answer.body.len(), 10_000);
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_cut_off_and_does_not_stall_the_connection_either() {
        let mut send = connected(1_000_000).await;
        for _ in 0..20 {
            let answer = answered(&mut send).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.body.len() <= RESPONSE_BODY_LIMIT_BYTES);
        }
    }
}
