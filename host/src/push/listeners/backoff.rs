use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// How long to wait after so many failures before this one: doubling, and up to half of it left
/// to chance, so that many who failed together do not come back together.
pub(super) fn delay(failures: u32) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures));
    doubled.min(LONGEST).mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_a_limit() {
        for (failures, most) in [(0, 1), (1, 2), (5, 32), (9, 300), (u32::MAX, 300)] {
            let most = Duration::from_secs(most);
            for _ in 0..100 {
                let delay = delay(failures);
                assert!(delay >= most / 2 && delay <= most, "{failures}: {delay:?}");
            }
        }
    }
}
