//! A stage of a run: the rows, the weights in training, the learning rate and the random numbers of its steps, as functions of how many
//! of them were made.

use std::{collections::BTreeSet, sync::Arc};

use candle_core::Var;
use rootstock_model::{DropoutKey, Regularization};
use serde::{Deserialize, Serialize};

use super::{
    order::{Order, Plan, StepRows},
    passes::{Passes, Seen},
    replayed::Replayed,
    rows::{Augment, Example, Rows},
    schedule::Schedule,
    trainee::Trainee,
    unfreeze::Unfreezing,
};
use crate::spec::{Arguments, Full, Method, Objective, Spec};

/// What a stage is made of.
pub(super) struct StageData {
    pub(super) train: Arc<Rows>,
    pub(super) passes: Passes,
    pub(super) validation: Arc<Rows>,
    /// The weights that it trains, where that isn't all that the job does.
    pub(super) trained: Option<BTreeSet<String>>,
}

/// Where a run stands among its stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The stage, from 0.
    pub(super) stage: usize,
    /// Steps before it, and those of them that changed the weights.
    pub(super) first_step: u64,
    pub(super) first_update: u64,
}

/// Of all numbers of steps and updates those of this stage alone.
pub(super) struct Stage {
    pub(super) train: Arc<Rows>,
    pub(super) validation: Arc<Rows>,
    pub(super) plan: Plan,
    pub(super) unfreezing: Unfreezing,
    arguments: Arguments,
    augment: Option<Augment>,
    order: Order,
    schedule: Schedule,
    replayed: Option<Replayed>,
}

impl Stage {
    /// The stage with this number.
    pub(super) fn new(
        (spec, number): (&Spec, usize),
        data: StageData,
        learner: &Trainee,
        replayed: Option<&Replayed>,
    ) -> Self {
        let arguments = spec.arguments_of(number);
        let plan = Plan::new(data.passes.len(), &arguments);
        // The first stage has the seed that rows were read with.
        let train = if number == 0 { data.train } else { Rows::drawn_by(&data.train, arguments.seed) };
        Self {
            train,
            validation: data.validation,
            unfreezing: Unfreezing::new(learner, unfreeze_every(&spec.method), data.trained.as_ref()),
            augment: augment(&spec.objective, arguments.seed),
            order: Order::new(plan, data.passes),
            schedule: Schedule::new(&arguments, plan.total_steps),
            replayed: replayed.map(|replayed| replayed.drawn_by(arguments.seed)),
            plan,
            arguments,
        }
    }

    /// The rows of the step that is made after `done`.
    pub(super) fn rows(&mut self, done: u64) -> StepRows {
        self.order.rows(done)
    }

    /// The micro-batches of a step, earlier rows in the places that they take.
    pub(super) fn batches(&self, rows: &StepRows) -> Vec<Vec<Example>> {
        let augment = self.augment.as_ref();
        let example = |seen: &Seen| self.train.augmented(seen.row, seen.pass, augment);
        let mut batches: Vec<Vec<Example>> =
            rows.micro_batches.iter().map(|rows| rows.iter().map(example).collect()).collect();
        if let Some(replayed) = &self.replayed {
            replayed.take_places(rows.first, &mut batches, augment);
        }
        batches
    }

    /// How the step is regularized that is made after `done`.
    pub(super) fn regularization(&self, done: u64) -> Regularization {
        let Arguments { seed, label_smoothing, neftune_noise_alpha, .. } = self.arguments;
        Regularization {
            key: DropoutKey { seed, step: done, micro: 0 },
            label_smoothing,
            neftune_noise_alpha,
        }
    }

    /// The learning rate after so many updates.
    pub(super) fn rate(&self, updates: u64) -> f64 {
        self.schedule.rate(updates)
    }

    /// The variables that are trained after so many updates.
    pub(super) fn trained(&self, variables: &[(String, Var)], updates: u64) -> Vec<(String, Var)> {
        self.unfreezing.trained(variables, updates)
    }
}

fn augment(objective: &Objective, seed: u64) -> Option<Augment> {
    match objective {
        Objective::Supervised { instruction_token_dropout, span_shuffle, paraphrase_columns, .. } => {
            let probabilities = (*instruction_token_dropout, *span_shuffle);
            Augment::new(probabilities, !paraphrase_columns.is_empty(), seed)
        }
        _ => None,
    }
}

fn unfreeze_every(method: &Method) -> Option<u64> {
    match method {
        Method::Full(Full { unfreeze_every_steps, .. }) => *unfreeze_every_steps,
        Method::Lora(_) | Method::Bottleneck(_) | Method::VirtualTokens(_) | Method::Fisher(_) => None,
    }
}
