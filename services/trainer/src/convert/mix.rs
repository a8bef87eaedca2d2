//! What a job is trained on: one data set, or a mix of several by weights or a temperature.

use rootstock_artifacts::Kind;
use rootstock_proto::training::v1 as proto;
use rootstock_text::{PromptTemplate, Shares};

use super::{
    numbers::{Fields, or_default},
    spec::{SPEC, reference},
};
use crate::{
    error::Error,
    spec::{Data, MixedDataset, Objective},
};

const MIX: Fields = Fields { path: "spec.mix" };

const MAX_DATASETS: usize = 64;
const MAX_WEIGHT: f64 = 1e6;
const MAX_TEMPERATURE: f64 = 1e6;
const TEMPERATURE: f64 = 1.0;

/// The data set, or the mix.
pub(super) fn data(
    (dataset, mix): (&str, Option<&proto::DatasetMix>),
    objective: &Objective,
) -> Result<Data, Error> {
    match (dataset, mix) {
        ("", None) => Err(SPEC.invalid("dataset", "is missing; name a data set, or describe a mix")),
        (name, None) => reference(SPEC, "dataset", &[Kind::Dataset], name).map(Data::Dataset),
        ("", Some(mix)) => mixed(mix, objective),
        (_, Some(_)) => Err(SPEC.invalid("mix", "must not be set beside dataset; leave one of both")),
    }
}

fn mixed(mix: &proto::DatasetMix, objective: &Objective) -> Result<Data, Error> {
    let count = mix.datasets.len();
    if !(1..=MAX_DATASETS).contains(&count) {
        let message = format!("has {count} entries, but must have 1 to {MAX_DATASETS}");
        return Err(MIX.invalid("datasets", message));
    }
    let datasets = mix.datasets.iter().enumerate().map(|(i, written)| dataset(i, written, objective));
    Ok(Data::Mix { datasets: datasets.collect::<Result<_, _>>()?, shares: shares(mix)? })
}

fn dataset(index: usize, from: &proto::MixedDataset, objective: &Objective) -> Result<MixedDataset, Error> {
    let field = |name: &str| format!("datasets[{index}].{name}");
    let prompt_template = match (from.prompt_template.as_str(), objective) {
        ("", _) => None,
        (name, Objective::Supervised { .. }) => {
            let template = PromptTemplate::parse(name);
            Some(template.map_err(|error| MIX.invalid(&field("prompt_template"), error.to_string()))?)
        }
        _ => {
            let message = format!("is only for supervised, but the objective is {}", objective.name());
            return Err(MIX.invalid(&field("prompt_template"), message));
        }
    };
    let name = reference(MIX, &field("dataset"), &[Kind::Dataset], &from.dataset)?;
    Ok(MixedDataset { name, prompt_template })
}

fn shares(mix: &proto::DatasetMix) -> Result<Shares, Error> {
    let weights: Vec<f64> = mix.datasets.iter().map(|dataset| dataset.weight).collect();
    if weights.iter().all(|weight| *weight == 0.0) {
        let temperature = or_default(mix.temperature, TEMPERATURE);
        let range = 1.0..=MAX_TEMPERATURE;
        return MIX.number("temperature", temperature, range, "0 or from 1 to 1e6").map(Shares::Temperature);
    }
    if mix.temperature != 0.0 {
        return Err(MIX.invalid("temperature", "must be 0 where the data sets have weights"));
    }
    for (i, weight) in weights.iter().enumerate() {
        let (field, range) = (format!("datasets[{i}].weight"), f64::MIN_POSITIVE..=MAX_WEIGHT);
        MIX.number(&field, *weight, range, "above 0 and at most 1e6, because others have weights")?;
    }
    Ok(Shares::Weights(weights))
}
