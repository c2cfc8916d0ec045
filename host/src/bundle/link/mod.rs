//! Links: how frames reach a running plugin and come back.
//!
//! A generation of a plugin runs behind one of two links, which differ in nothing but where the
//! code runs: [`process`] in a process of its own, [`thread`] in this one. Frames for the plugin
//! never wait on this side: what is handed out is bounded by the plugin's window. Frames from it
//! are bounded by a queue; a plugin that talks faster than the host listens waits.

mod process;
mod runner;
mod thread;

use std::path::Path;

use belfry_plugin_api::frame::{Splitter, ToHost, ToPlugin};
use belfry_plugin_api::manifest::{Isolation, PluginId};
use bytes::BytesMut;
use tokio::sync::{mpsc, oneshot};

pub use runner::{CHILD_ARGUMENT, child};

/// Frames from one plugin that may wait for the host.
const QUEUE_FRAMES: usize = 256;

/// Frames that cross at once at the most.
const BATCH_FRAMES: usize = 256;

/// Bytes that are read at once at the most.
const READ_BYTES: usize = 64 * 1024;

/// What starts a generation.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// Whose it is.
    pub id: &'a PluginId,
    /// The host's own copy of the artifact; with [`Isolation::Host`] under a name that was never
    /// loaded before.
    pub artifact: &'a Path,
    /// Where it runs.
    pub isolation: Isolation,
    /// Private writable memory that its process may have, in bytes.
    pub memory_limit_bytes: u64,
}

/// How a generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Its `run` returned.
    Returned,
    /// It broke: why, in a sentence for the operator.
    Broke(String),
}

/// A running generation.
pub struct Link {
    /// Frames for it.
    pub to_plugin: mpsc::UnboundedSender<ToPlugin>,
    /// Frames from it; ends when it has ended.
    pub from_plugin: mpsc::Receiver<Result<ToHost, String>>,
    /// How it ended.
    pub ended: oneshot::Receiver<Ended>,
    /// Its process, where it has one of its own.
    pub pid: Option<u32>,
    /// Ends it at once when it is sent or dropped, where that can be done.
    pub kill: oneshot::Sender<()>,
}

/// Starts a generation.
///
/// # Errors
///
/// The process or thread cannot be started, in a sentence for the operator.
pub fn launch(launch: &Launch<'_>) -> std::io::Result<Link> {
    match launch.isolation {
        Isolation::Process => process::launch(launch),
        Isolation::Host => thread::launch(launch),
    }
}

/// Takes what waits, at least one frame, and encodes it. `None` when no more frames come.
async fn next_batch(
    frames: &mut mpsc::UnboundedReceiver<ToPlugin>,
    batch: &mut Vec<ToPlugin>,
    buffer: &mut BytesMut,
) -> Option<()> {
    if frames.recv_many(batch, BATCH_FRAMES).await == 0 {
        return None;
    }
    for frame in batch.drain(..) {
        if let Err(error) = frame.encode(buffer) {
            // The sender's time-out finds that it has no answer.
            tracing::error!(tag = frame.tag(), %error, "a frame for a plugin could not be encoded");
        }
    }
    Some(())
}

/// Decodes the whole frames in a splitter and passes them on. False when the link is of no use
/// any more: nobody listens, or the plugin sends what are no frames.
async fn pass_on(splitter: &mut Splitter, frames: &mpsc::Sender<Result<ToHost, String>>) -> bool {
    loop {
        let frame = match splitter.next_frame() {
            Ok(Some(frame)) => ToHost::decode(&frame),
            Ok(None) => return true,
            Err(error) => Err(error),
        };
        let (frame, is_good) = match frame {
            Ok(frame) => (Ok(frame), true),
            Err(error) => (Err(format!("it sent what is no frame: {error}")), false),
        };
        if frames.send(frame).await.is_err() || !is_good {
            return false;
        }
    }
}
