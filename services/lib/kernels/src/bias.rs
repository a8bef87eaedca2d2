//! The bias of a linear map, added to each of its outputs' rows.

use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::{
    composed::has_kernels,
    cpu::{floats, new_rows, rows_and_width, rows_per_task, slice, tensor},
    team,
};

/// `x + bias` for rows `x` [.., W] and a bias [W], f32. Differentiable in both.
///
/// # Errors
/// When the widths differ or the tensors are not f32.
pub fn add_bias(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if has_kernels(x.device()) { x.contiguous()?.apply_op2(bias, AddBias) } else { x.broadcast_add(bias) }
}

/// The gradient [W] of the bias of [`add_bias`] for the output gradient `dy` [.., W]: the sum of its rows.
///
/// # Errors
/// When the gradient is not f32.
pub fn bias_gradient(dy: &Tensor) -> Result<Tensor> {
    let (rows, width) = rows_and_width(dy.shape())?;
    if !has_kernels(dy.device()) {
        return dy.reshape((rows, width))?.sum(0);
    }
    let dy = dy.contiguous()?;
    tensor(sum_of_rows(&floats(&dy)?, width), width)
}

/// Sums over fixed blocks of rows and then over the blocks in order, so that the threads don't decide the rounding.
fn sum_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let blocks: Vec<&[f32]> = rows.chunks((rows_per_task(width) * width).max(1)).collect();
    let partial = team::map(blocks.len(), |index| {
        let mut sum = vec![0_f32; width];
        blocks[index].chunks_exact(width).for_each(|row| add_to(&mut sum, row));
        sum
    });
    partial.iter().fold(vec![0_f32; width], |mut sum, part| {
        add_to(&mut sum, part);
        sum
    })
}

fn add_to(sum: &mut [f32], row: &[f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
}

struct AddBias;

impl CustomOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add_bias"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = rows_and_width(l1.shape())?;
        let (x, bias) = (slice(s1, l1)?, slice(s2, l2)?);
        if bias.len() != width {
            bail!("add_bias: a bias of {} for rows of {width}", bias.len());
        }
        // SAFETY: a piece is whole rows, of which `add` sets each number.
        let y = unsafe {
            new_rows(x.len(), width, |first, part| add(part, &x[first * width..][..part.len()], bias))
        };
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(dy.clone()), Some(bias_gradient(dy)?)))
    }
}

fn add(y: &mut [MaybeUninit<f32>], x: &[f32], bias: &[f32]) {
    for (y, x) in y.chunks_exact_mut(bias.len()).zip(x.chunks_exact(bias.len())) {
        for ((y, x), bias) in y.iter_mut().zip(x).zip(bias) {
            y.write(x + bias);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal, same_values_and_gradients, variable};
    use crate::with_threads;

    #[test]
    fn values_and_gradients_agree_with_candle_at_odd_sizes() {
        for (rows, width) in [(1, 1), (5, 33), (700, 100)] {
            same_values_and_gradients(
                &[variable(1, (rows, width)), variable(2, width)],
                |t| add_bias(&t[0], &t[1]),
                |t| t[0].broadcast_add(&t[1]),
            );
        }
    }

    #[test]
    fn the_gradient_has_the_same_bits_on_any_number_of_threads() {
        let dy = normal(1, (2000, 33));
        let alone = with_threads(1, || bias_gradient(&dy).unwrap());
        assert_close(&with_threads(2, || bias_gradient(&dy).unwrap()), &alone, 0.0);
    }

    #[test]
    fn no_rows_give_no_gradient_and_another_width_is_refused() {
        let empty = normal(1, (0, 4));
        assert_eq!(add_bias(&empty, &normal(2, 4)).unwrap().dims(), &[0, 4]);
        assert_close(&bias_gradient(&empty).unwrap(), &normal(2, 4).zeros_like().unwrap(), 0.0);
        assert!(add_bias(&normal(1, (2, 3)), &normal(2, 4)).is_err());
    }
}
