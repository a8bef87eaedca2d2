//! The learning rate of each step, as transformers' `get_{linear,cosine,constant}_schedule_with_warmup` give it.

use crate::spec::{Arguments, Scheduler, Warmup};

/// The learning rate as a function of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    peak: f64,
    warmup: u64,
    total: u64,
    kind: Scheduler,
}

impl Schedule {
    pub(crate) fn new(arguments: &Arguments, total: u64) -> Self {
        let warmup = match arguments.warmup {
            Warmup::Steps(steps) => steps,
            Warmup::Ratio(ratio) => (total as f64 * ratio).ceil() as u64,
        };
        Self { peak: arguments.learning_rate, warmup, total, kind: arguments.scheduler }
    }

    /// The rate of the step that is made after `done` steps.
    pub(crate) fn rate(&self, done: u64) -> f64 {
        let (step, warmup, total) = (done as f64, self.warmup as f64, self.total as f64);
        let factor = if done < self.warmup {
            step / warmup.max(1.0)
        } else {
            let rest = (total - warmup).max(1.0);
            match self.kind {
                Scheduler::Linear => ((total - step) / rest).max(0.0),
                Scheduler::Cosine => {
                    let progress = (step - warmup) / rest;
                    (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0)
                }
                Scheduler::Constant => 1.0,
            }
        };
        self.peak * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From transformers 5.23.0: `get_{linear,cosine}_schedule_with_warmup(SGD(lr=0.001), 3, 10)` and
    /// `get_constant_schedule_with_warmup(SGD(lr=0.001), 3)`, `get_last_lr()` before each of the steps.
    const LINEAR: [f64; 11] = [
        0.0,
        0.0003333333333333333,
        0.0006666666666666666,
        0.001,
        0.0008571428571428571,
        0.0007142857142857143,
        0.0005714285714285714,
        0.00042857142857142855,
        0.0002857142857142857,
        0.00014285714285714284,
        0.0,
    ];
    const COSINE: [f64; 11] = [
        0.0,
        0.0003333333333333333,
        0.0006666666666666666,
        0.001,
        0.0009504844339512095,
        0.0008117449009293668,
        0.0006112604669781572,
        0.00038873953302184284,
        0.00018825509907063325,
        4.9515566048790485e-05,
        0.0,
    ];
    const CONSTANT: [f64; 6] = [0.0, 0.0003333333333333333, 0.0006666666666666666, 0.001, 0.001, 0.001];

    fn assert_follows(kind: Scheduler, expected: &[f64]) {
        let schedule = Schedule { peak: 0.001, warmup: 3, total: 10, kind };
        for (step, expected) in expected.iter().enumerate() {
            let rate = schedule.rate(step as u64);
            assert!((rate - expected).abs() < 1e-18, "{kind:?} step {step}: {rate} instead of {expected}");
        }
    }

    #[test]
    fn schedules_are_those_of_transformers() {
        assert_follows(Scheduler::Linear, &LINEAR);
        assert_follows(Scheduler::Cosine, &COSINE);
        assert_follows(Scheduler::Constant, &CONSTANT);
    }

    #[test]
    fn without_warm_up_the_first_step_has_the_full_rate() {
        for kind in [Scheduler::Linear, Scheduler::Cosine, Scheduler::Constant] {
            assert_eq!(Schedule { peak: 0.5, warmup: 0, total: 4, kind }.rate(0), 0.5);
        }
    }

    #[test]
    fn a_warm_up_ratio_is_rounded_up_and_yields_to_steps() {
        let mut arguments = crate::convert::tests::arguments();
        arguments.warmup = Warmup::Ratio(0.1);
        assert_eq!(Schedule::new(&arguments, 11).warmup, 2);
        arguments.warmup = Warmup::Steps(5);
        assert_eq!(Schedule::new(&arguments, 11).warmup, 5);
    }
}
