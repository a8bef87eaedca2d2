//! LayerNorm (Ba et al., 2016; torch's `LayerNorm`): `y = w * (x - mean) / sqrt(var + eps) + b`, row by row.

use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use crate::{
    composed::{gradients, has_kernels},
    cpu::{floats, new_rows, rows_and_width, rows_per_task, slice, tensor},
    simd::{LANES, dispatch, dot, madd, sum_lanes},
    team,
};

/// The gradients of [`layer_norm`].
#[derive(Clone, Debug)]
pub struct LayerNormGradients {
    /// For the input, [.., H].
    pub x: Tensor,
    /// For the weight, [H].
    pub weight: Tensor,
    /// For the bias, [H].
    pub bias: Tensor,
}

/// Centres and scales each row of `x` [.., H] f32, and then scales it by `weight` [H] and adds `bias` [H], f32. Differentiable in all
/// three.
///
/// # Errors
/// When the widths differ or the tensors are not f32.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if has_kernels(x.device()) {
        x.contiguous()?.apply_op3(weight, bias, LayerNorm { eps: eps as f32 })
    } else {
        plain(x, weight, bias, eps)
    }
}

/// Gradients of [`layer_norm`] for the output gradient `dy` [.., H]; they don't depend on the bias.
///
/// # Errors
/// When the shapes differ.
pub fn layer_norm_backward(
    (x, weight, eps): (&Tensor, &Tensor, f64),
    dy: &Tensor,
) -> Result<LayerNormGradients> {
    let (_, width) = rows_and_width(x.shape())?;
    if dy.shape() != x.shape() || weight.elem_count() != width {
        bail!("layer_norm: gradient {:?} does not fit input {:?}", dy.shape(), x.shape());
    }
    if !has_kernels(x.device()) {
        let bias = weight.zeros_like()?;
        let inputs = [x, weight, &bias];
        let mut grads = gradients(&inputs, dy, |t| plain(&t[0], &t[1], &t[2], eps))?.into_iter();
        let mut next =
            || grads.next().ok_or_else(|| candle_core::Error::Msg("layer_norm: no gradient".into()));
        return Ok(LayerNormGradients { x: next()?, weight: next()?, bias: next()? });
    }
    let (values, scales, gradient) = (floats(x)?, floats(weight)?, floats(dy)?);
    // SAFETY: a piece is whole rows, of which `input_gradient` sets each number.
    let dx = unsafe {
        new_rows(values.len(), width, |first, part| {
            let range = first * width..first * width + part.len();
            input_gradient(part, &values[range.clone()], &scales, &gradient[range], eps as f32);
        })
    };
    let (dw, db) = parameter_gradients(&values, &gradient, width, eps as f32);
    Ok(LayerNormGradients { x: tensor(dx, x.shape())?, weight: tensor(dw, width)?, bias: tensor(db, width)? })
}

/// The definition in candle's operations.
fn plain(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    centred.broadcast_div(&deviation)?.broadcast_mul(weight)?.broadcast_add(bias)
}

struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = rows_and_width(l1.shape())?;
        let (x, weight, bias) = (slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        if weight.len() != width || bias.len() != width {
            bail!("layer_norm: weight of {}, bias of {} for rows of {width}", weight.len(), bias.len());
        }
        // SAFETY: a piece is whole rows, of which `normalise` sets each number.
        let y = unsafe {
            new_rows(x.len(), width, |first, part| {
                normalise(part, &x[first * width..][..part.len()], weight, bias, self.eps);
            })
        };
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (x, dy) = (x.contiguous()?.detach(), dy.contiguous()?);
        let LayerNormGradients { x, weight, bias } =
            layer_norm_backward((&x, weight, f64::from(self.eps)), &dy)?;
        Ok((Some(x), Some(weight), Some(bias)))
    }
}

/// Sum of numbers, in a fixed order that depends on their count alone.
#[inline(always)]
fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0_f32; LANES];
    for block in x.chunks(LANES) {
        lanes.iter_mut().zip(block).for_each(|(lane, number)| *lane += number);
    }
    sum_lanes(lanes)
}

/// Writes the row less its mean, over its deviation; gives the inverse of the deviation.
#[inline(always)]
fn standardise<const FMA: bool>(to: &mut [f32], x: &[f32], eps: f32) -> f32 {
    let mean = sum(x) / x.len() as f32;
    for (to, x) in to.iter_mut().zip(x) {
        *to = x - mean;
    }
    let inverse = 1.0 / (dot::<FMA>(to, to) / x.len() as f32 + eps).sqrt();
    for to in to.iter_mut() {
        *to *= inverse;
    }
    inverse
}

dispatch! {
    fn normalise(y: &mut [MaybeUninit<f32>], x: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
        let width = weight.len();
        let mut standard = vec![0_f32; width];
        for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            standardise::<FMA>(&mut standard, x, eps);
            for i in 0..width {
                y[i].write(madd::<FMA>(weight[i], standard[i], bias[i]));
            }
        }
    }
}

dispatch! {
    /// Sets each row of `dx` to `inverse * (g - mean(g) - s * mean(g s))`, where `g = w dy` and `s` is the standardised row.
    fn input_gradient(dx: &mut [MaybeUninit<f32>], x: &[f32], weight: &[f32], dy: &[f32], eps: f32) {
        let width = weight.len();
        let (mut standard, mut scaled) = (vec![0_f32; width], vec![0_f32; width]);
        let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(dy.chunks_exact(width));
        for ((dx, x), dy) in rows {
            let inverse = standardise::<FMA>(&mut standard, x, eps);
            for i in 0..width {
                scaled[i] = weight[i] * dy[i];
            }
            let mean = sum(&scaled) / width as f32;
            let along = dot::<FMA>(&scaled, &standard) / width as f32;
            for i in 0..width {
                dx[i].write(inverse * madd::<FMA>(-along, standard[i], scaled[i] - mean));
            }
        }
    }
}

dispatch! {
    fn add_parameter_gradients(dw: &mut [f32], db: &mut [f32], x: &[f32], dy: &[f32], eps: f32) {
        let width = dw.len();
        let mut standard = vec![0_f32; width];
        for (x, dy) in x.chunks_exact(width).zip(dy.chunks_exact(width)) {
            standardise::<FMA>(&mut standard, x, eps);
            for i in 0..width {
                dw[i] = madd::<FMA>(standard[i], dy[i], dw[i]);
                db[i] += dy[i];
            }
        }
    }
}

/// Sums over fixed blocks of rows and then over the blocks in order, so that the threads don't decide the rounding.
fn parameter_gradients(x: &[f32], dy: &[f32], width: usize, eps: f32) -> (Vec<f32>, Vec<f32>) {
    let block = (rows_per_task(width) * width).max(1);
    let blocks: Vec<_> = x.chunks(block).zip(dy.chunks(block)).collect();
    let zeros = || (vec![0_f32; width], vec![0_f32; width]);
    let partial = team::map(blocks.len(), |index| {
        let ((x, dy), (mut dw, mut db)) = (blocks[index], zeros());
        add_parameter_gradients(&mut dw, &mut db, x, dy, eps);
        (dw, db)
    });
    let add = |sum: &mut [f32], part: &[f32]| sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    partial.iter().fold(zeros(), |(mut dw, mut db), (of_weight, of_bias)| {
        add(&mut dw, of_weight);
        add(&mut db, of_bias);
        (dw, db)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, flat, normal, same_values_and_gradients, variable};
    use crate::with_threads;

    #[test]
    fn values_and_gradients_agree_with_the_definition_at_odd_sizes() {
        for (rows, width) in [(1, 3), (1, 7), (5, 33), (700, 100)] {
            same_values_and_gradients(
                &[variable(1, (rows, width)), variable(2, width), variable(3, width)],
                |t| layer_norm(&t[0], &t[1], &t[2], 1e-5),
                |t| plain(&t[0], &t[1], &t[2], 1e-5),
            );
        }
    }

    #[test]
    fn rows_far_from_zero_are_centred_before_they_are_squared() {
        let x = (normal(1, (3, 64)) + 4096.0).unwrap();
        let near = (&x - 4096.0).unwrap();
        let (weight, bias) = (normal(2, 64), normal(3, 64));
        let found = layer_norm(&x, &weight, &bias, 1e-5).unwrap();
        assert_close(&found, &layer_norm(&near, &weight, &bias, 1e-5).unwrap(), 1e-3);
    }

    #[test]
    fn a_row_does_not_depend_on_the_others_nor_a_gradient_on_the_threads() {
        let (x, weight, bias) = (normal(1, (700, 65)), normal(2, 65), normal(3, 65));
        let all = layer_norm(&x, &weight, &bias, 1e-5).unwrap().narrow(0, 77, 1).unwrap();
        let alone = layer_norm(&x.narrow(0, 77, 1).unwrap(), &weight, &bias, 1e-5).unwrap();
        assert_close(&alone, &all, 0.0);
        let run = |threads| {
            let gradients = with_threads(threads, || layer_norm_backward((&x, &weight, 1e-5), &x).unwrap());
            [gradients.x, gradients.weight, gradients.bias].map(|gradient| flat(&gradient))
        };
        assert_eq!(run(1), run(2));
    }

    #[test]
    fn an_empty_batch_gives_an_empty_result_and_other_widths_are_refused() {
        let (x, weight) = (normal(1, (0, 8)), normal(2, 8));
        assert_eq!(layer_norm(&x, &weight, &weight, 1e-5).unwrap().dims(), &[0, 8]);
        let gradients = layer_norm_backward((&x, &weight, 1e-5), &x).unwrap();
        assert_close(&gradients.weight, &weight.zeros_like().unwrap(), 0.0);
        assert!(layer_norm(&normal(1, (2, 7)), &weight, &weight, 1e-5).is_err());
    }
}
