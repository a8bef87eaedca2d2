//! What is left of earlier data: its loss before training over that of the result, and the end of a job that forgets more than it may.

use super::{fault::Fault, rows::Rows};

/// Earlier data, and how well it was known and must be in the end.
pub(super) struct Retention {
    pub(super) rows: Rows,
    pub(super) min_ratio: f64,
    /// The mean loss before the first step.
    pub(super) before: f64,
}

impl Retention {
    /// What is left when the mean loss has come to this.
    pub(super) fn left(&self, after: f64) -> Result<f64, Fault> {
        let (before, min_ratio) = (self.before, self.min_ratio);
        let left = before / after.max(f64::MIN_POSITIVE);
        if left >= min_ratio {
            return Ok(left);
        }
        Err(Fault::Job(format!(
            "RETENTION: spec.retention: the loss on earlier data went from {before:.4} to {after:.4}, so {left:.3} is left, \
             less than min_ratio = {min_ratio}; replay earlier data, hold weights with ewc, or train an adapter"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_doubles_leaves_half_and_too_little_says_what_to_do() {
        let retention = Retention { rows: Rows::Causal(vec![]), min_ratio: 0.4, before: 1.5 };
        assert_eq!(retention.left(3.0).unwrap(), 0.5);
        assert_eq!(retention.left(0.75).unwrap(), 2.0);
        let Err(Fault::Job(message)) = retention.left(5.0) else { panic!("not refused") };
        assert!(message.contains("1.5000 to 5.0000") && message.contains("0.300 is left"), "{message}");
    }
}
