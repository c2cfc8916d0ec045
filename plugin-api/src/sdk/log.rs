//! From `tracing` in the plugin to the host's log.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{Registry, reload};

use super::outbound::Outbound;
use super::threads;
use crate::frame::{Level, LogRecord, ToHost};

/// From which level on records are made at all.
static WANTED: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Sends `tracing` events of this artifact to the host from now on. Each artifact has its own
/// copy of `tracing`'s statics, so this touches nobody else.
pub(super) fn install(outbound: Outbound) {
    let (wanted, handle) = reload::Layer::new(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry()
        .with(wanted)
        .with(ToHostLayer {
            otherwise: outbound,
            dropped: AtomicU64::new(0),
        });
    // In a test several plugins share one copy, which is installed already.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        // Nobody else sets it: it is set behind the one successful installation.
        let _ = WANTED.set(handle);
    }
}

/// Makes records from this level on, as the host wants them.
pub(super) fn want(level: Level) {
    let Some(wanted) = WANTED.get() else { return };
    // The subscriber, without which this fails, stays for as long as the artifact.
    let _ = wanted.reload(LevelFilter::from_level(level.into()));
}

struct ToHostLayer {
    /// For threads that the SDK did not start.
    otherwise: Outbound,
    dropped: AtomicU64,
}

impl<S: Subscriber> Layer<S> for ToHostLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        // Libraries speak up only when something is wrong; their debug records would travel to
        // the host to be thrown away there.
        let own = !is_library(metadata.target());
        if !own && *metadata.level() > tracing::Level::WARN {
            return;
        }
        let mut record = LogRecord {
            level: metadata.level().into(),
            target: metadata.target().to_owned(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut Fields(&mut record));
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let field = ("records_dropped_before".to_owned(), dropped.to_string());
            record.fields.push(field);
        }
        // A log must never make work wait.
        let frame = ToHost::Log(vec![record]);
        let sent = match threads::current(|own| own.outbound().clone()) {
            Some(outbound) => outbound.try_send(frame),
            None => self.otherwise.try_send(frame),
        };
        if sent.is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }
}

fn is_library(target: &str) -> bool {
    const LIBRARIES: [&str; 6] = ["h2", "hyper", "rustls", "tokio", "mio", "async_imap"];
    let root = target.split("::").next().unwrap_or(target);
    LIBRARIES
        .iter()
        .any(|library| root == *library || root.starts_with("hyper_") || root.starts_with("tokio_"))
}

struct Fields<'a>(&'a mut LogRecord);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0.message);
        } else {
            self.0
                .fields
                .push((field.name().to_owned(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
