//! What a mean over few rows is worth: an interval and a p-value by resampling, which assume nothing about how the values lie.
//!
//! Source: B. Efron 1979, "Bootstrap Methods: Another Look at the Jackknife"; the percentile interval is that of Efron and
//! Tibshirani 1993, chapter 13, the p-value that of Davison and Hinkley 1997, chapter 4: (1 + extreme) / (1 + resamples).

use serde::{Deserialize, Serialize};

use super::CONFIDENCE;

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 2000;

/// A mean with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean; 0 of nothing.
    pub value: f64,
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
}

/// A mean and those of its resamples.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    mean: f64,
    /// In ascending order.
    resampled: Vec<f64>,
}

impl Bootstrap {
    /// Draws as many of the values as there are, with replacement, [`RESAMPLES`] times. `below(position, bound)` is a random
    /// number below `bound`, for positions from 0 on; the same numbers give the same result. For a paired bootstrap the
    /// values are the differences of the pairs.
    pub fn of_mean(values: &[f64], below: impl Fn(u64, u64) -> u64) -> Self {
        let count = values.len() as u64;
        let resample = |first: u64| -> f64 {
            let drawn = (first..first + count).map(|position| values[below(position, count) as usize]);
            mean(drawn, count)
        };
        let mut resampled: Vec<f64> = (0..RESAMPLES as u64).map(|number| resample(number * count)).collect();
        resampled.sort_unstable_by(f64::total_cmp);
        Self { mean: mean(values.iter().copied(), count), resampled }
    }

    /// The mean with its interval.
    pub fn mean(&self) -> Mean {
        // As many of the resamples are below the interval as above it.
        let outside = (RESAMPLES as f64 * (1.0 - CONFIDENCE) / 2.0).round() as usize;
        let (lower, upper) = (self.resampled[outside], self.resampled[RESAMPLES - 1 - outside]);
        Mean { value: self.mean, lower, upper }
    }

    /// How likely a mean at least so far from 0, to either side, would be if it were 0 in truth; from 2 / (1 + [`RESAMPLES`])
    /// to 1.
    pub fn p_value(&self) -> f64 {
        let not_above = self.resampled.partition_point(|&mean| mean <= 0.0);
        let not_below = RESAMPLES - self.resampled.partition_point(|&mean| mean < 0.0);
        let extreme = 1 + not_above.min(not_below);
        (2.0 * extreme as f64 / (1 + RESAMPLES) as f64).min(1.0)
    }
}

fn mean(values: impl Iterator<Item = f64>, count: u64) -> f64 {
    values.sum::<f64>() / count.max(1) as f64
}
