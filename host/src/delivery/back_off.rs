use rand::RngExt;

/// The first repetition, in milliseconds.
const FIRST_MS: u64 = 1_000;

/// The longest wait between two tries, in milliseconds: Apple asks for no retry of one
/// notification within 15 minutes of a server error ("Handling notification responses from APNs").
const LONGEST_MS: u64 = 15 * 60 * 1_000;

/// How long to wait after so many tries, in milliseconds: twice as long each time, with half of it
/// at random, so that what failed together does not come back together.
pub(super) fn back_off_ms(attempts: u32) -> i64 {
    let doubled = FIRST_MS
        .saturating_mul(1 << attempts.min(20))
        .min(LONGEST_MS);
    let jittered = doubled / 2 + rand::rng().random_range(0..=doubled / 2);
    i64::try_from(jittered).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_stops_growing() {
        for attempts in 0..200 {
            let wait = back_off_ms(attempts);
            assert!((500..=900_000).contains(&wait), "{attempts}: {wait}");
        }
        assert!(back_off_ms(9) >= 256_000);
    }
}
