//! Fisher information: measured on the rows of a data set in place of training, and read where weights are held by it.

use std::path::Path;

use candle_core::{Device, safetensors::load};
use rootstock_client::FetchedArtifact;
use rootstock_kernels::{DropoutKey, ElasticPenalty, Random};
use rootstock_model::{AnyConfig, save_tensors};
use rootstock_proto::training::v1::{self as proto, training_event::Event};

use super::{
    fault::{Fault, of_job},
    learner::Tensors,
    meter::{Meter, StepDone},
    order::Plan,
    prepare::Prepared,
    rows::Example,
    train::{Finished, Outside, cut_or},
    trainee::Trainee,
};
use crate::spec::{Arguments, Elastic, Fisher, Length};

/// Where the numbers lie in an artifact.
const FILE: &str = "fisher.safetensors";

/// Writes the artifact's files and returns their names.
pub(super) fn save(fisher: &Tensors, dir: &Path) -> Result<Vec<&'static str>, Fault> {
    let saved = save_tensors(&dir.join(FILE), fisher, &[].into());
    saved.map_err(|error| Fault::passing("the result can't be written", error))?;
    Ok(vec![FILE])
}

/// Refuses rows with labels that the base model has no head for: how much a random head matters says nothing.
pub(super) fn check_head(base: &AnyConfig, asked_for: &AnyConfig) -> Result<(), Fault> {
    if base == asked_for {
        return Ok(());
    }
    let message = "spec.dataset: the base model has no head for its labels; train classification on it first";
    Err(Fault::Job(message.to_owned()))
}

/// Takes row after row, each on its own.
pub(super) fn measure(prepared: Prepared, how: Fisher, outside: &impl Outside) -> Result<Finished, Fault> {
    let Prepared { spec, learner, stages, .. } = prepared;
    let train = &stages[0].train;
    let mut rows = Random::named(spec.arguments.seed, "fisher rows").permutation(train.len());
    rows.truncate(how.max_rows.unwrap_or(rows.len()));
    let length = Length::Steps(rows.len() as u64);
    let arguments = Arguments { length, ..spec.arguments.clone() };
    let plan = Plan::new(train.len(), &arguments);
    let phase = proto::TrainingPhaseChange { phase: proto::TrainingPhase::Training.into() };
    outside.event(Event::PhaseChange(phase))?;
    let (mut meter, mut fisher) = (Meter::default(), rootstock_kernels::Fisher::default());
    for (row, step) in rows.into_iter().zip(1..) {
        outside.check()?;
        let done = add(&mut fisher, &learner, (train.example(row), arguments.seed, step), outside)?;
        meter.count(&done);
        outside.wants(step);
        if step.is_multiple_of(arguments.logging_steps) || step == plan.total_steps {
            let of = (plan.total_steps, plan.epochs(step));
            outside.event(Event::Progress(meter.read(&done, of)))?;
        }
    }
    let fisher = fisher.mean().map_err(|error| Fault::passing("the result can't be had", error))?;
    Ok(Finished::measured(learner, plan.total_steps, fisher))
}

fn add(
    fisher: &mut rootstock_kernels::Fisher,
    learner: &Trainee,
    (row, seed, step): (Example, u64, u64),
    outside: &impl Outside,
) -> Result<StepDone, Fault> {
    let failed = of_job(format!("row {step}"));
    let tokens = row.input_ids.len() as u64;
    let key = DropoutKey { seed, step, micro: 0 };
    let made = learner.step(learner.variables(), &[vec![row]], key.into(), 1.0);
    let made = made.map_err(|error| cut_or(outside, &failed, error))?;
    let grad_norm = made.gradients.global_norm().map_err(|error| failed(&error))?;
    if !made.loss.sum.is_finite() || !grad_norm.is_finite() {
        return Err(failed(&"the base model's loss or gradient is not finite"));
    }
    // The gradients are of the mean over the row's labels, and its log-likelihood is their sum.
    fisher.add_row(&made.gradients.0, made.loss.tokens as f64).map_err(|error| failed(&error))?;
    Ok(StepDone { step, loss: made.loss, tokens, learning_rate: 0.0, grad_norm })
}

/// What holds the weights of a model that nothing was trained of yet.
pub(super) fn penalty(
    elastic: &Elastic,
    artifact: &FetchedArtifact,
    learner: &Trainee,
) -> Result<ElasticPenalty, Fault> {
    let failed = of_job("spec.ewc.fisher");
    let path = artifact.path(FILE).ok_or_else(|| failed(&format!("has no file {FILE}")))?;
    let fisher = load(path, &Device::Cpu).map_err(|error| failed(&error))?;
    ElasticPenalty::new(elastic.lambda, fisher.into_iter().collect(), learner.variables())
        .map_err(|error| failed(&error))
}
