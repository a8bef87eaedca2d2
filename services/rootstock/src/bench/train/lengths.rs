//! Rows of different lengths: packed as training packs them, or padded to the longest of their batch as others pad them, with the padding
//! computed and masked.

use std::str::FromStr;

use rootstock_kernels::{IGNORE_INDEX, Random};
use rootstock_model::Batch;

use super::learner::Learner;
use crate::bench::BenchError;
use crate::bench::tokens::{SEED, random_ids};

/// What a distribution of lengths is called.
const LOG_UNIFORM: &str = "log-uniform";

/// Lengths whose logarithms are spread evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) least: usize,
    pub(super) most: usize,
}

impl FromStr for Lengths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("must be {LOG_UNIFORM}:LEAST:MOST, with 2 <= LEAST <= MOST");
        let mut parts = text.split(':');
        if parts.next() != Some(LOG_UNIFORM) {
            return Err(refuse());
        }
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(refuse);
        let lengths = Self { least: number()?, most: number()? };
        let fits = parts.next().is_none() && lengths.least >= 2 && lengths.least <= lengths.most;
        if fits { Ok(lengths) } else { Err(refuse()) }
    }
}

/// The rows of one batch.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    rows: Vec<Vec<u32>>,
    /// Whether padding is computed.
    padded: bool,
}

/// Whose labels a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Labelled {
    All,
    One(usize),
    None,
}

impl Rows {
    /// The rows of the batch with this number, of so many rows of random tokens.
    pub(super) fn draw(
        lengths: Lengths,
        number: u64,
        (rows, vocab_size): (usize, usize),
        padded: bool,
    ) -> Self {
        let random = Random::named(SEED, "lengths").child(number);
        let (least, most) = ((lengths.least as f64).ln(), ((lengths.most + 1) as f64).ln());
        let length = |row: u64| (least + random.uniform(row) * (most - least)).exp() as usize;
        let length = |row| length(row).clamp(lengths.least, lengths.most);
        let row = |row: u64| random_ids(1 + number * rows as u64 + row, length(row), vocab_size);
        Self { rows: (0..rows as u64).map(row).collect(), padded }
    }

    /// Tokens that are no padding.
    pub(super) fn tokens(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    fn longest(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or_default()
    }

    /// Tokens that are computed, padding included.
    pub(super) fn computed(&self) -> usize {
        if self.padded { self.rows.len() * self.longest() } else { self.tokens() }
    }

    /// The batch to train on.
    pub(super) fn batch(&self) -> Batch {
        self.labelled(Labelled::All)
    }

    /// A row is computed up to its last label. So that padding is, its last place has one, of which no other loss depends: attention is
    /// causal.
    fn labelled(&self, which: Labelled) -> Batch {
        let seq_len = self.longest();
        let (mut input_ids, mut labels) = (Vec::new(), Vec::new());
        for (i, row) in self.rows.iter().enumerate() {
            let learned = which == Labelled::All || which == Labelled::One(i);
            let label = |id: &u32| if learned { i64::from(*id) } else { IGNORE_INDEX };
            labels.extend(row.iter().map(label));
            labels.resize((i + 1) * seq_len, IGNORE_INDEX);
            input_ids.extend_from_slice(row);
            input_ids.resize((i + 1) * seq_len, 0);
            if self.padded && row.len() < seq_len {
                labels[(i + 1) * seq_len - 1] = 0;
            }
        }
        Batch { rows: self.rows.len(), seq_len, input_ids, labels }
    }

    /// The largest difference between a row's mean loss here and that of the row alone, without padding.
    pub(super) fn max_loss_error(&self, learner: &Learner) -> Result<f64, BenchError> {
        let padding = learner.loss(&self.labelled(Labelled::None))?.sum;
        let mut worst = 0_f64;
        for (i, row) in self.rows.iter().enumerate() {
            let alone = learner.loss(&Self { rows: vec![row.clone()], padded: false }.batch())?;
            let here = learner.loss(&self.labelled(Labelled::One(i)))?.sum - padding;
            worst = worst.max((here - alone.sum).abs() / alone.tokens as f64);
        }
        Ok(worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_spread_evenly_by_their_logarithms() {
        let lengths: Lengths = "log-uniform:16:512".parse().unwrap();
        let rows = Rows::draw(lengths, 0, (2000, 100), false);
        let below = |limit| rows.rows.iter().filter(|row| row.len() < limit).count();
        assert!(rows.rows.iter().all(|row| (16..=512).contains(&row.len())));
        // 16 to 512 are five octaves.
        assert!((340..460).contains(&below(32)) && (1100..1300).contains(&below(128)));
        for wrong in
            ["", "uniform:1:2", "log-uniform:1:8", "log-uniform:8:4", "log-uniform:4", "log-uniform:2:4:6"]
        {
            assert!(wrong.parse::<Lengths>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn padding_is_computed_and_carries_no_loss_of_a_row() {
        let rows = |padded| Rows { rows: vec![vec![5, 6, 7], vec![8, 9]], padded };
        let (packed, padded) = (rows(false).batch(), rows(true).batch());
        assert_eq!((packed.seq_len, &packed.input_ids), (3, &vec![5, 6, 7, 8, 9, 0]));
        assert_eq!(packed.labels, [5, 6, 7, 8, 9, IGNORE_INDEX]);
        assert_eq!(padded.labels, [5, 6, 7, 8, 9, 0], "the last place is computed");
        assert_eq!((rows(true).computed(), rows(false).computed(), rows(true).tokens()), (6, 5, 5));
        let one = rows(true).labelled(Labelled::One(0)).labels;
        assert_eq!(one, [5, 6, 7, IGNORE_INDEX, IGNORE_INDEX, 0]);
    }
}
