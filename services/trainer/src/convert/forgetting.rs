//! What a job does against forgetting: the Fisher information that it measures, and the weights that it holds by it.

use rootstock_artifacts::Kind;
use rootstock_proto::training::v1 as proto;

use super::{numbers::Fields, spec::reference};
use crate::{
    error::Error,
    spec::{Elastic, Fisher, Method, Objective, Replay, Retention, Start, Validation},
};

const SPEC: Fields = Fields { path: "spec" };
const FISHER: Fields = Fields { path: "spec.fisher" };
const EWC: Fields = Fields { path: "spec.ewc" };
const REPLAY: Fields = Fields { path: "spec.replay" };
const RETENTION: Fields = Fields { path: "spec.retention" };
/// Most rows that can be asked for.
const MAX_ROWS: u64 = 1 << 40;
const MAX_LAMBDA: f64 = 1e12;

pub(super) fn fisher(from: &proto::FisherMethod) -> Result<Fisher, Error> {
    let rows = FISHER.whole("max_rows", from.max_rows, 0, MAX_ROWS)?;
    Ok(Fisher { max_rows: usize::try_from(rows).ok().filter(|rows| *rows > 0) })
}

/// Refuses what a measurement would pass over.
pub(super) fn check_fisher(
    from: &proto::TrainingSpec,
    (start, objective, validation): (&Start, &Objective, &Validation),
) -> Result<(), Error> {
    if !matches!(start, Start::Base(_)) {
        return Err(SPEC.invalid("fisher", "is of a model that has learnt something; set base_model"));
    }
    if *validation != Validation::None {
        return Err(SPEC.invalid("fisher", "validates nothing; take validation data out"));
    }
    if from.replay.is_some() {
        return Err(SPEC.invalid("fisher", "is measured on dataset alone; take replay out"));
    }
    if from.retention.is_some() {
        return Err(SPEC.invalid("fisher", "changes nothing that could be forgotten; take retention out"));
    }
    if from.mix.is_some() {
        return Err(SPEC.invalid("mix", "is not for fisher, which takes each row once; set dataset"));
    }
    if let Some(changed) = changed_by(objective) {
        return Err(SPEC.invalid(changed, "is not for fisher, which takes rows as they are; take it out"));
    }
    let given = from.arguments.clone().unwrap_or_default();
    if given.weight_dtype() == proto::WeightDtype::F16 {
        let message = "is f16, in which the gradients of single rows would be lost; set f32 or bf16";
        return Err(SPEC.invalid("arguments.weight_dtype", message));
    }
    let read = proto::TrainingArguments {
        seed: given.seed,
        logging_steps: given.logging_steps,
        weight_dtype: given.weight_dtype,
        gradient_checkpointing: given.gradient_checkpointing,
        activation_memory_bytes: given.activation_memory_bytes,
        ..Default::default()
    };
    if given == read {
        return Ok(());
    }
    let message = "of fisher are seed, logging_steps, weight_dtype, gradient_checkpointing and \
                   activation_memory_bytes alone; take the others out";
    Err(SPEC.invalid("arguments", message))
}

/// The field that changes rows from pass to pass, if there is one.
fn changed_by(objective: &Objective) -> Option<&'static str> {
    let Objective::Supervised { instruction_token_dropout, span_shuffle, paraphrase_columns, .. } = objective
    else {
        return None;
    };
    if *instruction_token_dropout > 0.0 {
        Some("supervised.instruction_token_dropout")
    } else if *span_shuffle > 0.0 {
        Some("supervised.span_shuffle")
    } else {
        (!paraphrase_columns.is_empty()).then_some("supervised.paraphrase_columns")
    }
}

/// The earlier data that is seen again, where there is some.
pub(super) fn replay(from: &proto::TrainingSpec) -> Result<Option<Replay>, Error> {
    let Some(written) = &from.replay else { return Ok(None) };
    let ratio = REPLAY.number("ratio", written.ratio, f64::MIN_POSITIVE..1.0, "above 0 and below 1")?;
    Ok(Some(Replay { dataset: reference(REPLAY, "dataset", &[Kind::Dataset], &written.dataset)?, ratio }))
}

/// What must be left of earlier data, where something must.
pub(super) fn retention(from: &proto::TrainingSpec, start: &Start) -> Result<Option<Retention>, Error> {
    let Some(written) = &from.retention else { return Ok(None) };
    if !matches!(start, Start::Base(_) | Start::Adapter(_)) {
        let message = "is of what was learnt before; set base_model or base_adapter";
        return Err(SPEC.invalid("retention", message));
    }
    let min_ratio = RETENTION.number("min_ratio", written.min_ratio, 0.0..=1.0, "from 0 to 1")?;
    let dataset = reference(RETENTION, "dataset", &[Kind::Dataset], &written.dataset)?;
    Ok(Some(Retention { dataset, min_ratio }))
}

/// The weights that are held, where some are.
pub(super) fn elastic(
    from: &proto::TrainingSpec,
    method: &Method,
    start: &Start,
) -> Result<Option<Elastic>, Error> {
    let Some(written) = &from.ewc else { return Ok(None) };
    if !matches!(method, Method::Full(_)) {
        let message = "holds the weights of a model in training, and beside frozen ones nothing is to be held; \
                       set method full, or take ewc out";
        return Err(SPEC.invalid("ewc", message));
    }
    if !matches!(start, Start::Base(_)) {
        return Err(SPEC.invalid("ewc", "holds what was learnt before; set base_model"));
    }
    if !from.added_tokens.is_empty() {
        let message =
            "holds rows of the base model's vocabulary alone; take added_tokens out, or train them first";
        return Err(SPEC.invalid("ewc", message));
    }
    let lambda =
        EWC.number("lambda", written.lambda, f64::MIN_POSITIVE..=MAX_LAMBDA, "above 0 and at most 1e12")?;
    Ok(Some(Elastic { fisher: reference(EWC, "fisher", &[Kind::Fisher], &written.fisher)?, lambda }))
}
