//! A share of rows with the interval that says what it is worth.

use serde::{Deserialize, Serialize};

use super::{CONFIDENCE, wilson_interval};

/// A share with its 95% Wilson interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Proportion {
    /// Hits / total; 0 when there is nothing to count.
    pub value: f64,
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
    /// Hits.
    pub hits: usize,
    /// Rows counted.
    pub total: usize,
}

impl Proportion {
    /// The share of `hits` in `total`.
    pub fn new(hits: usize, total: usize) -> Self {
        let interval = wilson_interval(hits as u64, total as u64, CONFIDENCE);
        let value = if total == 0 { 0.0 } else { hits as f64 / total as f64 };
        Self { value, lower: interval.low, upper: interval.high, hits, total }
    }
}
