//! The Euclidean norm over all gradients, and clipping to it (torch's `clip_grad_norm_`), in place and on all threads.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result};

use crate::{
    Gradient,
    composed::has_kernels,
    cpu::{for_rows, slice_mut},
    gradient::Numbers,
    simd::dispatch,
    team,
};

/// Numbers summed by one task; fixed, so that the threads don't decide the rounding.
const BLOCK: usize = 16 * 1024;
/// Sums of a block that run side by side, because one alone waits for each addition.
const LANES: usize = 32;
/// Keeps the scale finite, as in torch.
const EPSILON: f64 = 1e-6;

/// The Euclidean norm over all numbers of gradients; squares are summed in f64.
///
/// # Errors
/// When a gradient is not f32.
pub fn global_norm<'a>(gradients: impl IntoIterator<Item = &'a Gradient>) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients {
        let values = gradient.values();
        sum += if has_kernels(values.device()) {
            sum_of_squares(&gradient.host()?.numbers()?, gradient.shape().elem_count())
        } else {
            f64::from(values.sqr()?.sum_all()?.to_scalar::<f32>()?)
        };
    }
    Ok(sum.sqrt())
}

/// Multiplies all f32 gradients by `max_norm / norm` where the norm is larger; returns the norm before. The numbers are
/// changed in place, so that no other tensor should share them.
///
/// # Errors
/// When a gradient is not f32.
pub fn clip_by_global_norm(gradients: &mut BTreeMap<String, Gradient>, max_norm: f64) -> Result<f64> {
    let norm = global_norm(gradients.values())?;
    let scale = max_norm / (norm + EPSILON);
    // Not `scale >= 1`: a norm that is not a number must not pass for a small one.
    if scale < 1.0 {
        scale_gradients(gradients, scale)?;
    }
    Ok(norm)
}

/// Multiplies all f32 gradients by a number. They are changed in place, as by [`clip_by_global_norm`].
///
/// # Errors
/// When a gradient is not f32.
pub fn scale_gradients(gradients: &mut BTreeMap<String, Gradient>, scale: f64) -> Result<()> {
    for gradient in gradients.values_mut() {
        let values = gradient.values_mut();
        if has_kernels(values.device()) {
            values.inplace_op1(&Scale(scale as f32))?;
        } else {
            *values = (&*values * scale)?;
        }
    }
    Ok(())
}

/// Blocks and lanes lie in the parameter and not in what is in memory, so that rows have the bits that a tensor of the same numbers has.
fn sum_of_squares(numbers: &Numbers<'_>, len: usize) -> f64 {
    let block = |first: usize| {
        let mut sums = [0.0; LANES];
        for (start, piece) in numbers.pieces(first * BLOCK..len.min((first + 1) * BLOCK)) {
            let lane = start % LANES;
            let (head, rest) = piece.split_at((LANES - lane).min(piece.len()));
            head.iter().zip(&mut sums[lane..]).for_each(|(number, sum)| *sum += square(*number));
            add_squares(&mut sums, rest);
        }
        sums.iter().sum::<f64>()
    };
    team::map(len.div_ceil(BLOCK), block).iter().sum()
}

/// Exact: an f64 has room for it.
#[inline(always)]
fn square(number: f32) -> f64 {
    f64::from(number) * f64::from(number)
}

dispatch! {
    /// Adds the squares of numbers from the first lane on.
    fn add_squares(sums: &mut [f64; LANES], numbers: &[f32]) {
        let (blocks, rest) = numbers.as_chunks::<LANES>();
        for block in blocks {
            for lane in 0..LANES {
                sums[lane] += square(block[lane]);
            }
        }
        rest.iter().zip(sums).for_each(|(number, sum)| *sum += square(*number));
    }
}

struct Scale(f32);

impl InplaceOp1 for Scale {
    fn name(&self) -> &'static str {
        "clip"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        for_rows(slice_mut(storage, layout)?, 1, |_, part| part.iter_mut().for_each(|v| *v *= self.0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{flat, normal};
    use candle_core::{Device, Tensor};

    fn gradients() -> BTreeMap<String, Gradient> {
        let tensor = |values: &[f32]| Gradient::from(Tensor::new(values, &Device::Cpu).unwrap());
        BTreeMap::from([("a".to_owned(), tensor(&[3.0])), ("b".to_owned(), tensor(&[0.0, 4.0]))])
    }

    #[test]
    fn the_norm_runs_over_all_tensors() {
        assert_eq!(global_norm(gradients().values()).unwrap(), 5.0);
        assert_eq!(global_norm([]).unwrap(), 0.0);
        let long = normal(1, 100_000);
        let exact = flat(&long).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        assert!((global_norm([&long.into()]).unwrap() / exact - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_long_gradient_is_shortened_and_a_short_one_left_alone() {
        let mut long = gradients();
        assert_eq!(clip_by_global_norm(&mut long, 1.0).unwrap(), 5.0);
        assert!((global_norm(long.values()).unwrap() - 1.0).abs() < 1e-6);
        let mut short = gradients();
        assert_eq!(clip_by_global_norm(&mut short, 10.0).unwrap(), 5.0);
        assert_eq!(flat(short["b"].values()), [0.0, 4.0]);
    }

    #[test]
    fn squares_beyond_f32_still_have_a_norm() {
        let large = Tensor::new(&[3e30_f32, 4e30], &Device::Cpu).unwrap();
        assert!((global_norm([&large.into()]).unwrap() / 5e30 - 1.0).abs() < 1e-6);
    }
}
