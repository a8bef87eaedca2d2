//! The learning rate of each step, by the formulas of transformers' `get_scheduler`.

use std::f64::consts::PI;

use crate::spec::{Arguments, Curve, Phases, Scheduler, Warmup};

/// The timescale of an inverse root without warm-up.
const TIMESCALE: u64 = 10_000;

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
        self.peak * self.factor(done)
    }

    fn factor(&self, done: u64) -> f64 {
        if let Scheduler::WarmupStableDecay(phases) = self.kind {
            return phases.factor(done, self.warmup, self.total);
        }
        if done < self.warmup {
            return share(done, self.warmup);
        }
        let progress = share(done - self.warmup, self.total.saturating_sub(self.warmup));
        match self.kind {
            Scheduler::Linear => {
                share(self.total.saturating_sub(done), self.total.saturating_sub(self.warmup))
            }
            Scheduler::Cosine { num_cycles, min_rate } => {
                wave(num_cycles, progress) * (1.0 - min_rate) + min_rate
            }
            Scheduler::CosineWithRestarts { .. } if progress >= 1.0 => 0.0,
            Scheduler::CosineWithRestarts { num_cycles } => wave(0.5, (num_cycles * progress) % 1.0),
            Scheduler::Polynomial { power, end_rate } => {
                (1.0 - end_rate) * (1.0 - progress).max(0.0).powf(power) + end_rate
            }
            Scheduler::InverseSqrt { timescale } => {
                let default = if self.warmup > 0 { self.warmup } else { TIMESCALE };
                let timescale = timescale.unwrap_or(default) as f64;
                1.0 / ((done as f64 + timescale - self.warmup as f64) / timescale).sqrt()
            }
            Scheduler::Constant | Scheduler::WarmupStableDecay(_) => 1.0,
        }
    }
}

impl Phases {
    fn factor(self, done: u64, warmup: u64, total: u64) -> f64 {
        let stable = self.stable_steps.unwrap_or(total.saturating_sub(warmup + self.decay_steps));
        let decaying = warmup + stable;
        let share = if done < warmup {
            self.warmup.rising(share(done, warmup))
        } else if done < decaying {
            return 1.0;
        } else if done < decaying + self.decay_steps {
            self.decay.falling(share(done - decaying, self.decay_steps))
        } else {
            0.0
        };
        share * (1.0 - self.min_rate) + self.min_rate
    }
}

impl Curve {
    fn rising(self, progress: f64) -> f64 {
        match self {
            Self::Linear => progress,
            Self::Cosine { .. } => 0.5 * (1.0 - (PI * progress).cos()),
            Self::OneMinusRoot => 1.0 - (1.0 - progress).sqrt(),
        }
    }

    fn falling(self, progress: f64) -> f64 {
        match self {
            Self::Linear => 1.0 - progress,
            Self::Cosine { num_cycles } => wave(num_cycles, progress),
            Self::OneMinusRoot => 1.0 - progress.sqrt(),
        }
    }
}

fn share(steps: u64, of: u64) -> f64 {
    steps as f64 / of.max(1) as f64
}

/// Waves of a cosine between 1 and 0.
fn wave(num_cycles: f64, progress: f64) -> f64 {
    0.5 * (1.0 + (PI * num_cycles * 2.0 * progress).cos())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;

    const PEAK: f64 = 0.001;
    const PHASES: Phases = Phases {
        warmup: Curve::Linear,
        stable_steps: None,
        decay: Curve::Cosine { num_cycles: 0.5 },
        decay_steps: 4,
        min_rate: 0.0,
    };

    /// The schedules of `tests/golden/make_schedules.py`, by name.
    fn kinds() -> Vec<(&'static str, Scheduler)> {
        let cosine = |num_cycles, min_rate| Scheduler::Cosine { num_cycles, min_rate };
        let polynomial = |power, lr_end: f64| Scheduler::Polynomial { power, end_rate: lr_end / PEAK };
        let linear = Phases {
            warmup: Curve::Cosine { num_cycles: 0.5 },
            stable_steps: Some(2),
            decay: Curve::Linear,
            decay_steps: 3,
            min_rate: 0.1,
        };
        let sqrt = Phases { warmup: Curve::OneMinusRoot, decay: Curve::OneMinusRoot, ..PHASES };
        vec![
            ("linear", Scheduler::Linear),
            ("cosine", cosine(0.5, 0.0)),
            ("cosine_cycles", cosine(1.5, 0.0)),
            ("cosine_with_restarts", Scheduler::CosineWithRestarts { num_cycles: 1.0 }),
            ("cosine_with_restarts_cycles", Scheduler::CosineWithRestarts { num_cycles: 3.0 }),
            ("cosine_with_min_lr", cosine(0.5, 0.1)),
            ("cosine_with_min_lr_rate", cosine(1.0, 0.25)),
            ("polynomial", polynomial(1.0, 1e-7)),
            ("polynomial_square", polynomial(2.0, 2e-4)),
            ("constant_with_warmup", Scheduler::Constant),
            ("inverse_sqrt", Scheduler::InverseSqrt { timescale: None }),
            ("inverse_sqrt_timescale", Scheduler::InverseSqrt { timescale: Some(20) }),
            ("warmup_stable_decay", Scheduler::WarmupStableDecay(PHASES)),
            ("warmup_stable_decay_linear", Scheduler::WarmupStableDecay(linear)),
            ("warmup_stable_decay_sqrt", Scheduler::WarmupStableDecay(sqrt)),
        ]
    }

    #[test]
    fn schedules_are_those_of_transformers() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/schedules.json");
        let json = std::fs::read(path).unwrap();
        let mut golden: BTreeMap<String, Vec<f64>> = serde_json::from_slice(&json).unwrap();
        for (name, kind) in kinds() {
            let schedule = Schedule { peak: PEAK, warmup: 3, total: 10, kind };
            let expected = golden.remove(name).unwrap();
            assert_eq!(expected.len(), 11);
            for (step, expected) in expected.into_iter().enumerate() {
                let rate = schedule.rate(step as u64);
                assert!((rate - expected).abs() < 1e-17, "{name}, step {step}: {rate} instead of {expected}");
            }
        }
        assert!(golden.is_empty(), "{golden:?}");
    }

    #[test]
    fn without_warm_up_the_first_step_has_the_full_rate() {
        for (name, kind) in kinds() {
            assert_eq!(Schedule { peak: 0.5, warmup: 0, total: 4, kind }.rate(0), 0.5, "{name}");
        }
    }

    #[test]
    fn a_decay_longer_than_training_leaves_nothing_stable() {
        let kind = Scheduler::WarmupStableDecay(Phases { decay_steps: 20, ..PHASES });
        let schedule = Schedule { peak: 1.0, warmup: 2, total: 10, kind };
        assert!(schedule.rate(3) < 1.0 && schedule.rate(9) > 0.0);
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
