//! How long to wait before the next try: doubling, capped, and spread so that clients don't return together.
use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(5);

/// The wait after the `failures`-th failure in a row (from 1), at least `asked` if the server asked for a delay.
pub(crate) fn delay(failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    // Between half of it and all of it.
    let spread = doubled.mul_f64(0.5 + 0.5 * random_share());
    asked.map_or(spread, |asked| asked.min(LONGEST) + spread / 4)
}

/// A number in [0, 1), from the random bits of a fresh id.
fn random_share() -> f64 {
    let bits = uuid::Uuid::now_v7().as_u128() as u32;
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_capped_and_respect_the_server() {
        assert!(delay(1, None) <= FIRST && delay(1, None) >= FIRST / 2);
        assert!(delay(100, None) <= LONGEST && delay(100, None) >= LONGEST / 2);
        assert!(delay(1, Some(Duration::from_secs(1))) >= Duration::from_secs(1));
    }
}
