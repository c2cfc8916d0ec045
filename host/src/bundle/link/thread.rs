//! A generation on a thread of this process.
//!
//! For an operator who trusts the plugin and wants one process. The artifact stays mapped for as
//! long as the process lives; a hang or a leak stays, too, and a crash takes the host along.

use std::sync::{Mutex, PoisonError};

use abi_stable::std_types::{RSlice, RVec};
use belfry_plugin_api::boundary::{HostLink, HostLink_TO};
use belfry_plugin_api::frame::Splitter;
use bytes::BytesMut;
use tokio::sync::{mpsc, oneshot};

use super::{BATCH_FRAMES, Ended, Launch, Link, QUEUE_FRAMES};
use crate::bundle::load::LoadedPlugin;

/// Batches that may wait between the host's tasks and the plugin's threads.
const QUEUE_BATCHES: usize = 4;

pub(super) fn launch(launch: &Launch<'_>) -> std::io::Result<Link> {
    let (batches_in, inbox) = mpsc::channel::<Vec<u8>>(QUEUE_BATCHES);
    let (outbox, mut batches_out) = mpsc::channel::<Vec<u8>>(QUEUE_BATCHES);
    let link = ThreadLink {
        inbox: Mutex::new(inbox),
        outbox,
    };
    let (tell_ended, ended) = oneshot::channel();
    let artifact = launch.artifact.to_owned();
    std::thread::Builder::new()
        .name(launch.id.to_string())
        .spawn(move || {
            let ran = LoadedPlugin::open(&artifact)
                .map_err(|error| error.to_string())
                .and_then(|plugin| {
                    plugin.run(HostLink_TO::from_value(
                        link,
                        abi_stable::sabi_trait::TD_Opaque,
                    ))
                });
            let _ = tell_ended.send(match ran {
                Ok(()) => Ended::Returned,
                Err(reason) => Ended::Broke(reason),
            });
        })?;

    // When the host drops its side or says kill, both queues close, and the plugin's threads
    // find that the host has gone.
    let (kill, killed) = oneshot::channel::<()>();
    let (to_plugin, mut outgoing) = mpsc::unbounded_channel();
    let write = async move {
        let mut batch = Vec::with_capacity(BATCH_FRAMES);
        let mut buffer = BytesMut::new();
        while super::next_batch(&mut outgoing, &mut batch, &mut buffer)
            .await
            .is_some()
        {
            if batches_in.send(buffer.to_vec()).await.is_err() {
                return;
            }
            buffer.clear();
        }
    };
    let (frames, from_plugin) = mpsc::channel(QUEUE_FRAMES);
    let read = async move {
        let mut splitter = Splitter::default();
        while let Some(batch) = batches_out.recv().await {
            splitter.buffer().extend_from_slice(&batch);
            if !super::pass_on(&mut splitter, &frames).await {
                return;
            }
        }
    };
    tokio::spawn(async move {
        let write = tokio::spawn(write);
        let read = tokio::spawn(read);
        let _ = killed.await;
        write.abort();
        read.abort();
    });

    Ok(Link {
        to_plugin,
        from_plugin,
        ended,
        pid: None,
        kill,
    })
}

struct ThreadLink {
    inbox: Mutex<mpsc::Receiver<Vec<u8>>>,
    outbox: mpsc::Sender<Vec<u8>>,
}

impl HostLink for ThreadLink {
    fn receive(&self) -> RVec<u8> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.blocking_recv().unwrap_or_default().into()
    }

    fn send(&self, frames: RSlice<'_, u8>) -> bool {
        self.outbox
            .blocking_send(frames.as_slice().to_vec())
            .is_ok()
    }
}
