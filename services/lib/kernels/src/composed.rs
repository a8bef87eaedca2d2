//! Ops written in candle's own operations: what devices without a fused kernel use, and how the CPU is made to use it too.

use std::cell::Cell;

use candle_core::{Device, Result, Tensor, Var, bail};

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with every op that this thread calls composed of candle's operations, on the CPU as on devices without kernels: so that
/// tests and checks on any machine see what such devices compute. What is made inside (weights, caches) stays as such devices have it.
pub fn with_composed<T>(work: impl FnOnce() -> T) -> T {
    /// Puts the choice back, also when `work` panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _restore = Restore(ALONE.replace(true));
    work()
}

/// Whether ops on this device are kernels of this crate.
pub(crate) fn has_kernels(device: &Device) -> bool {
    device.is_cpu() && !ALONE.get()
}

/// Refuses the operands of an op that lie on different devices.
pub(crate) fn check_devices(op: &str, x: &Device, weight: &Device) -> Result<()> {
    if !x.same_device(weight) {
        let (x, weight) = (x.location(), weight.location());
        bail!(
            "{op}: the input lies on {x:?} and the weight on {weight:?}; move one of them or load the model there"
        );
    }
    Ok(())
}

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

    #[test]
    fn the_choice_holds_inside_alone_also_when_the_work_panics() {
        let cpu = || has_kernels(&Device::Cpu);
        assert!(cpu() && !with_composed(|| with_composed(cpu)) && cpu());
        std::panic::catch_unwind(|| with_composed(|| panic!("of the work"))).unwrap_err();
        assert!(cpu());
    }
}
