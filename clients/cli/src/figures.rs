//! Measured figures in JSON: without the digits that no measurement has. What is compared bit by bit (perplexities,
//! log-probabilities) is written as it came.
use serde::Serializer;

/// Digits that a measured figure keeps.
const SIGNIFICANT_DIGITS: usize = 6;

/// A figure with as many digits as it deserves.
pub(crate) fn round(value: f64) -> f64 {
    format!("{value:.*e}", SIGNIFICANT_DIGITS - 1).parse().unwrap_or(value)
}

/// For `#[serde(serialize_with)]`.
pub(crate) fn rounded<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(round(*value))
}

/// The same for what may not be there.
pub(crate) fn rounded_if_any<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => rounded(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_keeps_the_digits_that_say_something() {
        assert_eq!(round(0.251_843_999_999_999_96), 0.251_844);
        assert_eq!(round(3.0e-5), 3.0e-5);
        assert_eq!(round(12_345.678_9), 12_345.7);
        assert_eq!(round(0.0), 0.0);
        assert!(round(f64::NAN).is_nan());
    }
}
