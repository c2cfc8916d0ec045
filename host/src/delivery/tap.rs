//! Where operators listen to the events that pass.

use std::sync::Arc;

use belfry_plugin_api::event::Event;
use tokio::sync::broadcast;

/// Events that a slow listener may be behind before it misses some.
const KEPT: usize = 1_024;

/// Events pass it on their way to the handlers, and are copied only while somebody listens.
pub(super) struct Tap(broadcast::Sender<Arc<Event>>);

impl Default for Tap {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl Tap {
    pub(super) fn passes(&self, event: &Event) {
        if self.0.receiver_count() > 0 {
            // The last listener may have gone since.
            let _ = self.0.send(Arc::new(event.clone()));
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.subscribe()
    }
}
