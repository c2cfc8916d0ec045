//! From the plugin's tasks to the host.

use std::sync::Arc;

use abi_stable::std_types::RSlice;
use bytes::BytesMut;
use tokio::sync::mpsc;

use crate::boundary::HostLinkObject;
use crate::frame::ToHost;

/// Frames that may wait for the writer before those that produce them wait, too.
const QUEUE_FRAMES: usize = 4096;

/// Bytes after which a batch crosses, even if more frames wait.
const BATCH_BYTES: usize = 256 * 1024;

/// Where the plugin's tasks put frames for the host.
#[derive(Clone)]
pub(super) struct Outbound {
    queue: mpsc::Sender<ToHost>,
}

impl Outbound {
    /// Starts the thread that hands frames over. It ends behind the last frame of the protocol.
    pub(super) fn start(
        link: Arc<HostLinkObject>,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (queue, mut frames) = mpsc::channel(QUEUE_FRAMES);
        let thread = std::thread::Builder::new()
            .name("to-host".into())
            .spawn(move || write(&link, &mut frames))?;
        Ok((Self { queue }, thread))
    }

    pub(super) async fn send(&self, frame: ToHost) {
        // The only way to fail is that the writer has ended, because the host has gone.
        let _ = self.queue.send(frame).await;
    }

    /// Gives the frame back where the queue is full.
    pub(super) fn try_send(&self, frame: ToHost) -> Result<(), ToHost> {
        match self.queue.try_send(frame) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(frame)) => Err(frame),
        }
    }
}

fn write(link: &HostLinkObject, frames: &mut mpsc::Receiver<ToHost>) {
    let mut buffer = BytesMut::new();
    while let Some(mut frame) = frames.blocking_recv() {
        let mut last = is_last(&frame);
        while !last && buffer.len() < BATCH_BYTES {
            let Ok(more) = frames.try_recv() else { break };
            last = is_last(&more);
            if let Some(other) = frame.absorb(more) {
                encode(&frame, &mut buffer);
                frame = other;
            }
        }
        encode(&frame, &mut buffer);
        if !link.send(RSlice::from_slice(&buffer)) || last {
            return;
        }
        buffer.clear();
    }
}

fn is_last(frame: &ToHost) -> bool {
    matches!(frame, ToHost::Stopped(()) | ToHost::Failed(_))
}

fn encode(frame: &ToHost, buffer: &mut BytesMut) {
    if let Err(error) = frame.encode(buffer) {
        tracing::error!(tag = frame.tag(), %error, "a frame could not be encoded and was dropped");
    }
}
