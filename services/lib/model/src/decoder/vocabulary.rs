//! More rows for a model's embedding and head, for tokens that were added to its tokenizer.

use candle_core::Tensor;
use rootstock_kernels::LinearWeight;

use crate::{
    Decoder, ModelError,
    weight::{Matrix, Named, Weight},
};

impl Decoder {
    /// Gives the tokens from `first` on, below `vocab_size`, rows of their own in the embedding and in the head: the mean of the rows
    /// before `first`, as transformers' `mean_resizing` but without its noise. All other rows keep their bits. A vocabulary that is
    /// larger already stays as large.
    ///
    /// # Errors
    /// When `first` is 0 or above the vocabulary, a matrix is in training, or memory for larger ones is not to be had.
    pub fn extend_vocabulary(&mut self, first: usize, vocab_size: usize) -> Result<(), ModelError> {
        if first == 0 || first > self.config.vocab_size {
            let vocab_size = self.config.vocab_size;
            return Err(ModelError::Parameter {
                name: self.embedding.name().to_owned(),
                problem: format!("has {vocab_size} rows, so that the first new one can't be {first}"),
            });
        }
        let vocab_size = vocab_size.max(self.config.vocab_size);
        for matrix in std::iter::once(&mut self.embedding).chain(&mut self.head) {
            *matrix = extended(matrix, first, vocab_size)?;
        }
        self.config.vocab_size = vocab_size;
        Ok(())
    }
}

fn extended(matrix: &Matrix, first: usize, vocab_size: usize) -> Result<Matrix, ModelError> {
    if matrix.variable().is_some() {
        let problem = "is in training, and can't have more rows any more".to_owned();
        return Err(ModelError::Parameter { name: matrix.name().to_owned(), problem });
    }
    let numbers = matrix.numbers().tensor()?; // [V, H]
    let mean = mean(matrix.numbers(), first)?;
    let mean = Tensor::new(&mean[..], numbers.device())?.to_dtype(numbers.dtype())?; // [H]
    let new = mean.unsqueeze(0)?.broadcast_as((vocab_size - first, mean.elem_count()))?;
    let all = Tensor::cat(&[&numbers.narrow(0, 0, first)?, &new.contiguous()?], 0)?;
    Ok(Weight::new(matrix.name().to_owned(), LinearWeight::frozen(&all)?))
}

/// The mean of the first rows, summed in f64 in their order.
fn mean(matrix: &LinearWeight, rows: usize) -> Result<Vec<f32>, ModelError> {
    let mut sums = vec![0_f64; matrix.dims()?.1];
    for row in 0..rows {
        sums.iter_mut().zip(matrix.row(row)?).for_each(|(sum, number)| *sum += f64::from(number));
    }
    Ok(sums.iter().map(|sum| (sum / rows as f64) as f32).collect())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::testing::{tiny, untied};

    #[test]
    fn new_rows_are_the_mean_of_the_old_ones_which_keep_their_bits() {
        for config in [tiny(), untied()] {
            let before = Decoder::init(config.clone(), 1, &Device::Cpu).unwrap();
            let mut after = Decoder::init(config.clone(), 1, &Device::Cpu).unwrap();
            after.extend_vocabulary(config.vocab_size, config.vocab_size + 3).unwrap();
            assert_eq!(after.config().vocab_size, config.vocab_size + 3);
            let rows = |tensor: Tensor| tensor.to_vec2::<f32>().unwrap();
            for (old, new) in
                [(&before.embedding, &after.embedding)].into_iter().chain(before.head.iter().zip(&after.head))
            {
                let (old, new) = (rows(old.tensor().unwrap()), rows(new.tensor().unwrap()));
                assert_eq!(old, new[..old.len()]);
                let column: f64 = old.iter().map(|row| f64::from(row[0])).sum();
                assert!((column / old.len() as f64 - f64::from(new[old.len()][0])).abs() < 1e-7);
                assert!(new[old.len()..].iter().all(|row| *row == new[old.len()]));
            }
        }
    }

    #[test]
    fn rows_that_a_larger_vocabulary_has_already_are_taken_and_a_gap_is_refused() {
        let mut decoder = Decoder::init(tiny(), 1, &Device::Cpu).unwrap();
        let vocab_size = tiny().vocab_size;
        decoder.extend_vocabulary(vocab_size - 2, vocab_size - 1).unwrap();
        assert_eq!(decoder.config().vocab_size, vocab_size);
        let rows = decoder.embedding.tensor().unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(rows[vocab_size - 2], rows[vocab_size - 1]);
        assert!(decoder.extend_vocabulary(vocab_size + 1, vocab_size + 2).is_err());
        decoder.set_trainable(None).unwrap();
        assert!(decoder.extend_vocabulary(vocab_size, vocab_size + 2).is_err());
    }
}
