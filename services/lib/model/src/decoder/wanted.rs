//! From the hidden states of a step to the logits that its sequences want: one product for those who go on, and blocks of rows for those
//! who look at many.

use candle_core::Tensor;
use rootstock_kernels::rms_norm;

use super::{Decoder, ends::Owner};
use crate::{
    ModelError,
    layer::{Continued, Wanted},
};

/// Tokens whose logits are in memory at a time where somebody looks at many.
const SHOWN_ROWS: usize = 64;

/// Some rows of x, and whose they are: the number of a sequence and how many of its rows, one after the other.
#[derive(Default)]
struct Block {
    rows: Vec<u32>,
    of: Vec<(usize, usize)>,
}

impl Decoder {
    /// Logits [n, V] of the rows of `x` [T, H] that are the last of the n sequences that want those.
    pub(super) fn last_logits(&self, x: &Tensor, sequences: &[Continued<'_>]) -> Result<Tensor, ModelError> {
        let (mut rows, mut owners, mut end) = (Vec::new(), Vec::new(), 0);
        for sequence in sequences {
            end += sequence.ids.len() as u32;
            if matches!(sequence.wants, Wanted::Last) {
                rows.push(end - 1);
                owners.push(Owner { rows: 1, ..Owner::of(sequence) });
            }
        }
        self.logits_at(x, rows, &owners)
    }

    /// Shows the logits of rows of `x` [T, H] to the sequences that want to see theirs.
    pub(super) fn show_each(&self, x: &Tensor, sequences: &mut [Continued<'_>]) -> Result<(), ModelError> {
        for Block { rows, of } in blocks(sequences) {
            let owner = |&(index, rows): &(usize, usize)| Owner { rows, ..Owner::of(&sequences[index]) };
            let owners: Vec<Owner<'_>> = of.iter().map(owner).collect();
            let logits = self.logits_at(x, rows, &owners)?;
            let mut first = 0;
            for (index, rows) in of {
                if let Wanted::Each(_, reader) = &mut sequences[index].wants {
                    reader.read(&logits.narrow(0, first, rows)?);
                }
                first += rows;
            }
        }
        Ok(())
    }

    /// Logits [n, V] of these n rows of `x` [T, H].
    fn logits_at(&self, x: &Tensor, rows: Vec<u32>, owners: &[Owner<'_>]) -> Result<Tensor, ModelError> {
        if rows.is_empty() {
            return Ok(Tensor::zeros((0, self.config.vocab_size), x.dtype(), &self.device)?);
        }
        let all = rows.len() == x.dim(0)?;
        let x = if all { x.clone() } else { x.index_select(&self.index(rows)?, 0)? }; // [n, H]
        self.logits(&rms_norm(&x, self.norm.numbers(), self.config.rms_norm_eps)?, owners)
    }
}

/// The rows that are to be shown, in blocks of [`SHOWN_ROWS`].
fn blocks(sequences: &[Continued<'_>]) -> Vec<Block> {
    let (mut blocks, mut block, mut start) = (Vec::new(), Block::default(), 0);
    for (index, sequence) in sequences.iter().enumerate() {
        let end = start + sequence.ids.len();
        let mut next = if let Wanted::Each(from, _) = &sequence.wants { start + from } else { end };
        while next < end {
            let taken = (SHOWN_ROWS - block.rows.len()).min(end - next);
            block.rows.extend((next..next + taken).map(|row| row as u32));
            block.of.push((index, taken));
            next += taken;
            if block.rows.len() == SHOWN_ROWS {
                blocks.push(std::mem::take(&mut block));
            }
        }
        start = end;
    }
    blocks.extend((!block.rows.is_empty()).then_some(block));
    blocks
}
