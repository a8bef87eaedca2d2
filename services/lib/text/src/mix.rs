//! Mixes of data sets for multi-task training: how often each one's rows are seen, by weights or by a temperature, without a row being
//! seen again before all others of its data set were.

use thiserror::Error;

/// How large a share of a mix each data set has.
#[derive(Debug, Clone, PartialEq)]
pub enum Shares {
    /// In proportion to these weights.
    Weights(Vec<f64>),
    /// In proportion to its rows to the power of one over this (Raffel et al., 2020): 1 is as the rows are, and high temperatures
    /// come to equal shares.
    Temperature(f64),
}

/// A mix that can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MixError {
    /// A data set without rows.
    #[error("data set {0} has no rows")]
    Empty(usize),
    /// Weights for other data sets.
    #[error("there are {weights} weights for {sets} data sets")]
    Count {
        /// How many weights.
        weights: usize,
        /// How many data sets.
        sets: usize,
    },
    /// A weight that is none.
    #[error("the weight of data set {0} is not a positive number")]
    Weight(usize),
    /// A temperature that is none.
    #[error("the temperature is not a number from 1 on")]
    Temperature,
}

/// Rows of several data sets, each seen in its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    rows: Vec<usize>,
    quotas: Vec<usize>,
}

/// A row of a mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MixedRow {
    /// The number of its data set.
    pub set: usize,
    /// How often all rows of that data set were seen before.
    pub pass: u64,
    /// Its place among them in this pass, to be looked up in an order drawn for (`set`, `pass`).
    pub place: usize,
}

impl Mix {
    /// A mix of data sets with so many rows. A pass over the mix has as many rows as all of them together, or a few less so that each
    /// share is whole; every data set has at least one.
    ///
    /// # Errors
    /// Data sets without rows, numbers that are no shares.
    pub fn new(rows: Vec<usize>, shares: &Shares) -> Result<Self, MixError> {
        if let Some(set) = rows.iter().position(|rows| *rows == 0) {
            return Err(MixError::Empty(set));
        }
        let weights = shares.weights(&rows)?;
        let (total, sum) = (rows.iter().sum::<usize>() as f64, weights.iter().sum::<f64>());
        let quotas = weights.iter().map(|weight| ((total * weight / sum) as usize).max(1)).collect();
        Ok(Self { rows, quotas })
    }

    /// Rows of one pass over the mix.
    pub fn len(&self) -> usize {
        self.quotas.iter().sum()
    }

    /// How many rows of each data set a pass has.
    pub fn quotas(&self) -> &[usize] {
        &self.quotas
    }

    /// Whether there are no data sets.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of the pass `epoch` over the mix, data set by data set, to be shuffled.
    pub fn rows(&self, epoch: u64) -> impl Iterator<Item = MixedRow> {
        self.rows.iter().zip(&self.quotas).enumerate().flat_map(move |(set, (rows, quota))| {
            let (rows, quota) = (*rows as u64, *quota as u64);
            let seen = epoch * quota..(epoch + 1) * quota;
            seen.map(move |n| MixedRow { set, pass: n / rows, place: (n % rows) as usize })
        })
    }
}

impl Shares {
    fn weights(&self, rows: &[usize]) -> Result<Vec<f64>, MixError> {
        let positive = |weight: f64| weight > 0.0 && weight.is_finite();
        match self {
            Self::Weights(weights) if weights.len() != rows.len() => {
                Err(MixError::Count { weights: weights.len(), sets: rows.len() })
            }
            Self::Weights(weights) => match weights.iter().position(|weight| !positive(*weight)) {
                Some(set) => Err(MixError::Weight(set)),
                None => Ok(weights.clone()),
            },
            Self::Temperature(temperature) if *temperature >= 1.0 && temperature.is_finite() => {
                Ok(rows.iter().map(|rows| (*rows as f64).powf(1.0 / temperature)).collect())
            }
            Self::Temperature(_) => Err(MixError::Temperature),
        }
    }
}
