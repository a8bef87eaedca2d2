//! Dropout masks that are functions of a key and a position, so that the backward pass draws the same mask again.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::{
    Random,
    composed::has_kernels,
    cpu::{for_rows, slice},
};

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

/// `x` with the mask's elements dropped and the others scaled; the gradient of the output becomes that of the input in the same way.
/// Differentiable.
///
/// # Errors
/// When the tensor is not f32.
pub fn dropout(x: &Tensor, mask: DropoutMask) -> Result<Tensor> {
    if has_kernels(x.device()) {
        return x.contiguous()?.apply_op1(Dropout(mask));
    }
    plain(x, mask)
}

/// The definition in candle's operations, with a mask that is drawn in main memory.
pub(crate) fn plain(x: &Tensor, mask: DropoutMask) -> Result<Tensor> {
    let mut ones = vec![1_f32; x.elem_count()];
    mask.apply(0, &mut ones);
    x * Tensor::from_vec(ones, x.shape(), x.device())?
}

struct Dropout(DropoutMask);

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut dropped = slice(storage, layout)?.to_vec();
        // Pieces of whole pairs, as the mask asks for.
        for_rows(&mut dropped, 2, |first, part| self.0.apply(2 * first, part));
        Ok((CpuStorage::F32(dropped), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        dropout(dy, self.0).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{same_values_and_gradients, variable};
    use candle_core::Device;

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

    #[test]
    fn a_tensor_and_its_gradient_are_dropped_alike() {
        for shape in [(1, 1), (3, 5), (300, 127)] {
            let mask = KEY.mask(4, 0.3);
            let ones = Tensor::from_vec(draw(mask, shape.0 * shape.1), shape, &Device::Cpu).unwrap();
            same_values_and_gradients(&[variable(1, shape)], |t| dropout(&t[0], mask), |t| &t[0] * &ones);
        }
    }
}
