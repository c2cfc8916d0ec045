//! How long to wait before the next try.

use std::time::Duration;

/// No wait grows beyond this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The wait before try number `attempt` (0 for the first repetition): `first`, doubled for each
/// try before, at most [`LONGEST_WAIT`], and up to half as much again by chance, so that what
/// failed together does not come back together. Never shorter than `first`.
pub fn exponential(first: Duration, attempt: u32) -> Duration {
    let grown = 2u32
        .checked_pow(attempt)
        .and_then(|factor| first.checked_mul(factor))
        .unwrap_or(LONGEST_WAIT)
        .clamp(first, LONGEST_WAIT.max(first));
    grown + grown.mul_f64(0.5 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_with_each_try_and_is_spread() {
        let first = Duration::from_secs(10);
        for (attempt, least) in [(0, 10), (1, 20), (2, 40), (5, 320)] {
            let wait = exponential(first, attempt);
            let least = Duration::from_secs(least);
            assert!(
                wait >= least && wait <= least.mul_f64(1.5),
                "{attempt}: {wait:?}"
            );
        }
        let different = (0..20).any(|_| exponential(first, 0) != exponential(first, 0));
        assert!(different, "20 pairs of waits were equal");
    }

    #[test]
    fn no_number_of_tries_overflows() {
        for attempt in [31, 32, u32::MAX] {
            assert!(exponential(Duration::from_secs(60), attempt) <= LONGEST_WAIT.mul_f64(1.5));
        }
    }
}
