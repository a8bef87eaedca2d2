//! What the tests of the ops share: odd inputs, closeness, and gradients by finite differences.

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::Random;

/// A tensor of normal numbers that depends on its seed alone.
pub(crate) fn normal(seed: u64, shape: impl Into<candle_core::Shape>) -> Tensor {
    Random::new(seed, 0).normal_tensor(shape, 0.0, 1.0, &Device::Cpu).unwrap()
}

/// The same as a variable.
pub(crate) fn variable(seed: u64, shape: impl Into<candle_core::Shape>) -> Var {
    Var::from_tensor(&normal(seed, shape)).unwrap()
}

pub(crate) fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Fails unless all numbers agree within `tolerance` of the largest one.
#[track_caller]
pub(crate) fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims(), "shapes differ");
    let (found, expected) = (flat(found), flat(expected));
    let scale = expected.iter().fold(1e-6_f32, |max, value| max.max(value.abs()));
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "element {i}: {a}, expected {b} (scale {scale})");
    }
}

/// Checks the tape's gradients of `fast` against those of `plain`, for a random gradient of the output.
#[track_caller]
pub(crate) fn same_values_and_gradients(
    inputs: &[Var],
    fast: impl Fn(&[Tensor]) -> Result<Tensor>,
    plain: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
    let (found, expected) = (fast(&tensors).unwrap(), plain(&tensors).unwrap());
    assert_close(&found, &expected, 2e-5);
    let seed = normal(99, expected.shape().clone());
    let gradients = |y: Tensor| (y * &seed).unwrap().sum_all().unwrap().backward().unwrap();
    let (found, expected) = (gradients(found), gradients(expected));
    for (i, input) in inputs.iter().enumerate() {
        let expected = expected.get(input).unwrap_or_else(|| panic!("input {i} has no reference gradient"));
        assert_close(found.get(input).unwrap_or_else(|| panic!("input {i} has no gradient")), expected, 5e-5);
    }
}

/// The gradient of a scalar function by central differences, in steps of `step`.
pub(crate) fn finite_differences(input: &Tensor, step: f32, f: impl Fn(&Tensor) -> f64) -> Tensor {
    let values = flat(input);
    let at = |i: usize, change: f32| {
        let mut moved = values.clone();
        moved[i] += change;
        f(&Tensor::from_vec(moved, input.shape(), &Device::Cpu).unwrap())
    };
    let slopes: Vec<f32> =
        (0..values.len()).map(|i| ((at(i, step) - at(i, -step)) / (2.0 * f64::from(step))) as f32).collect();
    Tensor::from_vec(slopes, input.shape(), &Device::Cpu).unwrap()
}
