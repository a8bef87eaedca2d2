//! RMSNorm (Zhang and Sennrich, 2019; transformers' `LlamaRMSNorm`): `y = w * x / sqrt(mean(x^2) + eps)`, row by row.

use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::{
    composed::{gradients, has_kernels},
    cpu::{floats, new_rows, rows_and_width, rows_per_task, slice, tensor},
    simd::{dispatch, dot, madd},
    team,
};

/// Normalises each row of `x` [.., H] f32 and scales it by `weight` [H] f32. Differentiable in both.
///
/// # Errors
/// When the widths differ or the tensors are not f32.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    if has_kernels(x.device()) {
        x.contiguous()?.apply_op2(weight, RmsNorm { eps: eps as f32 })
    } else {
        plain(x, weight, eps)
    }
}

/// Gradients of [`rms_norm`] for the output gradient `dy` [.., H]: for `x`, with `add` [.., H] added to it where given
/// (the gradient that reaches `x` past the norm), and for the weight [H] if `wants_weight`.
///
/// # Errors
/// When the shapes differ.
pub fn rms_norm_backward(
    (x, weight, eps): (&Tensor, &Tensor, f64),
    dy: &Tensor,
    add: Option<&Tensor>,
    wants_weight: bool,
) -> Result<(Tensor, Option<Tensor>)> {
    if !has_kernels(x.device()) {
        let grads = gradients(&[x, weight], dy, |inputs| plain(&inputs[0], &inputs[1], eps))?;
        let dx = add.map_or(Ok(grads[0].clone()), |add| add + &grads[0])?;
        return Ok((dx, wants_weight.then(|| grads[1].clone())));
    }
    let (_, width) = rows_and_width(x.shape())?;
    if dy.shape() != x.shape() || weight.elem_count() != width {
        bail!("rms_norm: gradient {:?} does not fit input {:?}", dy.shape(), x.shape());
    }
    let (values, scales, gradient) = (floats(x)?, floats(weight)?, floats(dy)?);
    let past = add.map(floats).transpose()?;
    if past.as_ref().is_some_and(|past| past.len() != values.len()) {
        bail!("rms_norm: a gradient to add that does not fit input {:?}", x.shape());
    }
    // SAFETY: a piece is whole rows, of which `input_gradient` sets each number.
    let dx = unsafe {
        new_rows(values.len(), width, |first, part| {
            let range = first * width..first * width + part.len();
            let past = past.as_ref().map(|past| &past[range.clone()]);
            input_gradient(part, past, &values[range.clone()], &scales, &gradient[range], eps as f32);
        })
    };
    let dw = wants_weight.then(|| tensor(weight_gradient(&values, &gradient, width, eps as f32), width));
    Ok((tensor(dx, x.shape())?, dw.transpose()?))
}

/// The definition in candle's operations.
fn plain(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let mean = x.sqr()?.mean_keepdim(candle_core::D::Minus1)?;
    x.broadcast_div(&(mean + eps)?.sqrt()?)?.broadcast_mul(weight)
}

struct RmsNorm {
    eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = rows_and_width(l1.shape())?;
        let (x, weight) = (slice(s1, l1)?, slice(s2, l2)?);
        if weight.len() != width {
            bail!("rms_norm: weight of {} for rows of {width}", weight.len());
        }
        // SAFETY: a piece is whole rows, of which `normalise` sets each number.
        let y = unsafe {
            new_rows(x.len(), width, |first, part| {
                normalise(part, &x[first * width..][..part.len()], weight, self.eps);
            })
        };
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, dy) = (x.contiguous()?.detach(), dy.contiguous()?);
        let wants_weight = weight.track_op();
        let (dx, dw) = rms_norm_backward((&x, weight, f64::from(self.eps)), &dy, None, wants_weight)?;
        Ok((Some(dx), dw))
    }
}

#[inline(always)]
fn inverse_rms<const FMA: bool>(x: &[f32], eps: f32) -> f32 {
    1.0 / (dot::<FMA>(x, x) / x.len() as f32 + eps).sqrt()
}

dispatch! {
    fn normalise(y: &mut [MaybeUninit<f32>], x: &[f32], weight: &[f32], eps: f32) {
        for (y, x) in y.chunks_exact_mut(weight.len()).zip(x.chunks_exact(weight.len())) {
            let inverse = inverse_rms::<FMA>(x, eps);
            for i in 0..weight.len() {
                y[i].write(weight[i] * (x[i] * inverse));
            }
        }
    }
}

dispatch! {
    /// Sets each row of `dx` to `inverse * (w dy - x * inverse^2 * mean(w dy x))`, plus what went past the norm.
    fn input_gradient(
        dx: &mut [MaybeUninit<f32>],
        past: Option<&[f32]>,
        x: &[f32],
        weight: &[f32],
        dy: &[f32],
        eps: f32,
    ) {
        let width = weight.len();
        let mut scaled = vec![0_f32; width];
        let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(dy.chunks_exact(width));
        for (row, ((dx, x), dy)) in rows.enumerate() {
            let inverse = inverse_rms::<FMA>(x, eps);
            for i in 0..width {
                scaled[i] = weight[i] * dy[i] * inverse;
            }
            let along = dot::<FMA>(&scaled, x) * inverse * inverse / width as f32;
            match past {
                Some(past) => {
                    let past = &past[row * width..][..width];
                    for i in 0..width {
                        dx[i].write(past[i] + madd::<FMA>(-along, x[i], scaled[i]));
                    }
                }
                None => {
                    for i in 0..width {
                        dx[i].write(madd::<FMA>(-along, x[i], scaled[i]));
                    }
                }
            }
        }
    }
}

dispatch! {
    fn add_weight_gradient(dw: &mut [f32], x: &[f32], dy: &[f32], eps: f32) {
        let width = dw.len();
        for (x, dy) in x.chunks_exact(width).zip(dy.chunks_exact(width)) {
            let inverse = inverse_rms::<FMA>(x, eps);
            for i in 0..width {
                dw[i] = madd::<FMA>(x[i] * inverse, dy[i], dw[i]);
            }
        }
    }
}

/// Sums over fixed blocks of rows and then over the blocks in order, so that the threads don't decide the rounding.
fn weight_gradient(x: &[f32], dy: &[f32], width: usize, eps: f32) -> Vec<f32> {
    let block = rows_per_task(width) * width;
    let blocks: Vec<_> = x.chunks(block).zip(dy.chunks(block)).collect();
    let partial = team::map(blocks.len(), |index| {
        let ((x, dy), mut dw) = (blocks[index], vec![0_f32; width]);
        add_weight_gradient(&mut dw, x, dy, eps);
        dw
    });
    partial.into_iter().fold(vec![0_f32; width], |mut sum, part| {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal, same_values_and_gradients, variable};

    #[test]
    fn values_and_gradients_agree_with_the_definition_at_odd_sizes() {
        for (rows, width) in [(1, 2), (1, 7), (5, 33), (700, 100)] {
            same_values_and_gradients(
                &[variable(1, (rows, width)), variable(2, width)],
                |t| rms_norm(&t[0], &t[1], 1e-5),
                |t| plain(&t[0], &t[1], 1e-5),
            );
        }
    }

    #[test]
    fn an_empty_batch_gives_an_empty_result_and_no_gradient_for_the_weight() {
        let (x, weight) = (normal(1, (0, 8)), normal(2, 8));
        assert_eq!(rms_norm(&x, &weight, 1e-5).unwrap().dims(), &[0, 8]);
        let (dx, dw) = rms_norm_backward((&x, &weight, 1e-5), &x, None, true).unwrap();
        assert_eq!(dx.dims(), &[0, 8]);
        assert_close(&dw.unwrap(), &weight.zeros_like().unwrap(), 0.0);
    }

    #[test]
    fn the_gradient_past_the_norm_is_added() {
        let (x, weight, dy, add) = (normal(1, (3, 8)), normal(2, 8), normal(3, (3, 8)), normal(4, (3, 8)));
        let (without, _) = rms_norm_backward((&x, &weight, 1e-5), &dy, None, false).unwrap();
        let (with, dw) = rms_norm_backward((&x, &weight, 1e-5), &dy, Some(&add), false).unwrap();
        assert_close(&with, &(without + add).unwrap(), 1e-6);
        assert!(dw.is_none());
    }

    #[test]
    fn rows_of_zeros_and_of_large_numbers_stay_finite() {
        let x = Tensor::new(&[[0_f32, 0.0], [1e15, -1e15]], &candle_core::Device::Cpu).unwrap();
        let y = rms_norm(&x, &normal(2, 2).ones_like().unwrap(), 1e-5).unwrap();
        let expected = Tensor::new(&[[0_f32, 0.0], [1.0, -1.0]], &candle_core::Device::Cpu).unwrap();
        assert_close(&y, &expected, 1e-6);
    }

    #[test]
    fn a_row_does_not_depend_on_the_others() {
        let (x, weight) = (normal(1, (300, 65)), normal(2, 65));
        let all = rms_norm(&x, &weight, 1e-5).unwrap().narrow(0, 77, 1).unwrap();
        let alone = rms_norm(&x.narrow(0, 77, 1).unwrap(), &weight, 1e-5).unwrap();
        assert_close(&alone, &all, 0.0);
    }
}
