//! How exact the gradients are: those of the first step against the same step on f32 weights and the portable kernels.

use candle_core::{DType, Tensor};
use rootstock_kernels::{Dispatch, with_dispatch};
use rootstock_model::{Batch, Gradients};

use super::learner::{Learner, Plan};
use crate::bench::BenchError;
use crate::bench::model_dir::ModelDir;
use crate::bench::output::Output;

/// The largest relative error of a gradient, over all tensors: `||g - reference|| / ||reference||` (Frobenius).
///
/// Both are computed from the beginning, on models of their own, because the measured one has learned in the meantime; the
/// same plan gives the same bits, so these are the gradients of its first step.
pub(super) fn max_gradient_error(
    model: &ModelDir,
    plan: &Plan,
    batch: &Batch,
    output: Output,
) -> Result<f64, BenchError> {
    let found = first_gradients(model, plan, batch)?;
    output.line("computing the gradients in f32 on the portable kernels");
    let exact = Plan { dtype: DType::F32, ..*plan };
    let reference = with_dispatch(Dispatch::Portable, || first_gradients(model, &exact, batch))??;
    let (name, error) = largest_error(&found, &reference)?;
    output.line(&format!("the largest relative error is {error:.2e}, in the gradient of {name}"));
    Ok(error)
}

fn first_gradients(model: &ModelDir, plan: &Plan, batch: &Batch) -> Result<Gradients, BenchError> {
    Ok(Learner::load(model, plan)?.gradients(batch, 0)?.1)
}

/// Share of all gradients' norm below which one is zero but for rounding, as that of a query with a single key is.
const NOTHING: f64 = 1e-7;

/// The tensor whose gradient is furthest off, and how far; those whose reference is nothing beside the others have no relative error.
fn largest_error(found: &Gradients, reference: &Gradients) -> Result<(String, f64), BenchError> {
    let mut largest = None;
    let least = NOTHING * reference.global_norm()?;
    for (name, reference) in &reference.0 {
        let missing = || BenchError::Unexpected(format!("there is no gradient of {name}"));
        let found = found.0.get(name).ok_or_else(missing)?;
        let Some(error) = relative_error(&found.dense()?, &reference.dense()?, least)? else { continue };
        if !error.is_finite() {
            return Err(BenchError::Unexpected(format!("the gradient of {name} is not finite")));
        }
        if largest.as_ref().is_none_or(|(_, before)| error > *before) {
            largest = Some((name.clone(), error));
        }
    }
    largest.ok_or_else(|| BenchError::Unexpected("every gradient is zero".to_owned()))
}

/// None where the reference's norm is not above the least.
fn relative_error(found: &Tensor, reference: &Tensor, least: f64) -> Result<Option<f64>, BenchError> {
    let (found, reference) = (flat(found)?, flat(reference)?);
    let (mut off, mut norm) = (0.0, 0.0);
    for (found, reference) in found.into_iter().zip(reference) {
        off += (f64::from(found) - f64::from(reference)).powi(2);
        norm += f64::from(reference).powi(2);
    }
    Ok((norm.sqrt() > least).then(|| (off / norm).sqrt()))
}

fn flat(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn gradients(tensors: &[(&str, [f32; 2])]) -> Gradients {
        let tensor = |values: &[f32; 2]| Tensor::new(values, &Device::Cpu).unwrap();
        Gradients(tensors.iter().map(|(name, values)| ((*name).to_owned(), tensor(values).into())).collect())
    }

    #[test]
    fn the_largest_relative_error_counts_and_zero_has_none() {
        let reference = gradients(&[("a", [3.0, 4.0]), ("b", [0.0, 2.0]), ("zero", [0.0, 0.0])]);
        let found = gradients(&[("a", [3.0, 5.0]), ("b", [0.0, 1.0]), ("zero", [9.0, 0.0])]);
        assert_eq!(largest_error(&found, &reference).unwrap(), ("b".to_owned(), 0.5));
    }

    #[test]
    fn what_can_not_be_compared_is_no_small_error() {
        let reference = gradients(&[("a", [3.0, 4.0])]);
        for (found, reference, told) in [
            (gradients(&[("a", [f32::NAN, 4.0])]), reference.clone(), "a is not finite"),
            (gradients(&[]), reference, "no gradient of a"),
            (gradients(&[("a", [1.0, 0.0])]), gradients(&[("a", [0.0, 0.0])]), "every gradient is zero"),
        ] {
            let error = largest_error(&found, &reference).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
