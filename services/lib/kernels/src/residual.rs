//! The addition of a block's output to the residual stream, on all threads.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::{
    composed::has_kernels,
    cpu::{new_rows, slice},
};

/// `x + y` for two f32 tensors of one shape. Differentiable in both.
///
/// # Errors
/// When the shapes differ or the tensors are not f32.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if has_kernels(x.device()) { x.contiguous()?.apply_op2(&y.contiguous()?, Add) } else { x + y }
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "residual_add"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.shape() != l2.shape() {
            bail!("add: {:?} and {:?} differ", l1.shape(), l2.shape());
        }
        let (x, y) = (slice(s1, l1)?, slice(s2, l2)?);
        // SAFETY: the three have one length, so each number is set.
        let sum = unsafe {
            new_rows(x.len(), 1, |first, part| {
                let range = first..first + part.len();
                for ((sum, x), y) in part.iter_mut().zip(&x[range.clone()]).zip(&y[range]) {
                    sum.write(x + y);
                }
            })
        };
        Ok((CpuStorage::F32(sum), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(dy.clone()), Some(dy.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{normal, same_values_and_gradients, variable};

    #[test]
    fn values_and_gradients_agree_with_candle() {
        for shape in [(1, 1), (3, 7), (200, 129)] {
            let inputs = [variable(1, shape), variable(2, shape)];
            same_values_and_gradients(&inputs, |t| add(&t[0], &t[1]), |t| &t[0] + &t[1]);
        }
    }

    #[test]
    fn empty_tensors_add_up_and_differing_shapes_are_refused() {
        let empty = normal(1, (0, 3));
        assert_eq!(add(&empty, &empty).unwrap().dims(), &[0, 3]);
        assert!(add(&normal(1, (2, 3)), &normal(1, (3, 2))).is_err());
    }
}
