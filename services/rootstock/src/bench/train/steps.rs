//! Optimizer steps and how long each takes.

use std::time::{Duration, Instant};

use rootstock_kernels::{AdamW, AdamWOptions, StepRates};
use rootstock_model::Batch;

use super::learner::{Learner, Plan};
use crate::bench::BenchError;
use crate::bench::model_dir::ModelDir;
use crate::bench::output::Output;
use crate::bench::percentile::{Times, per_second};

const RATES: StepRates = StepRates { lr: 1e-4, weight_decay: 0.0 };
/// As transformers and the training service have it.
const MAX_GRAD_NORM: f64 = 1.0;
const MS_PER_SECOND: f64 = 1000.0;

/// What the steps told.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// Of every step but the first.
    pub(super) times: Times,
    /// Time of the same steps together.
    took: Duration,
    /// Mean loss of the first step, before anything is learned.
    pub(super) loss_first: f64,
    pub(super) loss_last: f64,
}

impl Measured {
    /// Tokens a second in the median step.
    pub(super) fn per_second(&self, tokens: usize) -> Option<f64> {
        let median = self.times.median_ms()?;
        per_second(tokens, Duration::from_secs_f64(median / MS_PER_SECOND))
    }

    /// Tokens a second in all steps together.
    pub(super) fn per_second_in_all(&self, tokens: usize) -> Option<f64> {
        per_second(tokens, self.took)
    }
}

/// Makes a step that warms up and `steps` that count, on one batch after the other, over and over.
pub(super) fn measure(
    model: &ModelDir,
    plan: &Plan,
    batches: &[Batch],
    steps: usize,
    output: Output,
) -> Result<Measured, BenchError> {
    let learner = Learner::load(model, plan)?;
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let (mut times, mut losses) = (Vec::with_capacity(steps), Vec::with_capacity(steps + 1));
    for step in 0..=steps {
        let begun = Instant::now();
        let batch = &batches[step % batches.len()];
        losses.push(advance(&learner, &mut optimizer, batch, step as u64)?);
        let took = begun.elapsed();
        output.line(&format!("step {step}/{steps}: {:.3} s, loss {:.4}", took.as_secs_f64(), losses[step]));
        if step > 0 {
            times.push(took);
        }
    }
    let took = times.iter().sum();
    Ok(Measured { times: times.into_iter().collect(), took, loss_first: losses[0], loss_last: losses[steps] })
}

/// One optimizer step; returns the mean loss before it.
fn advance(learner: &Learner, optimizer: &mut AdamW, batch: &Batch, step: u64) -> Result<f64, BenchError> {
    let (loss, mut gradients) = learner.gradients(batch, step)?;
    gradients.clip(MAX_GRAD_NORM)?;
    optimizer.step(&learner.variables, &gradients.0, |_| RATES)?;
    Ok(loss.sum / loss.tokens as f64)
}
