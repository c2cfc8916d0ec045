//! How much one plugin may say.

use std::time::Instant;

/// A plugin may say what it is allowed in so many seconds at once.
const BURST_S: f64 = 5.0;

/// A bucket of tokens: one for each thing that the plugin says, refilled by time.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    last: Instant,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            tokens: f64::INFINITY,
            last: Instant::now(),
        }
    }
}

impl Bucket {
    /// Takes tokens at a rate for each second; false where there are not enough.
    pub(super) fn take(&mut self, count: usize, per_second: u32) -> bool {
        let now = Instant::now();
        let rate = f64::from(per_second);
        let refill = now.duration_since(self.last).as_secs_f64() * rate;
        self.last = now;
        self.tokens = (self.tokens + refill).min(rate * BURST_S);
        let wanted = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        if self.tokens >= wanted {
            self.tokens -= wanted;
            true
        } else {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let mut bucket = Bucket::default();
        assert!(bucket.take(500, 100));
        assert!(!bucket.take(500, 100));
    }
}
