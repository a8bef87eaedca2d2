//! Percentiles of measured times, by the nearest rank: each is a time that was really measured.

use std::time::Duration;

const MS_PER_SECOND: f64 = 1000.0;

/// Times in milliseconds, sorted.
#[derive(Clone, Debug)]
pub(super) struct Times(Vec<f64>);

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        Self::of_ms(durations.into_iter().map(|duration| duration.as_secs_f64() * MS_PER_SECOND))
    }
}

impl Times {
    /// Times that were told in milliseconds.
    pub(super) fn of_ms(ms: impl IntoIterator<Item = f64>) -> Self {
        let mut ms: Vec<f64> = ms.into_iter().collect();
        ms.sort_by(f64::total_cmp);
        Self(ms)
    }

    /// The smallest time that at least this share of all times, in [0, 1], does not exceed; none of no times.
    pub(super) fn percentile_ms(&self, share: f64) -> Option<f64> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// The time in the middle, the longer one of two.
    pub(super) fn median_ms(&self) -> Option<f64> {
        self.0.get(self.0.len() / 2).copied()
    }
}

/// So many a second; none where no time has passed, or nothing was counted.
pub(super) fn per_second(count: usize, duration: Duration) -> Option<f64> {
    let seconds = duration.as_secs_f64();
    (count > 0 && seconds > 0.0).then(|| count as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ms: impl IntoIterator<Item = u64>) -> Times {
        ms.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_is_the_time_at_the_nearest_rank() {
        let hundred = times((1..=100).rev());
        for (share, ms) in [(0.5, 50.0), (0.99, 99.0), (0.999, 100.0), (1.0, 100.0), (0.0, 1.0)] {
            assert_eq!(hundred.percentile_ms(share), Some(ms), "{share}");
        }
        assert_eq!(times([7, 5, 6]).median_ms(), Some(6.0));
        assert_eq!(times([8, 7, 5, 6]).median_ms(), Some(7.0));
    }

    #[test]
    fn nothing_measured_is_no_number() {
        assert_eq!(times([]).percentile_ms(0.99), None);
        assert_eq!(per_second(0, Duration::from_secs(1)), None);
        assert_eq!(per_second(1, Duration::ZERO), None);
        assert_eq!(per_second(3, Duration::from_millis(1500)), Some(2.0));
    }
}
