//! What training measures beside its steps: the held-out loss, and what is left of earlier data.

use std::{sync::Arc, time::Instant};

use rootstock_model::LossSum;
use rootstock_proto::training::v1::{self as proto, TrainingPhase, training_event::Event};

use super::{Outside, Training, cut_or};
use crate::worker::{
    fault::{Fault, of_job},
    rows::Rows,
};

impl<O: Outside> Training<O> {
    /// Measures the held-out loss, where there is something held out.
    pub(super) fn validate(&mut self) -> Result<(), Fault> {
        let rows = Arc::clone(&self.stage().validation);
        if rows.len() == 0 {
            self.validated = true;
            return Ok(());
        }
        self.begin(TrainingPhase::Validating)?;
        let began = Instant::now();
        let loss = self.mean_loss(&rows)?;
        let verdict = self.patience.take_in(self.step, loss, self.arguments().early_stopping);
        if verdict.best && self.arguments().early_stopping.is_some() {
            let weights = self.learner.weights();
            self.best =
                Some(weights.map_err(|error| Fault::passing("the best weights can't be kept", error))?);
        }
        // Patience is for training: before it there was none yet.
        self.stopped = verdict.stop && self.done() > 0;
        self.validated = true;
        let evaluated =
            proto::TrainingEvaluated { step: self.step as i64, eval_loss: loss, best: verdict.best };
        self.outside.event(Event::Evaluated(evaluated))?;
        self.meter.pause(began.elapsed());
        self.begin(TrainingPhase::Training)
    }

    /// Measures what is left of earlier data with the weights that the result is made of.
    pub(super) fn look_back(&mut self) -> Result<(), Fault> {
        let Some(retention) = &self.retention else { return Ok(()) };
        self.begin(TrainingPhase::Validating)?;
        let failed = |error| Fault::passing("the last weights can't be kept", error);
        let last = self.best.is_some().then(|| self.learner.weights()).transpose().map_err(failed)?;
        self.best.iter().try_for_each(|best| self.learner.set_weights(best))?;
        let after = self.mean_loss(&retention.rows);
        last.iter().try_for_each(|last| self.learner.set_weights(last))?;
        self.left = Some(retention.left(after?)?);
        Ok(())
    }

    pub(super) fn mean_loss(&self, rows: &Rows) -> Result<f64, Fault> {
        let failed = of_job(format!("validation after step {}", self.step));
        let mut sum = LossSum::default();
        let numbers: Vec<usize> = (0..rows.len()).collect();
        for numbers in numbers.chunks(self.arguments().batch_size) {
            self.outside.check()?;
            let examples: Vec<_> = numbers.iter().map(|row| rows.example(*row)).collect();
            let loss = self.learner.evaluate(&examples);
            let loss = loss.map_err(|error| cut_or(&self.outside, &failed, error))?;
            sum.sum += loss.sum;
            sum.tokens += loss.tokens;
        }
        let loss = sum.sum / sum.tokens.max(1) as f64;
        if loss.is_finite() {
            return Ok(loss);
        }
        Err(Fault::NotFinite(format!("validation after step {}: the loss is {loss}", self.step)))
    }
}
