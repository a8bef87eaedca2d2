//! Gradients of an operation written in candle's own: what devices without a fused kernel use.

use candle_core::{Result, Tensor, Var};

/// The gradients of `f(inputs)` for the output gradient `dy`, one per input, by candle's tape.
pub(crate) fn gradients(
    inputs: &[&Tensor],
    dy: &Tensor,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let vars: Vec<Var> = inputs.iter().map(|x| Var::from_tensor(&x.detach())).collect::<Result<_>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let gradients = (f(&tensors)? * dy)?.sum_all()?.backward()?;
    vars.iter().map(|var| gradients.get(var).map_or_else(|| var.zeros_like(), |g| Ok(g.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal};

    #[test]
    fn each_input_gets_its_own_gradient_and_an_unused_one_gets_zeros() {
        let (a, b, unused, dy) = (normal(1, 5), normal(2, 5), normal(3, 4), normal(4, 5));
        let found = gradients(&[&a, &b, &unused], &dy, |t| &t[0] * &t[1]).unwrap();
        assert_close(&found[0], &(&b * &dy).unwrap(), 1e-6);
        assert_close(&found[1], &(&a * &dy).unwrap(), 1e-6);
        assert_close(&found[2], &unused.zeros_like().unwrap(), 0.0);
    }
}
