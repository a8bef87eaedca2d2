//! How fast training goes, how long it will take and how much memory it has: the only part of it that asks the machine.

use std::time::{Duration, Instant};

use rootstock_model::LossSum;
use rootstock_proto::training::v1::TrainingProgress;

/// How much the newest window counts in the estimate of the time to go.
const SMOOTHING: f64 = 0.3;

/// Sums up the steps since the last log event.
#[derive(Debug)]
pub(crate) struct Meter {
    loss: LossSum,
    tokens: u64,
    steps: u64,
    since: Instant,
    seconds_per_step: Option<f64>,
}

/// One optimizer step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepDone {
    /// Steps done, this one included.
    pub(crate) step: u64,
    pub(crate) loss: LossSum,
    /// Tokens computed, without padding.
    pub(crate) tokens: u64,
    pub(crate) learning_rate: f64,
    /// Before clipping.
    pub(crate) grad_norm: f64,
}

impl Default for Meter {
    fn default() -> Self {
        let loss = LossSum::default();
        Self { loss, tokens: 0, steps: 0, since: Instant::now(), seconds_per_step: None }
    }
}

impl Meter {
    /// Counts a step.
    pub(crate) fn count(&mut self, done: &StepDone) {
        self.loss.sum += done.loss.sum;
        self.loss.tokens += done.loss.tokens;
        self.tokens += done.tokens;
        self.steps += 1;
    }

    /// Time that wasn't spent on training.
    pub(crate) fn pause(&mut self, time: Duration) {
        self.since += time;
    }

    /// Tells of the steps since the last time, of which `last` was the last, of so many in all and after so many passes.
    pub(crate) fn read(&mut self, last: &StepDone, (total_steps, epoch): (u64, f64)) -> TrainingProgress {
        let seconds = self.since.elapsed().as_secs_f64().max(1e-9);
        let now = seconds / self.steps.max(1) as f64;
        let smooth = self.seconds_per_step.map_or(now, |before| before + SMOOTHING * (now - before));
        let progress = TrainingProgress {
            step: last.step as i64,
            total_steps: total_steps as i64,
            epoch,
            loss: self.loss.sum / self.loss.tokens.max(1) as f64,
            eval_loss: None,
            learning_rate: last.learning_rate,
            grad_norm: last.grad_norm,
            tokens_per_second: self.tokens as f64 / seconds,
            skipped_steps: 0,
            loss_scale: 0.0,
            eta_seconds: smooth * total_steps.saturating_sub(last.step) as f64,
            resident_bytes: resident().unwrap_or_default(),
            stage: 0,
        };
        *self = Self { seconds_per_step: Some(smooth), ..Self::default() };
        progress
    }
}

/// Bytes of this process that are in memory, where Linux tells.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_a_mean_per_token_since_the_last_reading() {
        let (mut meter, of) = (Meter::default(), (6, 0.5));
        let step = |step, sum, tokens| StepDone {
            step,
            loss: LossSum { sum, tokens },
            tokens: 100,
            learning_rate: 0.1,
            grad_norm: 2.0,
        };
        meter.count(&step(1, 30.0, 10));
        meter.count(&step(2, 10.0, 30));
        let progress = meter.read(&step(2, 10.0, 30), of);
        assert_eq!((progress.step, progress.loss, progress.grad_norm), (2, 1.0, 2.0));
        assert_eq!((progress.total_steps, progress.epoch), (6, 0.5));
        assert!(progress.tokens_per_second > 0.0 && progress.eta_seconds > 0.0);
        assert!(progress.resident_bytes > 1 << 20, "{progress:?}");
        meter.count(&step(3, 5.0, 10));
        assert_eq!(meter.read(&step(3, 5.0, 10), of).loss, 0.5);
    }
}
