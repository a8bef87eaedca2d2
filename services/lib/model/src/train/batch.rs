//! A padded batch, and the packed form in which the model computes it: padding and what no label follows are left out.

use rootstock_kernels::{IGNORE_INDEX, Segments};

use crate::{Config, ModelError};

/// Rows of tokens to train on, padded on the right to one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Tokens per row.
    pub seq_len: usize,
    /// [rows, seq_len] token ids, row after row.
    pub input_ids: Vec<u32>,
    /// [rows, seq_len] labels aligned with `input_ids`; -100 is ignored. The shift by one happens inside, as in transformers.
    pub labels: Vec<i64>,
}

/// What is computed of a batch: of each row the tokens before its last label.
#[derive(Debug)]
pub(crate) struct Packed {
    /// [T]
    pub(crate) ids: Vec<u32>,
    /// [T], the label of the token after each one.
    pub(crate) targets: Vec<i64>,
    pub(crate) segments: Segments,
}

impl Batch {
    /// Labels that count: all but the ignored ones and the first of each row, which nothing comes before.
    pub fn counted_tokens(&self) -> u64 {
        let counted = |row: &[i64]| row.iter().skip(1).filter(|label| **label != IGNORE_INDEX).count() as u64;
        self.labels.chunks(self.seq_len.max(1)).map(counted).sum()
    }

    pub(crate) fn pack(&self, config: &Config) -> Result<Packed, ModelError> {
        let tokens = self.rows * self.seq_len;
        if self.input_ids.len() != tokens || self.labels.len() != tokens {
            return Err(ModelError::Batch(format!(
                "{} ids and {} labels for {} rows of {}",
                self.input_ids.len(),
                self.labels.len(),
                self.rows,
                self.seq_len
            )));
        }
        self.check_range(config.vocab_size)?;
        let (mut ids, mut targets) = (Vec::with_capacity(tokens), Vec::with_capacity(tokens));
        let mut lengths = Vec::with_capacity(self.rows);
        let rows = self.input_ids.chunks(self.seq_len.max(1)).zip(self.labels.chunks(self.seq_len.max(1)));
        for (row, labels) in rows {
            // Attention is causal: what comes after the last label's predecessor changes nothing.
            let length = labels.iter().rposition(|label| *label != IGNORE_INDEX).unwrap_or(0);
            ids.extend_from_slice(&row[..length]);
            targets.extend_from_slice(&labels[1..length + 1]);
            lengths.push(length);
        }
        Ok(Packed { ids, targets, segments: Segments::new(&lengths) })
    }

    fn check_range(&self, vocab_size: usize) -> Result<(), ModelError> {
        if let Some(position) = self.input_ids.iter().position(|id| *id as usize >= vocab_size) {
            return Err(ModelError::TokenOutOfRange { id: self.input_ids[position], position, vocab_size });
        }
        let fits = |label: i64| label == IGNORE_INDEX || usize::try_from(label).is_ok_and(|l| l < vocab_size);
        match self.labels.iter().position(|label| !fits(*label)) {
            Some(i) => Err(ModelError::Batch(format!(
                "row {} has label {} at {}, which is neither -100 nor below {vocab_size}",
                i / self.seq_len,
                self.labels[i],
                i % self.seq_len
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny;

    fn batch(labels: &[[i64; 4]]) -> Batch {
        let input_ids = (0..4 * labels.len() as u32).collect();
        Batch { rows: labels.len(), seq_len: 4, input_ids, labels: labels.concat() }
    }

    #[test]
    fn a_row_ends_before_its_last_label_and_its_labels_are_shifted() {
        let batch = batch(&[[0, 1, 2, 3], [-100, -100, 6, -100], [-100; 4], [7, -100, -100, -100]]);
        let packed = batch.pack(&tiny()).unwrap();
        assert_eq!(packed.ids, [0, 1, 2, 4, 5]);
        assert_eq!(packed.targets, [1, 2, 3, -100, 6]);
        assert_eq!(packed.segments, Segments::new(&[3, 2, 0, 0]));
        assert_eq!(batch.counted_tokens(), 4);
    }

    #[test]
    fn an_empty_batch_is_packed_to_nothing() {
        for (rows, seq_len) in [(0, 0), (0, 4), (3, 0)] {
            let batch = Batch { rows, seq_len, input_ids: vec![], labels: vec![] };
            assert!(batch.pack(&tiny()).unwrap().ids.is_empty());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        let refuse = |batch: Batch| batch.pack(&tiny()).unwrap_err().to_string();
        let mut short = batch(&[[0; 4]]);
        short.labels.pop();
        assert_eq!(refuse(short), "batch: 4 ids and 3 labels for 1 rows of 4");
        let error = refuse(batch(&[[0; 4], [0, 0, 1000, 0]]));
        assert!(error.contains("row 1 has label 1000 at 2"), "{error}");
        let mut unknown = batch(&[[0; 4]]);
        unknown.input_ids[3] = 1000;
        assert!(refuse(unknown).contains("token id 1000 at position 3"));
    }
}
