//! The host's log.

mod tail;

use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

pub use tail::Record;
use tail::{Tail, TailLayer};

/// What is logged unless the environment says otherwise: our own records from `info` on, those of
/// libraries from `warn` on.
const DEFAULT_LEVEL: &str = "info";

/// Where records may be asked for otherwise, in the syntax of [`EnvFilter`].
const VARIABLE: &str = "BELFRY_LOG";

/// What plugins' records are written under. Which of them are is decided plugin by plugin.
pub const PLUGIN_TARGET: &str = "belfry_plugin";

static CONTROL: OnceLock<Control> = OnceLock::new();

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// What the operator wrote; without it, text on a terminal and JSON elsewhere.
    pub fn of(setting: Option<&str>) -> Self {
        match setting {
            Some("text") => Self::Text,
            Some("json") => Self::Json,
            _ if std::io::stderr().is_terminal() => Self::Text,
            _ => Self::Json,
        }
    }
}

/// The log of this process, for operators.
pub struct Control {
    filter: reload::Handle<EnvFilter, Registry>,
    tail: Tail,
}

impl Control {
    /// The one of this process; none where [`install`] was not called.
    pub fn get() -> Option<&'static Self> {
        CONTROL.get()
    }

    /// The records that are written from now on. Whoever is slow misses some.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Record>> {
        self.tail.listen()
    }

    /// Writes the host's own records from a level on (`error` to `trace`); without one, those
    /// that it wrote at its start.
    ///
    /// # Errors
    ///
    /// The log cannot be changed any more, in a sentence.
    pub fn set_level(&self, level: Option<&str>) -> Result<(), String> {
        let filter = level.map_or_else(usual_filter, filter);
        self.filter
            .reload(filter)
            .map_err(|error| format!("the log's level cannot be changed: {error}"))
    }
}

fn usual_filter() -> EnvFilter {
    // What the variable says of plugins comes later, and so holds.
    let asked = std::env::var(VARIABLE).ok();
    let asked =
        asked.and_then(|asked| EnvFilter::try_new(format!("{PLUGIN_TARGET}=trace,{asked}")).ok());
    asked.unwrap_or_else(|| filter(DEFAULT_LEVEL))
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!(
        "warn,belfry_host={level},belfryd={level},{PLUGIN_TARGET}=trace"
    ))
}

/// Sends records to standard error from now on.
pub fn install(format: Format) {
    let tail = Tail::default();
    let (filter, handle) = reload::Layer::new(usual_filter());
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(TailLayer::new(tail.clone()));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let installed = match format {
        Format::Text => registry
            .with(
                layer
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal()),
            )
            .try_init(),
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    // A second one in the same process would be a bug of the program; the first one stays.
    if installed.is_ok() {
        let _ = CONTROL.set(Control {
            filter: handle,
            tail,
        });
    }
}
