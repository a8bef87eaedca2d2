//! From one stage of a run to the next: weights, moments and counts that go on, and those that begin anew.

use std::collections::BTreeMap;

use rootstock_proto::training::v1::{self as proto, training_event::Event};

use super::{Outside, Training};
use crate::worker::{
    difference::difference,
    fault::{Fault, of_job},
    patience::Patience,
    prepare::KEPT_OPTIMIZER,
    snapshot::{Saved, WEIGHTS_FILE},
    stage::{Place, Stage},
};

impl<O: Outside> Training<O> {
    pub(super) fn stage(&self) -> &Stage {
        &self.stages[self.place.stage]
    }

    /// The stage's number for those who follow the job, from 1; 0 where it has none.
    pub(super) fn stage_number(&self) -> i64 {
        if self.spec.stages.is_empty() { 0 } else { self.place.stage as i64 + 1 }
    }

    /// Steps of the stage that are done.
    pub(super) fn done(&self) -> u64 {
        self.step - self.place.first_step
    }

    /// Those of them that changed the weights.
    pub(super) fn updated(&self) -> u64 {
        self.updates() - self.place.first_update
    }

    /// Steps in all: those before the stage, and those that it and the stages after it have.
    pub(super) fn total_steps(&self) -> u64 {
        let to_go = self.stages[self.place.stage..].iter().map(|stage| stage.plan.total_steps);
        self.place.first_step + to_go.sum::<u64>()
    }

    /// Whether the stage has ended; all have where it is the last.
    pub(super) fn is_over(&self) -> bool {
        self.done() == self.stage().plan.total_steps || self.stopped
    }

    /// Goes on to the next stage where one has ended and another follows.
    pub(super) fn turn(&mut self) -> Result<(), Fault> {
        if !self.is_over() || self.place.stage + 1 == self.stages.len() {
            return Ok(());
        }
        if self.outside.wants(self.step) {
            // A pause may have saved what the stage has come to.
            self.save()?;
        }
        let before = if self.back_to_best()? { BTreeMap::new() } else { self.counts() };
        let (first_step, first_update) = (self.step, self.updates());
        self.place = Place { stage: self.place.stage + 1, first_step, first_update };
        self.count_from_here(&before);
        self.patience = Patience::default();
        (self.stopped, self.validated) = (false, false);
        self.tell_stage()?;
        self.validate()
    }

    /// Takes the stage's best weights where they are kept; tells whether they aren't its last.
    fn back_to_best(&mut self) -> Result<bool, Fault> {
        let Some(best) = self.best.take() else { return Ok(false) };
        self.learner.set_weights(&best)?;
        Ok(self.patience.best().is_none_or(|(step, _)| step != self.step))
    }

    /// Goes on with the optimizer of the run that made the weights.
    pub(super) fn go_on(&mut self, before: Saved) -> Result<(), Fault> {
        let failed = of_job(KEPT_OPTIMIZER);
        let weights = self.learner.weights().map_err(|error| failed(&error))?;
        if let Some(other) = difference(WEIGHTS_FILE, &weights, &before.weights) {
            let problem = format!(
                "the state after step {} of the job before isn't that of the weights that this one starts from and trains: {other}",
                before.state.step
            );
            return Err(failed(&problem));
        }
        self.carried = before.state.carried + before.state.updates();
        let restored = self.optimizer.restore(self.carried, self.learner.variables(), &before.moments);
        restored.map_err(|error| failed(&error))?;
        let begun = before.state.begun.unwrap_or_default();
        let names = self.learner.variables().iter().map(|(name, _)| name);
        let kept = names.filter(|name| self.optimizer.keeps(name));
        let kept = kept.map(|name| (name.clone(), begun.get(name).copied().unwrap_or_default()));
        self.count_from_here(&kept.collect());
        Ok(())
    }

    /// After how many of the optimizer's steps the first of each weight in training was made.
    fn counts(&self) -> BTreeMap<String, u64> {
        let names = self.learner.variables().iter().map(|(name, _)| name);
        let trained = names.filter(|name| self.stage().unfreezing.begun(name).is_some());
        trained.map(|name| (name.clone(), self.begun.get(name).copied().unwrap_or_default())).collect()
    }

    /// Counts the steps of the weights that the stage trains: on, with their moments, where they were counted before, and the others'
    /// from its first.
    pub(super) fn count_from_here(&mut self, before: &BTreeMap<String, u64>) {
        let (steps, unfreezing) = (self.optimizer.steps(), &self.stages[self.place.stage].unfreezing);
        let begun = |name: &String| {
            let anew = unfreezing.begun(name)?.saturating_add(steps);
            Some((name.clone(), before.get(name).copied().unwrap_or(anew)))
        };
        let names = self.learner.variables().iter().map(|(name, _)| name);
        self.begun = names.filter_map(begun).collect();
        self.optimizer.keep(|name| before.contains_key(name) && self.begun.contains_key(name));
        self.begun.retain(|_, begun| *begun > 0);
    }

    /// Tells that a stage begins, where the job has stages.
    pub(super) fn tell_stage(&self) -> Result<(), Fault> {
        if self.spec.stages.is_empty() {
            return Ok(());
        }
        let stage = self.stage();
        self.outside.event(Event::StageChange(proto::TrainingStageChange {
            stage: self.stage_number(),
            stages: self.stages.len() as i64,
            step: self.step as i64,
            stage_steps: stage.plan.total_steps as i64,
            train_rows: stage.train.len() as i64,
            trainable_parameters: stage.unfreezing.parameters(self.learner.variables()) as i64,
        }))
    }
}
