//! The host's log.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged: our own records from `info` on, those of libraries from `warn` on. Plugins'
/// records carry their module as a field, so they count as ours.
const DEFAULT_FILTER: &str = "warn,belfry_host=info,belfryd=info";

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

/// Sends records to standard error from now on.
pub fn install(format: Format) {
    let filter = EnvFilter::try_from_env("BELFRY_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second one in the same process would be a bug of the program; the first one stays.
    let _ = match format {
        Format::Text => registry
            .with(layer.with_target(false).with_ansi(std::io::stderr().is_terminal()))
            .try_init(),
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
}
