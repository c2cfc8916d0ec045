//! The one clock, so that tests can turn its hands.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time of day, which tokens are dated with.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> SystemTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Seconds since 1970, as JWT dates are written (RFC 7519, section 2); 0 for anything before.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// Seconds since 1970 by the machine's clock.
pub(crate) fn now_s() -> u64 {
    unix_seconds(SystemTime::now())
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Mutex;

    use super::*;

    /// A clock that stands still until it is told otherwise.
    #[derive(Debug)]
    pub(crate) struct HandClock(Mutex<SystemTime>);

    impl HandClock {
        pub(crate) fn at(seconds: u64) -> Self {
            Self(Mutex::new(UNIX_EPOCH + Duration::from_secs(seconds)))
        }

        pub(crate) fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }

        pub(crate) fn turn_back(&self, by: Duration) {
            *self.0.lock().unwrap() -= by;
        }
    }

    impl Clock for HandClock {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }
}
