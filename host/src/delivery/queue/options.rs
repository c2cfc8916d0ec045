//! What an operator and the host choose about a queue.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// What an answered [`accept`](super::Queue::accept) survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Power loss: flushed to disk before the answer.
    #[default]
    Power,
    /// The death of the process, not that of the machine.
    Process,
}

/// A durability that is neither `power` nor `process`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no durability; it is \"power\" or \"process\"")]
pub struct UnknownDurability(String);

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "power" => Ok(Durability::Power),
            "process" => Ok(Durability::Process),
            other => Err(UnknownDurability(other.to_owned())),
        }
    }
}

/// Where the queue takes the time of acceptance from: milliseconds since the Unix epoch.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Clock::new(crate::clock::now_ms)
    }

    /// Any other source of milliseconds since the Unix epoch.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    pub(super) fn now(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How to open a queue.
#[derive(Debug, Clone)]
pub struct Options {
    /// The SQLite file; its folder must exist, and be on a local file system.
    pub path: PathBuf,
    /// What an answered `accept` survives.
    pub durability: Durability,
    /// Where the time of acceptance comes from.
    pub clock: Clock,
}

impl Options {
    /// The file at `path`, with the strongest durability and the system's clock.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Options {
            path: path.into(),
            durability: Durability::default(),
            clock: Clock::system(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Durability};

    #[test]
    fn a_durability_is_read_as_operators_write_it() {
        assert_eq!("power".parse(), Ok(Durability::Power));
        assert_eq!("process".parse(), Ok(Durability::Process));
        let told = "disk".parse::<Durability>().expect_err("unknown");
        assert_eq!(
            told.to_string(),
            "\"disk\" is no durability; it is \"power\" or \"process\""
        );
    }

    #[test]
    fn the_system_clock_counts_milliseconds() {
        let in_2020 = 1_577_836_800_000;
        let in_2200 = 7_258_118_400_000;
        assert!((in_2020..in_2200).contains(&Clock::system().now()));
    }
}
