//! Dropout masks that are functions of a key and a position, so that the backward pass draws the same mask again.

use crate::Random;

/// Names the dropout masks of one forward and backward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropoutKey {
    /// Seed of the training run.
    pub seed: u64,
    /// Optimizer step.
    pub step: u64,
    /// Micro-batch within the step.
    pub micro: u64,
}

impl DropoutKey {
    /// The mask of the module numbered `module`, which drops each element with probability `rate`.
    pub fn mask(&self, module: u64, rate: f64) -> DropoutMask {
        let random = Random::new(self.seed, self.step).child(self.micro).child(module);
        let kept = 1.0 - rate.clamp(0.0, 1.0);
        // Kept where 32 random bits lie below the threshold.
        let threshold = (kept * (1_u64 << 32) as f64) as u64;
        let scale = if kept > 0.0 { (1.0 / kept) as f32 } else { 0.0 };
        DropoutMask { random, threshold, scale }
    }
}

/// One mask: element `i` of the flattened tensor is either 0 or scaled by 1 / (1 - rate).
#[derive(Clone, Copy, Debug)]
pub struct DropoutMask {
    random: Random,
    threshold: u64,
    scale: f32,
}

impl DropoutMask {
    /// Multiplies `values`, which start at element `first` of the flattened tensor; `first` must be even.
    pub(crate) fn apply(&self, first: usize, values: &mut [f32]) {
        debug_assert!(first.is_multiple_of(2), "two elements share one draw");
        for (pair, chunk) in values.chunks_mut(2).enumerate() {
            let bits = self.random.bits((first / 2 + pair) as u64);
            for (value, bits) in chunk.iter_mut().zip([bits & 0xFFFF_FFFF, bits >> 32]) {
                *value *= if bits < self.threshold { self.scale } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: DropoutKey = DropoutKey { seed: 1, step: 2, micro: 3 };

    fn draw(mask: DropoutMask, n: usize) -> Vec<f32> {
        let mut values = vec![1.0; n];
        mask.apply(0, &mut values);
        values
    }

    #[test]
    fn the_share_of_dropped_elements_is_the_rate_and_the_mean_stays() {
        let values = draw(KEY.mask(0, 0.25), 100_001);
        let dropped = values.iter().filter(|v| **v == 0.0).count();
        assert!(dropped.abs_diff(25_000) < 500, "{dropped}");
        assert!(values.iter().all(|v| *v == 0.0 || (*v - 1.0 / 0.75).abs() < 1e-6));
    }

    #[test]
    fn a_mask_is_drawn_again_from_its_key_and_in_pieces() {
        let whole = draw(KEY.mask(5, 0.5), 1000);
        let mut pieces = vec![1.0; 1000];
        let (left, right) = pieces.split_at_mut(334);
        KEY.mask(5, 0.5).apply(334, right);
        KEY.mask(5, 0.5).apply(0, left);
        assert_eq!(whole, pieces);
        assert_ne!(whole, draw(KEY.mask(6, 0.5), 1000));
        assert_ne!(whole, draw(DropoutKey { step: 3, ..KEY }.mask(5, 0.5), 1000));
        assert_ne!(whole, draw(DropoutKey { micro: 4, ..KEY }.mask(5, 0.5), 1000));
    }

    #[test]
    fn rates_of_zero_and_one_keep_everything_and_nothing() {
        assert!(draw(KEY.mask(0, 0.0), 999).iter().all(|v| *v == 1.0));
        assert!(draw(KEY.mask(0, 1.0), 999).iter().all(|v| *v == 0.0));
    }
}
