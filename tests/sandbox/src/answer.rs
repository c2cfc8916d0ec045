//! An HTTP answer before it is put on a stream.

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

/// What goes back on one stream.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self::body(status, "application/json; charset=UTF-8", body.to_string())
    }

    pub(crate) fn body(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))],
            body: Bytes::from(body),
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Puts the answer on its stream.
    ///
    /// # Errors
    ///
    /// The client reset the stream or the connection is gone.
    pub(crate) fn send(self, respond: &mut SendResponse<Bytes>) -> Result<(), h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        let end = self.body.is_empty();
        let mut body = respond.send_response(response, end)?;
        if !end {
            body.send_data(self.body, true)?;
        }
        Ok(())
    }
}
