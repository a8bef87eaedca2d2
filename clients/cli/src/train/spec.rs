//! A training file as the contract's TrainingSpec.
mod arguments;
mod data;
mod forgetting;
mod method;
mod objective;
mod start;

use rootstock_artifacts::Kind;
use rootstock_client::proto::training::v1 as proto;
use rootstock_model::Projection;

use self::{
    arguments::arguments,
    data::{data, stages},
    forgetting::{ewc, replay, retention},
    method::method_of,
    objective::objective_of,
    start::start,
};
use super::{
    file::{self, Method, Names, TrainFile},
    foreign,
    publication::publication,
    unset,
};
use crate::names;

/// PEFT's name for all seven projections.
const ALL_LINEAR: &str = "all-linear";

/// Parses a file; the message of an error begins with the key.
pub(super) fn parse(bytes: &[u8]) -> Result<proto::TrainingSpec, String> {
    let (file, value) = file::parse(bytes)?;
    let spec = to_spec(file)?;
    unset::refuse(&value, &spec, |text| to_spec(file::parse(text.as_bytes()).ok()?.0).ok())?;
    Ok(spec)
}

fn to_spec(file: TrainFile) -> Result<proto::TrainingSpec, String> {
    let objective = file
        .objective
        .ok_or("objective is missing; write causal, supervised, infilling, masked or classification")?;
    let method =
        file.method.ok_or("method is missing; write lora, bottleneck, prefix, prompt, full or fisher")?;
    foreign::refuse(&file, objective, method)?;
    let output = file.output.as_deref().ok_or("output is missing; write what to call the result")?;
    let kind = match method {
        Method::Full => Kind::BaseModel,
        Method::Fisher => Kind::Fisher,
        Method::Lora | Method::Bottleneck | Method::Prefix | Method::Prompt => Kind::Adapter,
    };
    let (dataset, mix) = data(&file)?;
    let validation = file.validation_dataset.as_deref();
    let validation = validation.map(|name| named("validation_dataset", Kind::Dataset, name)).transpose()?;
    Ok(proto::TrainingSpec {
        output: names::alias(kind, output).map_err(|error| format!("output: {error}"))?,
        dataset,
        mix,
        validation_dataset: validation.unwrap_or_default(),
        validation_split: file.validation_split.unwrap_or_default(),
        start: Some(start(&file)?),
        objective: Some(objective_of(&file, objective)?),
        method: Some(method_of(&file, method)),
        arguments: Some(arguments(&file)?),
        added_tokens: added_tokens(file.add_tokens.as_ref()),
        ewc: file.ewc.as_ref().map(ewc).transpose()?,
        replay: file.replay.as_ref().map(replay).transpose()?,
        retention: file.retention.as_ref().map(retention).transpose()?,
        priority: file.priority.unwrap_or_default(),
        keep_optimizer_state: file.keep_optimizer_state.unwrap_or_default(),
        stages: stages(file.stages.as_deref().unwrap_or_default())?,
        publication: file.publication.as_ref().map(publication).transpose()?,
    })
}

pub(super) fn named(key: &str, kind: Kind, name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err(format!("{key} is missing"));
    }
    names::artifact(kind, name).map_err(|error| format!("{key}: {error}"))
}

/// LLaMA-Factory has them in one text.
fn added_tokens(tokens: Option<&Names>) -> Vec<String> {
    match tokens {
        None => Vec::new(),
        Some(Names::One(tokens)) => tokens.split(',').map(|token| token.trim().to_owned()).collect(),
        Some(Names::Several(tokens)) => tokens.clone(),
    }
}

fn modules(written: Option<&Names>) -> Vec<String> {
    match written {
        Some(Names::One(name)) if name == ALL_LINEAR => {
            Projection::ALL.iter().map(|projection| projection.name().to_owned()).collect()
        }
        written => listed(written),
    }
}

fn listed(names: Option<&Names>) -> Vec<String> {
    match names {
        None => Vec::new(),
        Some(Names::One(name)) => vec![name.clone()],
        Some(Names::Several(names)) => names.clone(),
    }
}

#[cfg(test)]
mod tests;
