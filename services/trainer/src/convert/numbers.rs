//! Reading the numbers of a specification: each has a range, a default, and a path to name when it is refused.

use std::{fmt::Display, ops::RangeBounds};

use crate::error::Error;

/// The fields of one message, below `path`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) path: &'static str,
}

impl Fields {
    pub(super) fn invalid(self, field: &str, message: impl Into<String>) -> Error {
        Error::invalid(format!("{}.{field}", self.path), message)
    }

    /// A whole number of at most `max`; 0 stands for `default`, which may be 0.
    pub(super) fn whole<T>(self, field: &str, value: T, default: u64, max: u64) -> Result<u64, Error>
    where
        T: Copy + Display,
        u64: TryFrom<T>,
    {
        match u64::try_from(value) {
            Ok(0) => Ok(default),
            Ok(value) if value <= max => Ok(value),
            _ => Err(self.invalid(field, format!("is {value}, but must be from 0 to {max}"))),
        }
    }

    /// The same for sizes.
    pub(super) fn size(self, field: &str, value: i32, default: usize, max: usize) -> Result<usize, Error> {
        self.whole(field, value, default as u64, max as u64).map(|value| value as usize)
    }

    /// A whole number from 1 to `max`, without default.
    pub(super) fn required_size(self, field: &str, value: i32, max: usize) -> Result<usize, Error> {
        match self.size(field, value, 0, max)? {
            0 => Err(self.invalid(field, format!("is not set, but must be from 1 to {max}"))),
            size => Ok(size),
        }
    }

    /// A number in `range`; NaN is in none.
    pub(super) fn number(
        self,
        field: &str,
        value: f64,
        range: impl RangeBounds<f64>,
        allowed: &str,
    ) -> Result<f64, Error> {
        if range.contains(&value) && value.is_finite() {
            Ok(value)
        } else {
            Err(self.invalid(field, format!("is {}, but must be {allowed}", short(value))))
        }
    }
}

/// A number as a person would write it: one of 1e300 has 301 digits otherwise.
fn short(value: f64) -> String {
    const MAX_DIGITS: usize = 20;
    let plain = value.to_string();
    if plain.len() > MAX_DIGITS { format!("{value:e}") } else { plain }
}

/// `value`, or `default` where the contract says that 0 stands for it.
pub(super) fn or_default(value: f64, default: f64) -> f64 {
    if value == 0.0 { default } else { value }
}
