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
