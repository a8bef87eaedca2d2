//! Early stopping: which validation was best, and whether it is worth going on.

use serde::{Deserialize, Serialize};

use crate::spec::EarlyStopping;

/// What the validations so far have shown. As in transformers, the best state is the one with the lowest loss, and
/// patience is lost whenever the loss isn't lower than the best by more than the threshold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Patience {
    best_step: Option<u64>,
    /// The lowest loss as the bits of an f64: a saved state must read back exactly.
    best_loss_bits: u64,
    without_improvement: u32,
}

/// What one validation has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) best: bool,
    pub(crate) stop: bool,
}

impl Patience {
    /// Takes in a validation. Without `rule` it only tells whether it is the best.
    pub(crate) fn take_in(&mut self, step: u64, loss: f64, rule: Option<EarlyStopping>) -> Verdict {
        let before = self.best();
        let threshold = rule.map_or(0.0, |rule| rule.threshold);
        let improved = before.is_none_or(|(_, best)| best - loss > threshold);
        let best = before.is_none_or(|(_, best)| loss < best);
        if best {
            self.best_step = Some(step);
            self.best_loss_bits = loss.to_bits();
        }
        self.without_improvement = if improved { 0 } else { self.without_improvement.saturating_add(1) };
        let stop = rule.is_some_and(|rule| self.without_improvement >= rule.patience);
        Verdict { best, stop }
    }

    /// Step and loss of the best validation.
    pub(crate) fn best(&self) -> Option<(u64, f64)> {
        self.best_step.map(|step| (step, f64::from_bits(self.best_loss_bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: EarlyStopping = EarlyStopping { patience: 2, threshold: 0.1 };

    fn verdicts(losses: &[f64]) -> Vec<(bool, bool)> {
        let mut patience = Patience::default();
        let take = |(step, loss): (usize, &f64)| {
            let verdict = patience.take_in(step as u64, *loss, Some(RULE));
            (verdict.best, verdict.stop)
        };
        losses.iter().enumerate().map(take).collect()
    }

    #[test]
    fn training_stops_after_validations_without_improvement() {
        let seen = verdicts(&[2.0, 1.0, 1.2, 1.1]);
        assert_eq!(seen, [(true, false), (true, false), (false, false), (false, true)]);
    }

    #[test]
    fn improvement_gives_new_patience() {
        let seen = verdicts(&[2.0, 2.1, 1.0, 1.1, 0.5]);
        assert!(seen.iter().all(|(_, stop)| !stop), "{seen:?}");
    }

    #[test]
    fn a_little_better_is_best_but_no_improvement() {
        assert_eq!(verdicts(&[2.0, 1.95, 1.9]), [(true, false), (true, false), (true, true)]);
    }

    #[test]
    fn it_reads_back_bit_for_bit() {
        let mut patience = Patience::default();
        patience.take_in(3, 0.1 + 0.2, Some(RULE));
        let json = serde_json::to_string(&patience).unwrap();
        let read: Patience = serde_json::from_str(&json).unwrap();
        assert_eq!(read, patience);
        assert_eq!(read.best(), Some((3, 0.1 + 0.2)));
    }
}
