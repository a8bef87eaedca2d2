//! A digest chain over the steps of a run: two runs have the same link after a step only if every step so far had the same bits.

use rootstock_artifacts::Digest;
use serde::{Deserialize, Serialize};

use super::{meter::StepDone, order::StepRows};

/// The link after the steps made so far: of each step the SHA-256 of the link before it, its number, its rows, and the bits of its loss,
/// gradient norm and learning rate. These follow from weights and moments, of which saved states hold every bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain(Digest);

impl Default for Chain {
    fn default() -> Self {
        Self(Digest::of(&[]))
    }
}

impl Chain {
    /// Adds a step.
    pub(super) fn add(&mut self, done: &StepDone, rows: &StepRows) {
        let loss = [done.loss.sum, done.grad_norm, done.learning_rate].map(f64::to_bits);
        let micro_batches = rows.micro_batches.iter().flat_map(|rows| {
            std::iter::once(rows.len() as u64).chain(rows.iter().map(|seen| seen.row as u64))
        });
        let numbers = [done.step, done.loss.tokens, done.tokens, rows.epoch].into_iter().chain(loss);
        let mut link = self.0.as_bytes().to_vec();
        link.extend(numbers.chain(micro_batches).flat_map(u64::to_le_bytes));
        self.0 = Digest::of(&link);
    }

    pub(super) fn digest(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rootstock_model::LossSum;

    use super::*;
    use crate::worker::passes::Seen;

    #[test]
    fn a_link_tells_of_every_bit_of_every_step() {
        let seen = |row| Seen { row, pass: 0 };
        let rows = |first| StepRows {
            epoch: 0,
            first: 0,
            micro_batches: vec![vec![seen(first), seen(1)], vec![seen(2)]],
        };
        let step = |step, sum: f64| StepDone {
            step,
            loss: LossSum { sum, tokens: 3 },
            tokens: 9,
            learning_rate: 0.1,
            grad_norm: 2.0,
        };
        let chain = |steps: &[(StepDone, StepRows)]| {
            let mut chain = Chain::default();
            steps.iter().for_each(|(done, rows)| chain.add(done, rows));
            chain
        };
        let whole = chain(&[(step(1, 3.0), rows(0)), (step(2, 2.0), rows(5))]);
        assert_eq!(whole, chain(&[(step(1, 3.0), rows(0)), (step(2, 2.0), rows(5))]));
        let flipped = f64::from_bits(3.0_f64.to_bits() ^ 1);
        for other in [
            chain(&[(step(1, flipped), rows(0)), (step(2, 2.0), rows(5))]),
            chain(&[(step(1, 3.0), rows(4)), (step(2, 2.0), rows(5))]),
            chain(&[(step(2, 2.0), rows(5))]),
        ] {
            assert_ne!(whole, other);
        }
    }
}
