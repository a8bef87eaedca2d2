//! Rotary position embedding (Su et al., 2021) in Hugging Face's layout: dimension `i` turns with dimension `i + D/2`.

use std::{borrow::Cow, mem::MaybeUninit, sync::Arc};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use crate::{
    composed::has_kernels,
    cpu::{new_rows, slice},
    simd::dispatch,
};

mod scaling;

pub use scaling::RopeScaling;

/// The frequencies of a model's rotary embedding, one per pair of dimensions.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    head_dim: usize,
    theta: f64,
    scaling: RopeScaling,
    /// Of sequences that are no longer than those of the first training.
    frequencies: Vec<f32>,
}

impl RotaryTable {
    /// Frequencies `theta^(-2i/D)` for heads of `head_dim` (even) dimensions, scaled.
    pub fn new(head_dim: usize, theta: f64, scaling: &RopeScaling) -> Self {
        Self { head_dim, theta, scaling: *scaling, frequencies: scaling.frequencies(head_dim, theta, 1) }
    }

    /// The rotation of tokens at these positions, to be shared by all layers and heads.
    pub fn at(&self, positions: &[u32]) -> Rotation {
        let (half, magnitude) = (self.head_dim / 2, self.scaling.magnitude());
        let (mut cos, mut sin) =
            (Vec::with_capacity(positions.len() * half), Vec::with_capacity(positions.len() * half));
        for position in positions {
            for frequency in &*self.frequencies_at(*position) {
                let (s, c) = (*position as f32 * frequency).sin_cos();
                cos.push(c * magnitude);
                sin.push(s * magnitude);
            }
        }
        Rotation { angles: Arc::new(Angles { cos, sin, half }), inverse: false }
    }

    fn frequencies_at(&self, position: u32) -> Cow<'_, [f32]> {
        let length = position as usize + 1;
        if length <= self.scaling.constant_to() {
            return Cow::Borrowed(&self.frequencies);
        }
        Cow::Owned(self.scaling.frequencies(self.head_dim, self.theta, length))
    }
}

#[derive(Debug)]
struct Angles {
    /// [T, D/2]
    cos: Vec<f32>,
    /// [T, D/2]
    sin: Vec<f32>,
    half: usize,
}

/// Sines and cosines for T tokens; cloning shares them.
#[derive(Clone, Debug)]
pub struct Rotation {
    angles: Arc<Angles>,
    inverse: bool,
}

impl Rotation {
    /// The rotation back, with the same magnitude: the gradient's.
    pub fn inverse(&self) -> Self {
        Self { angles: self.angles.clone(), inverse: !self.inverse }
    }
}

/// Turns each head of `x` [T, heads * D] f32 by its token's angles. Differentiable.
///
/// # Errors
/// When the rotation is for another number of tokens or D does not divide the width.
pub fn rotary(x: &Tensor, rotation: &Rotation) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let half = rotation.angles.half;
    if tokens * half != rotation.angles.cos.len() || !width.is_multiple_of(2 * half) {
        bail!(
            "rotary: {:?} does not fit {} angles for pairs of {half}",
            x.shape(),
            rotation.angles.cos.len()
        );
    }
    if has_kernels(x.device()) {
        x.contiguous()?.apply_op1(Turn(rotation.clone()))
    } else {
        plain(x, rotation)
    }
}

/// The definition in candle's operations: `x cos + rotate_half(x) sin`.
fn plain(x: &Tensor, rotation: &Rotation) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let half = rotation.angles.half;
    let table =
        |data: &[f32]| Tensor::from_slice(data, (tokens, 1, half), &Device::Cpu)?.to_device(x.device());
    let (cos, sin) = (table(&rotation.angles.cos)?, table(&rotation.angles.sin)?);
    let sin = if rotation.inverse { sin.neg()? } else { sin };
    let x = x.reshape((tokens, width / (2 * half), 2 * half))?;
    let (low, high) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let turned_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let turned_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Tensor::cat(&[turned_low, turned_high], 2)?.reshape((tokens, width))
}

struct Turn(Rotation);

impl CustomOp1 for Turn {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let x = slice(storage, layout)?;
        // SAFETY: a piece is whole rows of whole heads, of which `turn` sets each number.
        let y = unsafe {
            new_rows(x.len(), width, |first, rows| {
                self.0.turn(first, rows, &x[first * width..][..rows.len()], width);
            })
        };
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        rotary(dy, &self.0.inverse()).map(Some)
    }
}

impl Rotation {
    /// Sets rows to turned rows of heads, the first of which belongs to token `first`.
    fn turn(&self, first: usize, to: &mut [MaybeUninit<f32>], from: &[f32], width: usize) {
        let half = self.angles.half;
        let sign = if self.inverse { -1.0 } else { 1.0 };
        for (row, (to, from)) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)).enumerate() {
            let angles = (first + row) * half..(first + row + 1) * half;
            let (cos, sin) = (&self.angles.cos[angles.clone()], &self.angles.sin[angles]);
            turn_heads(to, from, cos, sin, sign);
        }
    }
}

dispatch! {
    /// Turns the heads of a row.
    fn turn_heads(to: &mut [MaybeUninit<f32>], from: &[f32], cos: &[f32], sin: &[f32], sign: f32) {
        let half = cos.len();
        for (to, from) in to.chunks_exact_mut(2 * half).zip(from.chunks_exact(2 * half)) {
            let ((to_low, to_high), (low, high)) = (to.split_at_mut(half), from.split_at(half));
            for i in 0..half {
                let (a, b, s) = (low[i], high[i], sign * sin[i]);
                to_low[i].write(a * cos[i] - b * s);
                to_high[i].write(b * cos[i] + a * s);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal, same_values_and_gradients, variable};

    fn table(scaling: &RopeScaling) -> RotaryTable {
        RotaryTable::new(8, 10_000.0, scaling)
    }

    #[test]
    fn values_and_gradients_agree_with_the_definition() {
        for (tokens, heads) in [(1, 1), (5, 3), (300, 7)] {
            let positions: Vec<u32> = (0..tokens as u32).map(|p| p * 3).collect();
            let rotation = table(&RopeScaling::None).at(&positions);
            same_values_and_gradients(
                &[variable(1, (tokens, heads * 8))],
                |t| rotary(&t[0], &rotation),
                |t| plain(&t[0], &rotation),
            );
        }
    }

    #[test]
    fn position_zero_changes_nothing_and_the_inverse_undoes() {
        let x = normal(1, (4, 16));
        let table = table(&RopeScaling::None);
        assert_close(&rotary(&x, &table.at(&[0; 4])).unwrap(), &x, 0.0);
        let rotation = table.at(&[1, 7, 100, 4000]);
        let back = rotary(&rotary(&x, &rotation).unwrap(), &rotation.inverse()).unwrap();
        assert_close(&back, &x, 1e-6);
    }

    #[test]
    fn linear_scaling_stretches_positions() {
        let x = normal(1, (2, 8));
        let stretched = table(&RopeScaling::Linear { factor: 4.0 }).at(&[4, 400]);
        let plain = table(&RopeScaling::None).at(&[1, 100]);
        assert_close(&rotary(&x, &stretched).unwrap(), &rotary(&x, &plain).unwrap(), 1e-6);
    }

    #[test]
    fn a_position_turns_the_same_whatever_comes_after_it() {
        let x = normal(1, (3, 8));
        let table = table(&RopeScaling::Dynamic { factor: 4.0, original_max_position_embeddings: 10 });
        let together = rotary(&x, &table.at(&[5, 50, 500])).unwrap();
        for (row, position) in [5, 50, 500].into_iter().enumerate() {
            let alone = rotary(&x.narrow(0, row, 1).unwrap(), &table.at(&[position])).unwrap();
            assert_close(&alone, &together.narrow(0, row, 1).unwrap(), 0.0);
        }
    }

    #[test]
    fn a_rotation_for_other_tokens_is_refused() {
        let rotation = table(&RopeScaling::None).at(&[0, 1]);
        assert!(rotary(&normal(1, (3, 8)), &rotation).is_err());
        assert!(rotary(&normal(1, (2, 12)), &rotation).is_err());
    }
}
