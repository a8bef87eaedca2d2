//! The training loop, on a thread of its own: steps, log events, validations, saved states, and when to end.

mod finished;
mod outside;
mod turn;
mod validate;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use candle_core::Var;
use rootstock_kernels::{AdafactorOptions, ElasticPenalty, Optimizer, Rule};
use rootstock_model::ModelError;
use rootstock_proto::training::v1::{self as proto, TrainingPhase, training_event::Event};

use super::{
    chain::Chain,
    fault::{Fault, of_job},
    fisher::measure,
    groups::Groups,
    learner::{StepGradients, Tensors},
    meter::{Meter, StepDone},
    patience::Patience,
    prepare::Prepared,
    retention::Retention,
    scaler::LossScaler,
    snapshot::{Saved, TrainerState},
    stage::{Place, Stage},
    stop::Ended,
    trainee::Trainee,
};
use crate::spec::{Arguments, Method, Optim, Spec, WeightDtype};

pub(super) use finished::Finished;
pub(super) use outside::{Outside, on_thread};

use finished::{Stepper, Unsaved, is_finite, snapshot};

/// Trains, or measures, as the method says.
pub(super) fn make(prepared: Prepared, outside: impl Outside) -> Result<Finished, Fault> {
    match prepared.spec.method {
        Method::Fisher(how) => measure(prepared, how, &outside),
        _ => Training::new(prepared, outside).and_then(Training::run),
    }
}

/// What ended a model's work: somebody who wants it to stop, or the model.
pub(super) fn cut_or(
    outside: &impl Outside,
    failed: impl Fn(&dyn std::fmt::Display) -> Fault,
    error: ModelError,
) -> Fault {
    match (error, outside.check()) {
        (ModelError::Interrupted, Err(stopped)) => stopped,
        (ModelError::Interrupted, Ok(())) => Fault::Passing("interrupted by nobody".to_owned()),
        (error, _) => failed(&error),
    }
}

/// A run, between two steps.
pub(super) struct Training<O> {
    spec: Arc<Spec>,
    spec_digest: String,
    learner: Trainee,
    stages: Vec<Stage>,
    place: Place,
    optimizer: Stepper,
    /// Steps that the optimizer had made for earlier jobs.
    carried: u64,
    /// After how many of its steps the optimizer made a weight's first, where it wasn't after none.
    begun: BTreeMap<String, u64>,
    groups: Groups,
    elastic: Option<ElasticPenalty>,
    retention: Option<Retention>,
    /// What is left of earlier data, once that is known.
    left: Option<f64>,
    /// Where products are made in f16.
    scaler: Option<LossScaler>,
    meter: Meter,
    patience: Patience,
    in_f32: bool,
    /// The best weights, where the result shall be made of them.
    best: Option<Tensors>,
    /// Steps done.
    step: u64,
    /// Steps in the newest state that was given to be saved.
    kept: u64,
    chain: Chain,
    /// Whether the weights as they are have been validated.
    validated: bool,
    /// Whether patience has run out.
    stopped: bool,
    outside: O,
}

impl<O: Outside> Training<O> {
    pub(super) fn new(prepared: Prepared, outside: O) -> Result<Self, Fault> {
        let Prepared {
            spec,
            spec_digest,
            learner,
            elastic,
            stages,
            replayed,
            earlier,
            resume,
            before,
            in_f32,
        } = prepared;
        let arguments = &spec.arguments;
        let stages = stages.into_iter().enumerate();
        let stages =
            stages.map(|(number, data)| Stage::new((&spec, number), data, &learner, replayed.as_ref()));
        let mut training = Self {
            stages: stages.collect(),
            place: Place::default(),
            optimizer: Optimizer::new(rule(arguments.optim)),
            carried: 0,
            begun: BTreeMap::new(),
            groups: Groups::new(&learner, arguments),
            elastic,
            retention: None,
            left: None,
            scaler: (arguments.weight_dtype == WeightDtype::F16).then(LossScaler::default),
            spec,
            spec_digest,
            learner,
            meter: Meter::default(),
            patience: Patience::default(),
            in_f32,
            best: None,
            step: 0,
            kept: 0,
            chain: Chain::default(),
            validated: false,
            stopped: false,
            outside,
        };
        training.count_from_here(&BTreeMap::new());
        if let Some(rows) = earlier {
            let before = training.mean_loss(&rows)?;
            let min_ratio = training.spec.retention.as_ref().map_or(0.0, |retention| retention.min_ratio);
            training.retention = Some(Retention { rows, min_ratio, before });
        }
        match (resume, before) {
            (Some(saved), _) => training.restore(saved)?,
            (None, Some(before)) => training.go_on(before)?,
            (None, None) => {}
        }
        Ok(training)
    }

    fn restore(&mut self, saved: Saved) -> Result<(), Fault> {
        self.learner.set_weights(&saved.weights)?;
        self.step = saved.state.step;
        self.scaler = saved.state.scaler;
        self.carried = saved.state.carried;
        let steps = self.carried + self.updates();
        let restored = self.optimizer.restore(steps, self.learner.variables(), &saved.moments);
        restored.map_err(|error| of_job("the saved moments don't fit")(&error))?;
        self.place = saved.state.place;
        if let Some(begun) = saved.state.begun {
            self.begun = begun;
        }
        self.best = saved.best;
        self.patience = saved.state.patience;
        self.kept = saved.state.step;
        self.chain = saved.state.chain;
        self.validated = saved.state.validated;
        self.stopped = saved.state.stopped;
        Ok(())
    }

    /// Trains to the end, or to where it shall rest: then the state after the last whole step is saved.
    pub(super) fn run(mut self) -> Result<Finished, Fault> {
        match self.train() {
            Ok(()) => self.finish(),
            Err(Fault::Stop(Ended::Paused)) => {
                if self.kept < self.step {
                    self.save()?;
                }
                self.outside.settle()?;
                Err(Fault::Stop(Ended::Paused))
            }
            Err(fault) => Err(fault),
        }
    }

    fn train(&mut self) -> Result<(), Fault> {
        self.begin(TrainingPhase::Training)?;
        if self.step == 0 {
            self.tell_stage()?;
        }
        if self.wants_validation() && !self.validated {
            // The first one, or a pause came between a step and its validation.
            self.end_step()?;
        }
        while !self.is_over() {
            self.outside.check()?;
            let done = self.make_step()?;
            self.log(&done)?;
            self.end_step()?;
        }
        if !self.validated {
            self.validate()?;
        }
        if self.kept < self.step && self.arguments().save_steps.is_some() {
            self.save()?;
        }
        self.look_back()?;
        self.begin(TrainingPhase::Saving)?;
        self.outside.settle()
    }

    /// Does what is due after a step.
    fn end_step(&mut self) -> Result<(), Fault> {
        if self.wants_validation() {
            self.validate()?;
        }
        self.turn()?;
        if self.step > 0 {
            self.save_if_due()?;
        }
        Ok(())
    }

    /// Tells what is done now.
    fn begin(&self, phase: TrainingPhase) -> Result<(), Fault> {
        self.outside.event(Event::PhaseChange(proto::TrainingPhaseChange { phase: phase.into() }))
    }

    fn make_step(&mut self) -> Result<StepDone, Fault> {
        let done = self.done();
        let rows = self.stages[self.place.stage].rows(done);
        let batches = self.stage().batches(&rows);
        let tokens = batches.iter().flatten().map(|example| example.input_ids.len() as u64).sum();
        let failed = of_job(format!("step {}", self.step + 1));
        let scaler = self.scaler.filter(|_| !self.in_f32);
        let (trained, loss_scale) = (self.trained(), scaler.map_or(1.0, |scaler| scaler.scale()));
        let made = self.learner.step(&trained, &batches, self.stage().regularization(done), loss_scale);
        let mut made = made.map_err(|error| cut_or(&self.outside, &failed, error))?;
        self.hold(&trained, &mut made).map_err(|error| failed(&error))?;
        let grad_norm = match self.spec.arguments.max_grad_norm {
            Some(max) => made.gradients.clip(max),
            None => made.gradients.global_norm(),
        };
        let grad_norm = grad_norm.map_err(|error| failed(&error))?;
        let learning_rate = self.stage().rate(self.updated());
        let finite = made.loss.sum.is_finite() && grad_norm.is_finite();
        if finite {
            self.update(&made, learning_rate).map_err(|error| failed(&error))?;
            if let Some(scaler) = self.scaling() {
                scaler.succeed();
            }
        } else if !made.loss.sum.is_finite() || !self.scaling().is_some_and(LossScaler::back_off) {
            // The loss is made before it is scaled: no smaller scale would make it finite.
            return Err(self.not_finite(&made, grad_norm));
        }
        self.step += 1;
        // Also after a step that was skipped: a validation that is due there counts for patience.
        self.validated = false;
        let (loss, grad_norm) = if finite { (made.loss, grad_norm) } else { Default::default() };
        let done = StepDone { step: self.step, loss, tokens, learning_rate, grad_norm };
        self.chain.add(&done, &rows);
        self.meter.count(&done);
        Ok(done)
    }

    /// What scales the losses. Gone on with in f32 a job has one still, whose skipped steps count.
    fn scaling(&mut self) -> Option<&mut LossScaler> {
        self.scaler.as_mut().filter(|_| !self.in_f32)
    }

    /// Adds the penalty on weights that are held to the loss and its gradients.
    fn hold(&self, trained: &[(String, Var)], made: &mut StepGradients) -> Result<(), candle_core::Error> {
        let Some(elastic) = &self.elastic else { return Ok(()) };
        let penalty = elastic.pull(trained, &mut made.gradients.0)?;
        made.loss.sum += penalty * made.loss.tokens as f64;
        Ok(())
    }

    /// Steps that changed the weights: what schedule, unfreezing and optimizer count, as in transformers, whose scheduler stands still
    /// when a step is skipped.
    fn updates(&self) -> u64 {
        self.step - self.scaler.map_or(0, |scaler| scaler.skipped_steps())
    }

    /// The variables that the next step trains.
    fn trained(&self) -> Vec<(String, Var)> {
        self.stage().trained(self.learner.variables(), self.updated())
    }

    fn update(&mut self, made: &StepGradients, lr: f64) -> Result<(), candle_core::Error> {
        let rates = |name: &str| self.groups.rates(name, lr);
        let begun = |name: &str| self.begun.get(name).copied().unwrap_or_default();
        self.optimizer.step_begun(self.learner.variables(), &made.gradients.0, rates, begun)
    }

    /// Names the first tensor that holds what isn't a number.
    fn not_finite(&self, made: &StepGradients, grad_norm: f64) -> Fault {
        let weights =
            self.learner.variables().iter().map(|(name, variable)| ("weight", name, variable.as_tensor()));
        let gradients =
            made.gradients.0.iter().map(|(name, gradient)| ("gradient of", name, gradient.values()));
        let first = weights.chain(gradients).find(|(_, _, tensor)| !is_finite(tensor));
        let first = match first {
            Some((what, name, _)) => format!("the first tensor with such numbers is the {what} {name}"),
            None => "no trained tensor holds such numbers yet, so they arise in the forward pass".to_owned(),
        };
        let loss = made.loss.sum / made.loss.tokens.max(1) as f64;
        Fault::NotFinite(format!(
            "step {}: loss {loss}, gradient norm {grad_norm}: not finite; {first}; lower learning_rate or raise warmup_steps",
            self.step + 1
        ))
    }

    fn log(&mut self, done: &StepDone) -> Result<(), Fault> {
        let last = self.done() == self.stage().plan.total_steps;
        if self.step.is_multiple_of(self.arguments().logging_steps) || last {
            let of = (self.total_steps(), self.stage().plan.epochs(self.done()));
            let progress = proto::TrainingProgress {
                skipped_steps: self.scaler.map_or(0, |scaler| scaler.skipped_steps() as i64),
                loss_scale: self.scaler.map_or(0.0, |scaler| scaler.scale()),
                stage: self.stage_number(),
                ..self.meter.read(done, of)
            };
            tracing::info!(step = progress.step, loss = progress.loss, "trained");
            self.outside.event(Event::Progress(progress))?;
        }
        Ok(())
    }

    /// Whether the weights are to be validated as they are: before a stage's first step, at intervals, and after its last.
    fn wants_validation(&self) -> bool {
        let due = self.arguments().eval_steps.is_some_and(|steps| self.step.is_multiple_of(steps));
        due || self.done() == 0 || self.done() == self.stage().plan.total_steps
    }

    fn save_if_due(&mut self) -> Result<(), Fault> {
        let wanted = self.outside.wants(self.step);
        if !wanted && !self.arguments().save_steps.is_some_and(|steps| self.step.is_multiple_of(steps)) {
            return Ok(());
        }
        let began = Instant::now();
        self.save()?;
        self.meter.pause(began.elapsed());
        Ok(())
    }

    fn save(&mut self) -> Result<(), Fault> {
        let copy = || snapshot(self.learner.weights(), &self.optimizer, self.best.clone(), self.state());
        self.outside.save(copy)?;
        self.kept = self.step;
        Ok(())
    }

    /// Where training stands.
    fn state(&self) -> TrainerState {
        let (done, steps_per_epoch) = (self.done(), self.stage().plan.steps_per_epoch);
        TrainerState {
            spec_digest: self.spec_digest.clone(),
            step: self.step,
            epoch: done / steps_per_epoch,
            step_in_epoch: done % steps_per_epoch,
            total_steps: self.total_steps(),
            seed: self.arguments().seed,
            patience: self.patience.clone(),
            scaler: self.scaler,
            validated: self.validated,
            stopped: self.stopped,
            chain: self.chain,
            in_f32: self.in_f32,
            place: self.place,
            begun: Some(self.begun.clone()),
            carried: self.carried,
            ..TrainerState::default()
        }
    }

    fn finish(self) -> Result<Finished, Fault> {
        let state = self.state();
        let best_step = self.patience.best().map_or(self.step, |(step, _)| step);
        let mut last = None;
        if let Some(best) = &self.best {
            let weights = self.learner.weights();
            last = Some(weights.map_err(|error| Fault::passing("the last weights can't be kept", error))?);
            self.learner.set_weights(best)?;
        }
        let step = if last.is_some() { best_step } else { self.step };
        let (optimizer, best) = (self.optimizer, self.best);
        let unsaved = (self.kept < self.step).then_some(Unsaved { optimizer, weights: last, best, state });
        Ok(Finished { learner: self.learner, step, retention: self.left, fisher: None, unsaved })
    }

    fn arguments(&self) -> &Arguments {
        &self.spec.arguments
    }
}

fn rule(optim: Optim) -> Box<dyn Rule + Send + Sync> {
    match optim {
        Optim::AdamW(options) => Box::new(options),
        Optim::Adafactor => Box::new(AdafactorOptions::default()),
        Optim::Sgd(options) => Box::new(options),
        Optim::Lion(options) => Box::new(options),
    }
}

#[cfg(test)]
mod tests;
