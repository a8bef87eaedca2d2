//! Rotary position embedding (Su et al., 2021) in Hugging Face's layout: dimension `i` turns with dimension `i + D/2`.

use std::{mem::MaybeUninit, sync::Arc};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use crate::{
    cpu::{new_rows, slice},
    simd::dispatch,
};

/// How rotary frequencies are changed for contexts longer than the model was first trained for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All frequencies divided by one factor (transformers' `linear`).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Low frequencies divided, high ones kept, those between interpolated (Llama 3.1; transformers' `llama3`).
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` count as low frequencies.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` count as high frequencies.
        high_freq_factor: f64,
        /// Context length of the first training, in tokens.
        original_max_position_embeddings: usize,
    },
}

impl RopeScaling {
    fn apply(&self, frequency: f64) -> f64 {
        match *self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
                let original = original_max_position_embeddings as f64;
                let wavelength = std::f64::consts::TAU / frequency;
                if wavelength < original / high_freq_factor {
                    frequency
                } else if wavelength > original / low_freq_factor {
                    frequency / factor
                } else {
                    let smooth =
                        (original / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }
}

/// The frequencies of a model's rotary embedding, one per pair of dimensions.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    frequencies: Vec<f32>,
}

impl RotaryTable {
    /// Frequencies `theta^(-2i/D)` for heads of `head_dim` (even) dimensions, scaled.
    pub fn new(head_dim: usize, theta: f64, scaling: &RopeScaling) -> Self {
        let frequency = |i: usize| scaling.apply(theta.powf(-2.0 * i as f64 / head_dim as f64)) as f32;
        Self { frequencies: (0..head_dim / 2).map(frequency).collect() }
    }

    /// The rotation of tokens at these positions, to be shared by all layers and heads.
    pub fn at(&self, positions: &[u32]) -> Rotation {
        let angles = positions.iter().flat_map(|p| self.frequencies.iter().map(move |f| *p as f32 * f));
        let (sin, cos) = angles.map(f32::sin_cos).unzip();
        Rotation { angles: Arc::new(Angles { cos, sin, half: self.frequencies.len() }), inverse: false }
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
    /// The rotation back, which is also the gradient's.
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
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Turn(rotation.clone())) } else { plain(x, rotation) }
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
    fn llama3_scaling_keeps_short_waves_divides_long_ones_and_blends_between() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        let tau = std::f64::consts::TAU;
        assert_eq!(scaling.apply(tau / 2047.0), tau / 2047.0);
        assert_eq!(scaling.apply(tau / 8193.0), tau / 8193.0 / 8.0);
        // Wavelength 4096: smooth = (2 - 1) / 3.
        let middle = scaling.apply(tau / 4096.0) / (tau / 4096.0);
        assert!((middle - (2.0 / 3.0 / 8.0 + 1.0 / 3.0)).abs() < 1e-12, "{middle}");
    }

    #[test]
    fn a_rotation_for_other_tokens_is_refused() {
        let rotation = table(&RopeScaling::None).at(&[0, 1]);
        assert!(rotary(&normal(1, (3, 8)), &rotation).is_err());
        assert!(rotary(&normal(1, (2, 12)), &rotation).is_err());
    }
}
