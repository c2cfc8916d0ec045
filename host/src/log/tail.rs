//! Log records for those who watch.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::clock::now_ms;
use belfry_plugin_api::frame::Level;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Records that somebody slow may be behind before some are missed.
const KEPT: usize = 1_024;

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it was written, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// How bad it is.
    pub level: Level,
    /// The module that wrote it.
    pub module: String,
    /// The plugin that it is of or about.
    pub plugin: Option<String>,
    /// The text.
    pub message: String,
    /// Further fields.
    pub fields: BTreeMap<String, String>,
}

/// Where records pass.
#[derive(Clone)]
pub(super) struct Tail(broadcast::Sender<Arc<Record>>);

impl Default for Tail {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl Tail {
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Record>> {
        self.0.subscribe()
    }
}

/// Copies records while somebody watches.
pub(super) struct TailLayer(Tail);

impl TailLayer {
    pub(super) fn new(tail: Tail) -> Self {
        Self(tail)
    }
}

impl<S: Subscriber> Layer<S> for TailLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Self(Tail(sender)) = self;
        if sender.receiver_count() == 0 {
            return;
        }
        let metadata = event.metadata();
        let mut record = Record {
            at_ms: now_ms(),
            level: metadata.level().into(),
            module: metadata.target().to_owned(),
            plugin: None,
            message: String::new(),
            fields: BTreeMap::new(),
        };
        event.record(&mut Fields(&mut record));
        // The last one who watched may have gone since.
        let _ = sender.send(Arc::new(record));
    }
}

struct Fields<'a>(&'a mut Record);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let value = value.to_owned();
        match field.name() {
            "message" => self.0.message = value,
            "plugin" => self.0.plugin = Some(value),
            "module" => self.0.module = value,
            name => drop(self.0.fields.insert(name.to_owned(), value)),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn whoever_watches_gets_what_is_written_meanwhile() {
        let tail = Tail::default();
        let subscriber = tracing_subscriber::registry().with(TailLayer::new(tail.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("nobody watches yet");
            let mut watching = tail.listen();
            let plugin = "push-dovecot";
            tracing::warn!(%plugin, module = "imap", attempts = 3, "it is tried again");
            let record = watching.try_recv().unwrap();
            assert_eq!(record.level, Level::Warn);
            assert_eq!(record.plugin.as_deref(), Some("push-dovecot"));
            assert_eq!(record.module, "imap");
            assert_eq!(record.message, "it is tried again");
            assert_eq!(
                record.fields,
                BTreeMap::from([("attempts".into(), "3".into())])
            );
            assert!(watching.try_recv().is_err());
        });
    }
}
