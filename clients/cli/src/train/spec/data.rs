//! The data set of a training file, or its mix, and the stages that bring their own.
use rootstock_artifacts::Kind;
use rootstock_client::proto::training::v1 as proto;

use super::{modules, named};
use crate::train::file::{Mix, Stage, TrainFile};

/// The data set, or the mix instead.
pub(super) fn data(file: &TrainFile) -> Result<(String, Option<proto::DatasetMix>), String> {
    let own = |stage: &Stage| stage.dataset.is_some() || stage.mix.is_some();
    let staged = file.stages.as_ref().is_some_and(|stages| stages.iter().all(own));
    match (&file.dataset, &file.mix) {
        (Some(name), None) => Ok((named("dataset", Kind::Dataset, name)?, None)),
        (None, Some(mix)) => Ok((String::new(), Some(mixed(mix, "")?))),
        (None, None) if staged => Ok((String::new(), None)),
        (None, None) => Err("dataset is missing; `rootstock data list` shows those there are".to_owned()),
        (Some(_), Some(_)) => Err("dataset and mix exclude each other; leave one".to_owned()),
    }
}

pub(super) fn stages(stages: &[Stage]) -> Result<Vec<proto::TrainingStage>, String> {
    let stage = |(i, from): (usize, &Stage)| {
        let dataset = from.dataset.as_deref();
        let dataset = dataset.map(|name| named(&format!("stages[{i}].dataset"), Kind::Dataset, name));
        Ok(proto::TrainingStage {
            dataset: dataset.transpose()?.unwrap_or_default(),
            mix: from.mix.as_ref().map(|mix| mixed(mix, &format!("stages[{i}]."))).transpose()?,
            trainable_modules: modules(from.trainable_modules.as_ref()),
            frozen_modules: modules(from.frozen_modules.as_ref()),
            max_steps: from.max_steps.unwrap_or_default(),
            num_train_epochs: from.num_train_epochs.unwrap_or_default(),
            learning_rate: from.learning_rate.unwrap_or_default(),
            warmup_steps: from.warmup_steps,
            warmup_ratio: from.warmup_ratio,
        })
    };
    stages.iter().enumerate().map(stage).collect()
}

fn mixed(mix: &Mix, prefix: &str) -> Result<proto::DatasetMix, String> {
    let datasets = mix.datasets.iter().enumerate().map(|(i, from)| {
        let (weight, prompt_template) = (from.weight, from.prompt_template.clone());
        let dataset = named(&format!("{prefix}mix.datasets[{i}].dataset"), Kind::Dataset, &from.dataset)?;
        Ok(proto::MixedDataset { dataset, weight, prompt_template })
    });
    Ok(proto::DatasetMix { datasets: datasets.collect::<Result<_, String>>()?, temperature: mix.temperature })
}
