//! SwiGLU (Shazeer, 2020; transformers' `LlamaMLP`): `silu(gate) * up`, element by element.

use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::{
    composed::{gradients, has_kernels},
    cpu::{floats, new_row_pairs, new_rows, slice, tensor},
    simd::{dispatch, madd, sigmoid},
};

/// `silu(gate) * up` for two f32 tensors of one shape. Differentiable in both.
///
/// # Errors
/// When the shapes differ or the tensors are not f32.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if has_kernels(gate.device()) {
        gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)
    } else {
        plain(gate, up)
    }
}

/// Gradients of [`swiglu`] for gate and up, for the output gradient `dy`.
///
/// # Errors
/// When the shapes differ.
pub fn swiglu_backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    if !has_kernels(gate.device()) {
        let grads = gradients(&[gate, up], dy, |inputs| plain(&inputs[0], &inputs[1]))?;
        return Ok((grads[0].clone(), grads[1].clone()));
    }
    if gate.shape() != up.shape() || gate.shape() != dy.shape() {
        bail!("swiglu: gradient {:?} does not fit {:?}", dy.shape(), gate.shape());
    }
    let (g, u, gradient) = (floats(gate)?, floats(up)?, floats(dy)?);
    // SAFETY: `backward` sets as many numbers as there are.
    let (dg, du) = unsafe {
        new_row_pairs(g.len(), |first, dg, du| {
            let range = first..first + dg.len();
            backward(dg, du, &g[range.clone()], &u[range.clone()], &gradient[range]);
        })
    };
    Ok((tensor(dg, gate.shape())?, tensor(du, gate.shape())?))
}

/// The definition in candle's operations.
fn plain(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let sigmoid = (gate.neg()?.exp()? + 1.0)?.recip()?;
    (gate * sigmoid)? * up
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (slice(s1, l1)?, slice(s2, l2)?);
        if l1.shape() != l2.shape() {
            bail!("swiglu: gate {:?} and up {:?} differ", l1.shape(), l2.shape());
        }
        // SAFETY: `forward` sets as many numbers as there are.
        let y = unsafe {
            new_rows(gate.len(), 1, |first, part| {
                let range = first..first + part.len();
                forward(part, &gate[range.clone()], &up[range]);
            })
        };
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dg, du) = swiglu_backward(&gate.contiguous()?, &up.contiguous()?, &dy.contiguous()?)?;
        Ok((Some(dg), Some(du)))
    }
}

dispatch! {
    fn forward(y: &mut [MaybeUninit<f32>], gate: &[f32], up: &[f32]) {
        for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
            y.write(*g * sigmoid::<FMA>(*g) * *u);
        }
    }
}

dispatch! {
    fn backward(
        dg: &mut [MaybeUninit<f32>],
        du: &mut [MaybeUninit<f32>],
        gate: &[f32],
        up: &[f32],
        dy: &[f32],
    ) {
        for ((((dg, du), g), u), dy) in dg.iter_mut().zip(du).zip(gate).zip(up).zip(dy) {
            let s = sigmoid::<FMA>(*g);
            let silu = *g * s;
            // d silu / d gate = s + g s (1 - s)
            dg.write(dy * u * madd::<FMA>(silu, 1.0 - s, s));
            du.write(dy * silu);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, flat, normal, same_values_and_gradients, variable};
    use candle_core::Device;

    #[test]
    fn values_and_gradients_agree_with_the_definition_at_odd_sizes() {
        for shape in [(1, 1), (3, 5), (129, 257)] {
            same_values_and_gradients(
                &[variable(1, shape), variable(2, shape)],
                |t| swiglu(&t[0], &t[1]),
                |t| plain(&t[0], &t[1]),
            );
        }
    }

    #[test]
    fn extreme_gates_saturate() {
        let gate = Tensor::new(&[-1e30_f32, -200.0, 0.0, 200.0, 1e30], &Device::Cpu).unwrap();
        let up = Tensor::new(&[1_f32; 5], &Device::Cpu).unwrap();
        let y = flat(&swiglu(&gate, &up).unwrap());
        assert!(y[0].abs() < 1e-6 && y[1].abs() < 1e-6 && y[2] == 0.0);
        assert_eq!(&y[3..], &[200.0, 1e30]);
        let (dg, du) = swiglu_backward(&gate, &up, &up).unwrap();
        assert_close(&dg, &Tensor::new(&[0_f32, 0.0, 0.5, 1.0, 1.0], &Device::Cpu).unwrap(), 1e-6);
        assert!(flat(&du).iter().all(|v| v.is_finite()));
    }

    #[test]
    fn an_empty_batch_gives_empty_results() {
        let x = normal(1, (0, 4));
        assert_eq!(swiglu(&x, &x).unwrap().dims(), &[0, 4]);
        assert_eq!(swiglu_backward(&x, &x, &x).unwrap().0.dims(), &[0, 4]);
    }

    #[test]
    fn differing_shapes_are_refused() {
        assert!(swiglu(&normal(1, (2, 3)), &normal(1, (3, 2))).is_err());
    }
}
