//! DoRA in training (Liu et al., 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation"; PEFT's `DoraLinearLayer`): outputs are rescaled to
//! learned magnitudes by the norms of the weight as it is now, which the backward pass takes as constants (section 4.3 of the paper).

use candle_core::{Result, Tensor, bail};

use super::{LoraPair, lora_backward, lora_linear, lora_norms};
use crate::{
    DropoutMask, LinearWeight, bias_gradient,
    composed::has_kernels,
    cpu::{floats, for_rows, rows_and_width, tensor},
    dropout::dropout,
    linear::{InputGradient, LinearInput, linear},
    residual::add,
};

/// A low-rank update in training, and what the outputs are rescaled to.
#[derive(Clone, Copy, Debug)]
pub struct DoraPair<'a> {
    /// The update.
    pub pair: &'a LoraPair,
    /// The magnitudes of the outputs, [out] f32.
    pub magnitude: &'a Tensor,
}

/// The gradients of a [`DoraPair`].
#[derive(Clone, Debug)]
pub struct DoraGradients {
    /// Of A, [r, in].
    pub a: Tensor,
    /// Of B, [out, r].
    pub b: Tensor,
    /// Of the magnitudes, [out].
    pub magnitude: Tensor,
}

impl DoraPair<'_> {
    /// The norms of the rows of `W + scale * B A`, and the magnitudes over them, [out] each.
    fn norms_and_factors(&self, w: &LinearWeight) -> Result<(Vec<f32>, Vec<f32>)> {
        let norms = lora_norms(w, self.pair)?;
        let magnitudes = self.magnitude.to_vec1::<f32>()?;
        if magnitudes.len() != norms.len() {
            bail!("dora: {} magnitudes for {} outputs", magnitudes.len(), norms.len());
        }
        let factors = magnitudes.iter().zip(&norms).map(|(magnitude, norm)| magnitude / norm).collect();
        Ok((norms, factors))
    }
}

/// `f * (x W^T + scale * (x A^T) B^T)` for `x` [.., in] f32 and a frozen weight [out, in], giving [.., out] f32; `f` are the magnitudes
/// over the norms of the rows of `W + scale * B A`. With dropout, as in PEFT, what is changed is computed from what is left of `x`,
/// and the base's own output from all of it. No tape follows.
///
/// # Errors
/// When shapes or dtypes don't fit.
pub fn dora_linear(
    x: &LinearInput,
    w: &LinearWeight,
    dora: DoraPair<'_>,
    mask: Option<DropoutMask>,
) -> Result<Tensor> {
    let (_, factors) = dora.norms_and_factors(w)?;
    let updated = |x: &LinearInput| scaled(&lora_linear(x, w, Some(dora.pair), None)?, &factors);
    let Some(mask) = mask else { return updated(x) };
    let left = LinearInput::from(&dropout(x.tensor(), mask)?);
    let change = (updated(&left)? - linear(&left, w)?)?;
    add(&linear(x, w)?, &change)
}

/// Gradients of [`dora_linear`] for the output gradient `dy` [.., out]: those of the pair are returned, that of `x` is added to `dx`,
/// through the base's weight too. What the magnitudes scaled is computed again rather than kept.
///
/// # Errors
/// When the shapes don't fit.
pub fn dora_backward(
    x: &Tensor,
    w: &LinearWeight,
    dora: DoraPair<'_>,
    mask: Option<DropoutMask>,
    dy: &Tensor,
    dx: &mut InputGradient,
) -> Result<DoraGradients> {
    let (norms, factors) = dora.norms_and_factors(w)?;
    let dz = scaled(dy, &factors)?; // [.., out]
    let (left, (a, b)) = match mask {
        None => {
            dx.add_linear(&(&dz).into(), w)?;
            (x.clone(), lora_backward(x, dora.pair, None, &dz, dx)?)
        }
        Some(mask) => {
            let (left, mut through) = (dropout(x, mask)?, InputGradient::new(x));
            dx.add_linear(&dy.into(), w)?;
            through.add_linear(&(&(&dz - dy)?).into(), w)?;
            let halves = lora_backward(&left, dora.pair, None, &dz, &mut through)?;
            dx.add_made(&dropout(&through.finish()?, mask)?)?;
            (left, halves)
        }
    };
    let updated = lora_linear(&LinearInput::from(&left), w, Some(dora.pair), None)?;
    let per_norm: Vec<f32> = norms.iter().map(|norm| 1.0 / norm).collect();
    let magnitude = scaled(&bias_gradient(&(dy * updated)?)?, &per_norm)?;
    Ok(DoraGradients { a, b, magnitude })
}

/// Rows `x` [.., out] with each column times its factor.
fn scaled(x: &Tensor, factors: &[f32]) -> Result<Tensor> {
    if !has_kernels(x.device()) {
        return x.broadcast_mul(&Tensor::new(factors, x.device())?);
    }
    let (_, width) = rows_and_width(x.shape())?;
    let contiguous = x.contiguous()?;
    let mut numbers = floats(&contiguous)?.to_vec();
    for_rows(&mut numbers, width, |_, part| {
        for row in part.chunks_exact_mut(factors.len()) {
            row.iter_mut().zip(factors).for_each(|(number, factor)| *number *= factor);
        }
    });
    tensor(numbers, x.shape())
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Var};

    use super::*;
    use crate::{
        DropoutKey,
        testing::{assert_close, normal, variable},
    };

    fn plain(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        crate::linear::plain(x, &weight.clone().into())
    }

    /// PEFT's `DoraLinearVariant.forward` in candle's operations, the norms as constants.
    fn by_definition(
        [x, a, b, magnitude]: [&Tensor; 4],
        w: &Tensor,
        mask: Option<DropoutMask>,
    ) -> Result<Tensor> {
        let norms = (w + (b.matmul(a)? * 0.7)?)?.sqr()?.sum(D::Minus1)?.sqrt()?.detach();
        let factors = (magnitude / norms)?;
        let left = mask.map_or(Ok(x.clone()), |mask| dropout(x, mask))?;
        let (base, low) = (plain(&left, w)?, (plain(&plain(&left, a)?, b)? * 0.7)?);
        let ones = factors.ones_like()?;
        let change = base.broadcast_mul(&(&factors - ones)?)? + low.broadcast_mul(&factors)?;
        plain(x, w)? + change
    }

    #[test]
    fn values_and_gradients_agree_with_the_definition_with_and_without_dropout() {
        for (rows, inputs, outputs, rank) in [(1, 3, 5, 1), (7, 33, 9, 4), (150, 65, 130, 8)] {
            for mask in [None, Some(DropoutKey::default().mask(3, 0.4))] {
                let (w, dy) = (normal(9, (outputs, inputs)), normal(8, (rows, outputs)));
                let variables =
                    [(rows, inputs), (rank, inputs), (outputs, rank)].map(|shape| variable(1, shape));
                let [x, a, b] = variables.each_ref().map(Var::as_tensor);
                let magnitude = variable(4, outputs);
                let expected = by_definition([x, a, b, magnitude.as_tensor()], &w, mask).unwrap();
                let by_tape = (&expected * &dy).unwrap().sum_all().unwrap().backward().unwrap();

                let half = |half: &Tensor| LinearWeight::from(half.detach());
                let pair = LoraPair { a: half(a), b: half(b), scale: 0.7, dropout: 0.0 };
                let dora = DoraPair { pair: &pair, magnitude: &magnitude.as_detached_tensor() };
                let (weight, x) = (LinearWeight::frozen(&w).unwrap(), x.detach());
                let found = dora_linear(&LinearInput::from(&x), &weight, dora, mask).unwrap();
                assert_close(&found, &expected, 2e-5);
                let mut dx = InputGradient::new(&x);
                let gradients = dora_backward(&x, &weight, dora, mask, &dy, &mut dx).unwrap();
                let found = [dx.finish().unwrap(), gradients.a, gradients.b];
                for (found, variable) in found.iter().zip(&variables) {
                    assert_close(found, by_tape.get(variable).unwrap(), 5e-5);
                }
                assert_close(&gradients.magnitude, by_tape.get(&magnitude).unwrap(), 5e-5);
            }
        }
    }

    #[test]
    fn magnitudes_of_another_width_are_refused() {
        let (w, x) = (LinearWeight::from(normal(1, (5, 4))), normal(2, (3, 4)));
        let (a, b) = (normal(3, (2, 4)).into(), normal(4, (5, 2)).into());
        let pair = LoraPair { a, b, scale: 1.0, dropout: 0.0 };
        let dora = DoraPair { pair: &pair, magnitude: &normal(5, 4) };
        let refused = dora_linear(&LinearInput::from(&x), &w, dora, None).unwrap_err().to_string();
        assert!(refused.contains("4 magnitudes for 5 outputs"), "{refused}");
    }
}
