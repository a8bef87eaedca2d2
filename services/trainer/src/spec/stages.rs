//! The stages of a job, checked: parts of its steps, each with what it has of its own.

use std::{borrow::Cow, collections::BTreeSet};

use rootstock_artifacts::ArtifactName;
use rootstock_model::Config;
use rootstock_text::PromptTemplate;

use super::{Arguments, Data, Full, Length, Method, Scheduler, Spec, Warmup};
use crate::error::Error;

/// The path of what a specification says itself.
const SPEC: &str = "spec";
const STAGES: &str = "spec.stages";

/// A part of a job's steps. `None` is what the specification says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stage {
    pub(crate) data: Option<Data>,
    pub(crate) full: Option<Full>,
    pub(crate) pace: Option<Pace>,
}

/// How long a stage is and how fast it learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    pub(crate) length: Length,
    pub(crate) learning_rate: f64,
    pub(crate) warmup: Warmup,
    /// Its rates are shares of the stage's peak.
    pub(crate) scheduler: Scheduler,
}

/// Data that stages are trained on.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) data: &'a Data,
    /// Of the message that says it.
    path: String,
}

impl<'a> Source<'a> {
    /// The field that says it, as messages of the data begin.
    pub(crate) fn field(&self) -> &'static str {
        if self.path == SPEC { self.data.field() } else { STAGES }
    }

    /// Each data set and the field that names it.
    pub(crate) fn datasets(&self) -> Vec<(String, &'a ArtifactName)> {
        self.data.datasets(&self.path)
    }

    /// Of each data set how its rows become prompts, where it has that of its own, and the field that says so.
    pub(crate) fn templates(&self) -> Vec<Option<(String, PromptTemplate)>> {
        let Data::Mix { datasets, .. } = self.data else { return vec![None] };
        let field = |i: usize| format!("{}.mix.datasets[{i}].prompt_template", self.path);
        let templates = datasets.iter().enumerate();
        templates.map(|(i, dataset)| Some((field(i), dataset.prompt_template?))).collect()
    }
}

/// The path of a stage's message.
pub(crate) fn stage_path(stage: usize) -> String {
    format!("{STAGES}[{stage}]")
}

impl Spec {
    /// The stages; a job without any is one that has nothing of its own.
    pub(crate) fn stages(&self) -> Cow<'_, [Stage]> {
        if self.stages.is_empty() { vec![Stage::default()].into() } else { (&self.stages).into() }
    }

    /// The arguments of a stage, with a seed of its own.
    pub(crate) fn arguments_of(&self, stage: usize) -> Arguments {
        let seed = self.arguments.seed.wrapping_add(stage as u64);
        let arguments = Arguments { seed, ..self.arguments.clone() };
        let Some(Pace { length, learning_rate, warmup, scheduler }) = self.stages()[stage].pace else {
            return arguments;
        };
        Arguments { length, learning_rate, warmup, scheduler, ..arguments }
    }

    /// All data: the specification's, where a stage takes that, and each stage's own.
    pub(crate) fn sources(&self) -> Vec<Source<'_>> {
        let common = self.stages.is_empty() || self.stages.iter().any(|stage| stage.data.is_none());
        let common = common.then(|| Source { data: &self.data, path: SPEC.to_owned() });
        let own = self.stages.iter().enumerate();
        let own =
            own.filter_map(|(i, stage)| Some(Source { data: stage.data.as_ref()?, path: stage_path(i) }));
        common.into_iter().chain(own).collect()
    }

    /// Each data set of all sources and the field that names it.
    pub(crate) fn datasets(&self) -> Vec<(String, &ArtifactName)> {
        self.sources().iter().flat_map(Source::datasets).collect()
    }

    /// The field that says what is trained on.
    pub(crate) fn data_field(&self) -> &'static str {
        if self.stages.is_empty() { self.data.field() } else { STAGES }
    }

    /// Which of [`Spec::sources`] each stage takes.
    pub(crate) fn source_numbers(&self) -> Vec<usize> {
        let stages = self.stages();
        let mut next = usize::from(stages.iter().any(|stage| stage.data.is_none()));
        let number = |stage: &Stage| {
            let own = usize::from(stage.data.is_some());
            next += own;
            (next - 1) * own
        };
        stages.iter().map(number).collect()
    }

    /// The names of the weights that each stage trains, where only full training's are to be chosen among.
    pub(crate) fn trained(&self, config: &Config) -> Result<Vec<BTreeSet<String>>, Error> {
        let Method::Full(common) = &self.method else { return Ok(Vec::new()) };
        let trained = |(i, stage): (usize, &Stage)| match &stage.full {
            None => common.trained(config),
            Some(own) => own.trained(config).map_err(|error| error.moved("spec.full", &stage_path(i))),
        };
        self.stages().iter().enumerate().map(trained).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::tests::supervised;

    fn data(name: &str) -> Option<Data> {
        Some(Data::Dataset(name.parse().unwrap()))
    }

    #[test]
    fn stages_without_data_of_their_own_share_the_specifications() {
        let mut spec = Spec::try_from(&supervised()).unwrap();
        assert_eq!((spec.sources().len(), spec.source_numbers()), (1, vec![0]));
        let stage = |data: Option<Data>| Stage { data, ..Stage::default() };
        spec.stages = vec![stage(data("datasets/a")), stage(None), stage(data("datasets/b")), stage(None)];
        let fields: Vec<String> =
            spec.sources().iter().map(|source| source.datasets()[0].0.clone()).collect();
        assert_eq!(fields, ["spec.dataset", "spec.stages[0].dataset", "spec.stages[2].dataset"]);
        assert_eq!(spec.source_numbers(), [1, 0, 2, 0]);
        spec.stages.retain(|stage| stage.data.is_some());
        assert_eq!((spec.sources().len(), spec.source_numbers()), (2, vec![0, 1]));
    }

    #[test]
    fn each_stage_has_a_seed_of_its_own() {
        let mut spec = Spec::try_from(&supervised()).unwrap();
        spec.stages = vec![Stage::default(); 3];
        assert_eq!([0, 1, 2].map(|stage| spec.arguments_of(stage).seed), [42, 43, 44]);
    }
}
