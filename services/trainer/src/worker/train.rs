//! The training loop, on a thread of its own: steps, log events, validations, saved states, and when to end.

use std::{sync::Arc, time::Instant};

use candle_core::Var;
use rootstock_kernels::{AdafactorOptions, ElasticPenalty, Optimizer, Rule};
use rootstock_model::{DropoutKey, LossSum, ModelError, Regularization};
use rootstock_proto::training::v1::{self as proto, TrainingPhase, training_event::Event};
use tokio::sync::oneshot;

use super::{
    chain::Chain,
    fault::{Fault, of_job},
    fisher::measure,
    groups::Groups,
    learner::{StepGradients, Tensors},
    meter::{Meter, StepDone},
    order::{Order, Plan, StepRows},
    passes::Seen,
    patience::Patience,
    prepare::Prepared,
    replayed::Replayed,
    reporter::Reporter,
    retention::Retention,
    rows::{Augment, Example, Rows},
    saver::Saver,
    scaler::LossScaler,
    schedule::Schedule,
    snapshot::{Saved, Snapshot, TrainerState},
    stop::{Ended, Stop},
    trainee::Trainee,
    unfreeze::Unfreezing,
};
use crate::spec::{Arguments, Method, Objective, Optim, Spec, WeightDtype};

/// What training speaks to.
pub(super) trait Outside {
    /// Reports an event.
    fn event(&self, event: Event) -> Result<(), Fault>;
    /// Saves a state; waits while another is being saved.
    fn save(&self, snapshot: impl FnOnce() -> Result<Snapshot, Fault>) -> Result<(), Fault>;
    /// The fault to end with, once training shall stop.
    fn check(&self) -> Result<(), Fault>;
    /// Returns when all that was given to be saved is saved.
    fn settle(&self) -> Result<(), Fault>;
    /// Hears of each step that is done, and tells whether its state is to be saved though it isn't due.
    fn wants(&self, _step: u64) -> bool {
        false
    }
}

struct Worker {
    reporter: Reporter,
    saver: Arc<Saver>,
    stop: Stop,
}

impl Outside for Worker {
    fn event(&self, event: Event) -> Result<(), Fault> {
        self.reporter.event_blocking(event)
    }

    fn save(&self, snapshot: impl FnOnce() -> Result<Snapshot, Fault>) -> Result<(), Fault> {
        self.saver.save(snapshot)
    }

    fn check(&self) -> Result<(), Fault> {
        self.stop.check()
    }

    fn settle(&self) -> Result<(), Fault> {
        self.saver.settle()
    }
}

/// A trained model.
pub(super) struct Finished {
    pub(super) learner: Trainee,
    /// Steps in the weights: fewer than were made where an earlier state was better.
    pub(super) step: u64,
    /// What is left of earlier data, where that was asked for.
    pub(super) retention: Option<f64>,
    /// What was measured in place of training; its rows are the steps.
    pub(super) fisher: Option<Tensors>,
    /// The state after the last step, where that isn't saved.
    unsaved: Option<Unsaved>,
}

/// What a saved state holds beside the weights.
struct Unsaved {
    optimizer: Stepper,
    /// The last weights, where the best ones have taken their place.
    weights: Option<Tensors>,
    best: Option<Tensors>,
    state: TrainerState,
}

type Stepper = Optimizer<Box<dyn Rule + Send + Sync>>;

impl Finished {
    /// The end of a measurement.
    pub(super) fn measured(learner: Trainee, rows: u64, fisher: Tensors) -> Self {
        Self { learner, step: rows, retention: None, fisher: Some(fisher), unsaved: None }
    }

    /// The state to go on from if what follows training is put off; nothing where it is saved.
    pub(super) fn unsaved(&self) -> Option<Result<Snapshot, Fault>> {
        let Unsaved { optimizer, weights, best, state } = self.unsaved.as_ref()?;
        let weights = weights.clone().map_or_else(|| self.learner.weights(), Ok);
        Some(snapshot(weights, optimizer, best.clone(), state.clone()))
    }
}

/// Trains, or measures, on a thread of its own.
pub(super) async fn on_thread(
    prepared: Prepared,
    reporter: Reporter,
    saver: Arc<Saver>,
    stop: Stop,
) -> Result<Finished, Fault> {
    let (done, finished) = oneshot::channel();
    let span = tracing::Span::current();
    let outside = Worker { reporter, saver, stop: stop.clone() };
    let compute = move || {
        let result = span.in_scope(|| make(prepared, outside));
        // Nobody waits any more when the worker was told to stop.
        let _ = done.send(result);
    };
    let thread = std::thread::Builder::new().name("train".to_owned()).spawn(compute);
    thread.map_err(|error| Fault::passing("the compute thread can't be started", error))?;
    let ended = async {
        finished.await.unwrap_or_else(|_| Err(Fault::Passing("the compute thread panicked".to_owned())))
    };
    tokio::select! {
        finished = ended => finished,
        // The thread is in the middle of a step; it ends with the process, or before the next layer.
        () = stop.requested() => Err(stop.fault()),
    }
}

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
    train: Rows,
    validation: Rows,
    augment: Option<Augment>,
    plan: Plan,
    order: Order,
    schedule: Schedule,
    optimizer: Stepper,
    groups: Groups,
    unfreezing: Unfreezing,
    elastic: Option<ElasticPenalty>,
    replayed: Option<Replayed>,
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
            train,
            passes,
            replayed,
            validation,
            earlier,
            resume,
            in_f32,
        } = prepared;
        let arguments = &spec.arguments;
        let augment = match spec.objective {
            Objective::Supervised {
                instruction_token_dropout, span_shuffle, ref paraphrase_columns, ..
            } => {
                let probabilities = (instruction_token_dropout, span_shuffle);
                Augment::new(probabilities, !paraphrase_columns.is_empty(), arguments.seed)
            }
            _ => None,
        };
        let plan = Plan::new(passes.len(), arguments);
        let mut training = Self {
            schedule: Schedule::new(arguments, plan.total_steps),
            optimizer: Optimizer::new(rule(arguments.optim)),
            groups: Groups::new(&learner, arguments),
            unfreezing: Unfreezing::new(&learner, unfreeze_every(&spec.method)),
            elastic,
            replayed,
            retention: None,
            left: None,
            scaler: (arguments.weight_dtype == WeightDtype::F16).then(LossScaler::default),
            spec,
            spec_digest,
            learner,
            train,
            validation,
            augment,
            plan,
            order: Order::new(plan, passes),
            meter: Meter::new(plan),
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
        if let Some(rows) = earlier {
            let before = training.mean_loss(&rows)?;
            let min_ratio = training.spec.retention.as_ref().map_or(0.0, |retention| retention.min_ratio);
            training.retention = Some(Retention { rows, min_ratio, before });
        }
        if let Some(saved) = resume {
            training.restore(saved)?;
        }
        Ok(training)
    }

    fn restore(&mut self, saved: Saved) -> Result<(), Fault> {
        self.learner.set_weights(&saved.weights)?;
        self.step = saved.state.step;
        self.scaler = saved.state.scaler;
        let restored = self.optimizer.restore(self.updates(), self.learner.variables(), &saved.moments);
        restored.map_err(|error| of_job("the saved moments don't fit")(&error))?;
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
            self.validate()?;
            // Patience is for training: there was none yet.
            self.stopped = false;
        } else if self.wants_validation() && !self.validated {
            // A pause came between a step and its validation.
            self.validate()?;
            self.save_if_due()?;
        }
        while self.step < self.plan.total_steps && !self.stopped {
            self.outside.check()?;
            let done = self.make_step()?;
            self.log(&done)?;
            if self.wants_validation() {
                self.validate()?;
            }
            self.save_if_due()?;
        }
        if !self.validated {
            self.validate()?;
        }
        self.look_back()?;
        self.begin(TrainingPhase::Saving)?;
        self.outside.settle()
    }

    /// Tells what is done now.
    fn begin(&self, phase: TrainingPhase) -> Result<(), Fault> {
        self.outside.event(Event::PhaseChange(proto::TrainingPhaseChange { phase: phase.into() }))
    }

    fn make_step(&mut self) -> Result<StepDone, Fault> {
        let rows = self.order.rows(self.step);
        let (mut batches, mut tokens) = self.batches(&rows);
        if let Some(replayed) = &self.replayed {
            replayed.take_places(rows.first, &mut batches, self.augment.as_ref());
            tokens = batches.iter().flatten().map(|example| example.input_ids.len() as u64).sum();
        }
        let failed = of_job(format!("step {}", self.step + 1));
        let scaler = self.scaler.filter(|_| !self.in_f32);
        let (trained, loss_scale) = (self.trained(), scaler.map_or(1.0, |scaler| scaler.scale()));
        let made = self.learner.step(&trained, &batches, self.regularization(), loss_scale);
        let mut made = made.map_err(|error| cut_or(&self.outside, &failed, error))?;
        self.hold(&trained, &mut made).map_err(|error| failed(&error))?;
        let grad_norm = match self.spec.arguments.max_grad_norm {
            Some(max) => made.gradients.clip(max),
            None => made.gradients.global_norm(),
        };
        let grad_norm = grad_norm.map_err(|error| failed(&error))?;
        let learning_rate = self.schedule.rate(self.updates());
        let finite = made.loss.sum.is_finite() && grad_norm.is_finite();
        if finite {
            self.update(&made, learning_rate).map_err(|error| failed(&error))?;
            if let Some(scaler) = self.scaling() {
                scaler.succeed();
            }
        } else if !self.scaling().is_some_and(LossScaler::back_off) {
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
        self.unfreezing.trained(self.learner.variables(), self.updates())
    }

    fn regularization(&self) -> Regularization {
        let Arguments { seed, label_smoothing, neftune_noise_alpha, .. } = *self.arguments();
        let key = DropoutKey { seed, step: self.step, micro: 0 };
        Regularization { key, label_smoothing, neftune_noise_alpha }
    }

    /// The micro-batches of a step, and their tokens.
    fn batches(&self, rows: &StepRows) -> (Vec<Vec<Example>>, u64) {
        let mut tokens = 0;
        let batches = rows.micro_batches.iter().map(|rows| {
            let example = |seen: &Seen| self.train.augmented(seen.row, seen.pass, self.augment.as_ref());
            let examples: Vec<Example> = rows.iter().map(example).collect();
            tokens += examples.iter().map(|example| example.input_ids.len() as u64).sum::<u64>();
            examples
        });
        (batches.collect(), tokens)
    }

    fn update(&mut self, made: &StepGradients, lr: f64) -> Result<(), candle_core::Error> {
        let rates = |name: &str| self.groups.rates(name, lr);
        let begun = |name: &str| self.unfreezing.begun(name);
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
        let last = self.step == self.plan.total_steps;
        if self.step.is_multiple_of(self.arguments().logging_steps) || last {
            let progress = proto::TrainingProgress {
                skipped_steps: self.scaler.map_or(0, |scaler| scaler.skipped_steps() as i64),
                loss_scale: self.scaler.map_or(0.0, |scaler| scaler.scale()),
                ..self.meter.read(done)
            };
            tracing::info!(step = progress.step, loss = progress.loss, "trained");
            self.outside.event(Event::Progress(progress))?;
        }
        Ok(())
    }

    /// Whether the weights after this step are to be validated.
    fn wants_validation(&self) -> bool {
        let due = self.arguments().eval_steps.is_some_and(|steps| self.step.is_multiple_of(steps));
        due || self.step == self.plan.total_steps
    }

    /// Measures the held-out loss, where there is something held out.
    fn validate(&mut self) -> Result<(), Fault> {
        if self.validation.len() == 0 {
            self.validated = true;
            return Ok(());
        }
        self.begin(TrainingPhase::Validating)?;
        let began = Instant::now();
        let loss = self.mean_loss(&self.validation)?;
        let verdict = self.patience.take_in(self.step, loss, self.arguments().early_stopping);
        if verdict.best && self.arguments().early_stopping.is_some() {
            let weights = self.learner.weights();
            self.best =
                Some(weights.map_err(|error| Fault::passing("the best weights can't be kept", error))?);
        }
        self.stopped = verdict.stop;
        self.validated = true;
        let evaluated =
            proto::TrainingEvaluated { step: self.step as i64, eval_loss: loss, best: verdict.best };
        self.outside.event(Event::Evaluated(evaluated))?;
        self.meter.pause(began.elapsed());
        self.begin(TrainingPhase::Training)
    }

    /// Measures what is left of earlier data with the weights that the result is made of.
    fn look_back(&mut self) -> Result<(), Fault> {
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

    fn mean_loss(&self, rows: &Rows) -> Result<f64, Fault> {
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
        TrainerState {
            spec_digest: self.spec_digest.clone(),
            step: self.step,
            epoch: self.step / self.plan.steps_per_epoch,
            step_in_epoch: self.step % self.plan.steps_per_epoch,
            total_steps: self.plan.total_steps,
            seed: self.arguments().seed,
            patience: self.patience.clone(),
            scaler: self.scaler,
            validated: self.validated,
            stopped: self.stopped,
            chain: self.chain,
            in_f32: self.in_f32,
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

/// A state to be saved. Weights that are not finite make none: whoever goes back to a state wants a good one.
fn snapshot(
    weights: Result<Tensors, candle_core::Error>,
    optimizer: &Stepper,
    best: Option<Tensors>,
    state: TrainerState,
) -> Result<Snapshot, Fault> {
    let failed = |error| Fault::passing("the state can't be copied", error);
    let weights = weights.map_err(failed)?;
    if let Some((name, _)) = weights.iter().find(|(_, tensor)| !is_finite(tensor)) {
        let step = state.step;
        return Err(Fault::NotFinite(format!(
            "step {step}: the weight {name} is not finite after its update"
        )));
    }
    Ok(Snapshot { weights, moments: optimizer.state().map_err(failed)?, best, state })
}

fn unfreeze_every(method: &Method) -> Option<u64> {
    match method {
        Method::Full(full) => full.unfreeze_every_steps,
        Method::Lora(_) | Method::Bottleneck(_) | Method::VirtualTokens(_) | Method::Fisher(_) => None,
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

fn is_finite(tensor: &candle_core::Tensor) -> bool {
    let numbers = tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
    numbers.is_ok_and(|numbers| numbers.iter().all(|number| number.is_finite()))
}

#[cfg(test)]
mod tests;
