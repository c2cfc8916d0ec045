//! Answers that go on: one JSON object a line, until the host ends or the client has enough.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::http::Ending;

/// One line of an answer that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line<T> {
    /// The client was too slow: so many are not told.
    Missed {
        /// How many.
        missed: u64,
    },
    /// What is told.
    Told(T),
}

/// Tells of everything that `line` makes something of.
pub(super) fn json_lines<T, L>(
    receiver: Receiver<Arc<T>>,
    ending: Ending,
    line: impl FnMut(&T) -> Option<L> + Send + 'static,
) -> Response
where
    T: Send + Sync + 'static,
    L: Serialize + Send + 'static,
{
    let lines = stream::unfold(
        (receiver, ending, line),
        |(mut receiver, ending, mut line)| async move {
            let told = tokio::select! {
                told = next(&mut receiver, &mut line) => told?,
                () = ending.begun() => return None,
            };
            let bytes = serde_json::to_vec(&told).map(|mut bytes| {
                bytes.push(b'\n');
                Bytes::from(bytes)
            });
            Some((bytes, (receiver, ending, line)))
        },
    );
    (
        [(CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response()
}

async fn next<T, L>(
    receiver: &mut Receiver<Arc<T>>,
    line: &mut impl FnMut(&T) -> Option<L>,
) -> Option<Line<L>> {
    loop {
        match receiver.recv().await {
            Ok(passing) => {
                if let Some(told) = line(&passing) {
                    return Some(Line::Told(told));
                }
            }
            Err(RecvError::Lagged(missed)) => return Some(Line::Missed { missed }),
            Err(RecvError::Closed) => return None,
        }
    }
}
