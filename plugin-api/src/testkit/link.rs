use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use abi_stable::std_types::{RSlice, RVec};
use tokio::sync::mpsc::UnboundedSender;

use crate::boundary::HostLink;
use crate::frame::{Splitter, ToHost};

/// The link of a plugin whose host is a test.
pub(super) struct TestLink {
    pub(super) inbox: Mutex<Receiver<Vec<u8>>>,
    pub(super) outbox: UnboundedSender<ToHost>,
}

impl HostLink for TestLink {
    fn receive(&self) -> RVec<u8> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.recv().unwrap_or_default().into()
    }

    fn send(&self, frames: RSlice<'_, u8>) -> bool {
        let mut splitter = Splitter::default();
        splitter.buffer().extend_from_slice(frames.as_slice());
        while let Ok(Some(frame)) = splitter.next_frame() {
            // What cannot be read is what the test waits for in vain; it says so then.
            let Ok(frame) = ToHost::decode(&frame) else {
                continue;
            };
            if self.outbox.send(frame).is_err() {
                return false;
            }
        }
        true
    }
}
