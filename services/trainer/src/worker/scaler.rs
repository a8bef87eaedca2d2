//! Dynamic loss scaling for products in f16 (Micikevicius et al., 2018, "Mixed Precision Training"), as `torch.amp.GradScaler` does it:
//! gradients are computed of the loss times a power of two, so that small ones have a place in f16, and divided by it again.

use serde::{Deserialize, Serialize};

const INIT_SCALE: f64 = 65_536.0;
const GROWTH_FACTOR: f64 = 2.0;
const BACKOFF_FACTOR: f64 = 0.5;
/// Steps in a row after which a larger scale is tried.
const GROWTH_INTERVAL: u64 = 2000;
/// The largest scale: a gradient that needs more is as good as none, and f32 still has room above.
const MAX_SCALE: f64 = (1_u64 << 32) as f64;
/// Gradients that are not finite below this scale are not so because of it, and the job ends; torch would skip steps for ever.
const MIN_SCALE: f64 = 1.0 / 16_384.0;

/// The scale of the next step's loss, and how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LossScaler {
    scale: f64,
    /// Steps made since the scale last changed.
    growth_tracker: u64,
    skipped_steps: u64,
}

impl Default for LossScaler {
    fn default() -> Self {
        Self { scale: INIT_SCALE, growth_tracker: 0, skipped_steps: 0 }
    }
}

impl LossScaler {
    #[cfg(test)]
    pub(in crate::worker) fn beginning_at(scale: f64) -> Self {
        Self { scale, ..Self::default() }
    }

    /// What the next step's loss is multiplied by.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// Steps whose gradients were not finite, and that changed no weight.
    pub(super) fn skipped_steps(&self) -> u64 {
        self.skipped_steps
    }

    /// A step was made.
    pub(super) fn succeed(&mut self) {
        self.growth_tracker += 1;
        if self.growth_tracker == GROWTH_INTERVAL {
            self.scale = (self.scale * GROWTH_FACTOR).min(MAX_SCALE);
            self.growth_tracker = 0;
        }
    }

    /// A step must be skipped because its gradients are not finite; false when a smaller scale would not help.
    pub(super) fn back_off(&mut self) -> bool {
        self.scale *= BACKOFF_FACTOR;
        self.growth_tracker = 0;
        self.skipped_steps += 1;
        self.scale >= MIN_SCALE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_the_scale_at_an_overflow_and_doubles_it_after_2000_steps_without() {
        let mut scaler = LossScaler::default();
        assert!(scaler.back_off() && scaler.back_off());
        assert_eq!((scaler.scale(), scaler.skipped_steps()), (16_384.0, 2));
        (0..1999).for_each(|_| scaler.succeed());
        assert_eq!(scaler.scale(), 16_384.0);
        scaler.succeed();
        assert_eq!(scaler.scale(), 32_768.0);
        (0..1999).for_each(|_| scaler.succeed());
        assert!(scaler.back_off());
        scaler.succeed();
        assert_eq!(scaler.scale(), 16_384.0, "an overflow begins the count anew");
    }

    #[test]
    fn it_gives_up_where_no_scale_makes_gradients_finite_and_grows_no_further_than_there_is_room() {
        let mut scaler = LossScaler::default();
        assert_eq!((1..).find(|_| !scaler.back_off()), Some(31));
        let mut scaler = LossScaler::default();
        (0..40 * GROWTH_INTERVAL).for_each(|_| scaler.succeed());
        assert_eq!(scaler.scale(), MAX_SCALE);
    }
}
