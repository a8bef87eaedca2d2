//! GELU (Hendrycks and Gimpel, 2016; transformers' `gelu`): `x * Phi(x)`, with the distribution function of the normal distribution.

use std::{f32::consts::FRAC_1_SQRT_2, mem::MaybeUninit};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::{
    composed::{gradients, has_kernels},
    cpu::{floats, new_rows, slice, tensor},
    simd::{dispatch, exp, madd},
};

/// The density of the normal distribution at 0.
const DENSITY: f32 = 0.398_942_3;

/// `x * Phi(x)` for an f32 tensor of any shape. Differentiable.
///
/// # Errors
/// When the tensor is not f32.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if has_kernels(x.device()) { x.contiguous()?.apply_op1(Gelu) } else { plain(x) }
}

/// The gradient of [`gelu`] for the output gradient `dy`, of one shape with `x`.
///
/// # Errors
/// When the shapes differ.
pub fn gelu_backward(x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    if x.shape() != dy.shape() {
        bail!("gelu: gradient {:?} does not fit {:?}", dy.shape(), x.shape());
    }
    if !has_kernels(x.device()) {
        return Ok(gradients(&[x], dy, |inputs| plain(&inputs[0]))?.swap_remove(0));
    }
    let (values, gradient) = (floats(x)?, floats(dy)?);
    // SAFETY: `backward` sets as many numbers as there are.
    let dx = unsafe {
        new_rows(values.len(), 1, |first, part| {
            let range = first..first + part.len();
            backward(part, &values[range.clone()], &gradient[range]);
        })
    };
    tensor(dx, x.shape())
}

/// The definition in candle's operations.
fn plain(x: &Tensor) -> Result<Tensor> {
    x.gelu_erf()
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout)?;
        // SAFETY: `forward` sets as many numbers as there are.
        let y = unsafe { new_rows(x.len(), 1, |first, part| forward(part, &x[first..first + part.len()])) };
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        gelu_backward(&x.contiguous()?, &dy.contiguous()?).map(Some)
    }
}

/// The error function to within 3e-7, as a ratio of polynomials between -4 and 4, beyond which it is 1 (Eigen's and XLA's).
#[inline(always)]
fn erf<const FMA: bool>(x: f32) -> f32 {
    const UPPER: [f32; 7] = [
        -2.726_142_4e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const LOWER: [f32; 5] = [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    let (outside, sign) = (x.abs() >= 4.0, 1_f32.copysign(x));
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let (mut upper, mut lower) = (UPPER[0], LOWER[0]);
    for factor in &UPPER[1..] {
        upper = madd::<FMA>(upper, square, *factor);
    }
    for factor in &LOWER[1..] {
        lower = madd::<FMA>(lower, square, *factor);
    }
    if outside { sign } else { x * upper / lower }
}

/// The distribution function of the normal distribution.
#[inline(always)]
fn phi<const FMA: bool>(x: f32) -> f32 {
    madd::<FMA>(0.5, erf::<FMA>(x * FRAC_1_SQRT_2), 0.5)
}

dispatch! {
    fn forward(y: &mut [MaybeUninit<f32>], x: &[f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            y.write(*x * phi::<FMA>(*x));
        }
    }
}

dispatch! {
    fn backward(dx: &mut [MaybeUninit<f32>], x: &[f32], dy: &[f32]) {
        for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
            let density = DENSITY * exp::<FMA>(-0.5 * x * x);
            dx.write(dy * madd::<FMA>(*x, density, phi::<FMA>(*x)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, flat, normal, same_values_and_gradients, variable};
    use candle_core::Device;

    #[test]
    fn values_and_gradients_agree_with_candle_at_odd_sizes() {
        for shape in [(1, 1), (3, 5), (129, 257)] {
            same_values_and_gradients(&[variable(1, shape)], |t| gelu(&t[0]), |t| plain(&t[0]));
        }
    }

    #[test]
    fn far_from_zero_it_is_the_identity_or_nothing() {
        let x = Tensor::new(&[-1e30_f32, -200.0, -6.0, 0.0, 6.0, 200.0], &Device::Cpu).unwrap();
        let found = flat(&gelu(&x).unwrap());
        assert!(
            found.iter().zip([0.0, 0.0, 0.0, 0.0, 6.0, 200.0]).all(|(a, b)| (a - b).abs() < 1e-4),
            "{found:?}"
        );
        let slopes = flat(&gelu_backward(&x, &x.ones_like().unwrap()).unwrap());
        assert!(
            slopes.iter().zip([0.0, 0.0, 0.0, 0.5, 1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-5),
            "{slopes:?}"
        );
    }

    #[test]
    fn an_empty_batch_gives_an_empty_result_and_another_shape_is_refused() {
        let x = normal(1, (0, 4));
        assert_eq!(gelu(&x).unwrap().dims(), &[0, 4]);
        assert!(gelu_backward(&x, &normal(1, (1, 4))).is_err());
        let three = normal(1, 3);
        assert_close(
            &gelu_backward(&three, &three.zeros_like().unwrap()).unwrap(),
            &three.zeros_like().unwrap(),
            0.0,
        );
    }
}
