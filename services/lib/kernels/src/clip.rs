//! The Euclidean norm over all gradients, and clipping to it (torch's `clip_grad_norm_`), in place and on all threads.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};

use crate::{
    cpu::{floats, for_rows, slice_mut},
    team,
};

/// Numbers summed by one task; fixed, so that the threads don't decide the rounding.
const BLOCK: usize = 16 * 1024;
/// Keeps the scale finite, as in torch.
const EPSILON: f64 = 1e-6;

/// The Euclidean norm over all numbers of f32 tensors; squares are summed in f64.
///
/// # Errors
/// When a tensor is not f32.
pub fn global_norm<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<f64> {
    let mut sum = 0.0;
    for tensor in tensors {
        sum += if tensor.device().is_cpu() {
            sum_of_squares(&floats(&tensor.contiguous()?)?)
        } else {
            f64::from(tensor.sqr()?.sum_all()?.to_scalar::<f32>()?)
        };
    }
    Ok(sum.sqrt())
}

/// Multiplies all f32 gradients by `max_norm / norm` where the norm is larger; returns the norm before. The numbers are
/// changed in place, so that no other tensor should share them.
///
/// # Errors
/// When a gradient is not f32.
pub fn clip_by_global_norm(gradients: &mut BTreeMap<String, Tensor>, max_norm: f64) -> Result<f64> {
    let norm = global_norm(gradients.values())?;
    let scale = max_norm / (norm + EPSILON);
    // Not `scale >= 1`: a norm that is not a number must not pass for a small one.
    if scale < 1.0 {
        for gradient in gradients.values_mut() {
            if gradient.device().is_cpu() {
                gradient.inplace_op1(&Scale(scale as f32))?;
            } else {
                *gradient = (&*gradient * scale)?;
            }
        }
    }
    Ok(norm)
}

fn sum_of_squares(values: &[f32]) -> f64 {
    let block = |part: &[f32]| part.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>();
    let parts: Vec<&[f32]> = values.chunks(BLOCK).collect();
    team::map(parts.len(), |part| block(parts[part])).iter().sum()
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
    use candle_core::Device;

    fn gradients() -> BTreeMap<String, Tensor> {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        BTreeMap::from([("a".to_owned(), tensor(&[3.0])), ("b".to_owned(), tensor(&[0.0, 4.0]))])
    }

    #[test]
    fn the_norm_runs_over_all_tensors() {
        assert_eq!(global_norm(gradients().values()).unwrap(), 5.0);
        assert_eq!(global_norm([]).unwrap(), 0.0);
        let long = normal(1, 100_000);
        let exact = flat(&long).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        assert!((global_norm([&long]).unwrap() / exact - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_long_gradient_is_shortened_and_a_short_one_left_alone() {
        let mut long = gradients();
        assert_eq!(clip_by_global_norm(&mut long, 1.0).unwrap(), 5.0);
        assert!((global_norm(long.values()).unwrap() - 1.0).abs() < 1e-6);
        let mut short = gradients();
        assert_eq!(clip_by_global_norm(&mut short, 10.0).unwrap(), 5.0);
        assert_eq!(flat(&short["b"]), [0.0, 4.0]);
    }

    #[test]
    fn squares_beyond_f32_still_have_a_norm() {
        let large = Tensor::new(&[3e30_f32, 4e30], &Device::Cpu).unwrap();
        assert!((global_norm([&large]).unwrap() / 5e30 - 1.0).abs() < 1e-6);
    }
}
