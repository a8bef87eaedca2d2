//! TrainingStage: what a stage has of its own, checked as the specification's is and refused under the stage's path.

use rootstock_proto::training::v1 as proto;

use super::{
    arguments::{FIELDS, arguments},
    full::full,
    mix::data,
    spec::SPEC,
};
use crate::{
    error::Error,
    spec::{Data, Full, Method, Objective, Pace, Stage, Start, Validation, stage_path},
};

/// Most stages of a job.
const MAX_STAGES: usize = 32;
/// The arguments that a stage can have of its own.
const OWN: [&str; 5] = ["max_steps", "num_train_epochs", "learning_rate", "warmup_steps", "warmup_ratio"];

/// What stages are checked by.
pub(super) struct Beside<'a> {
    pub(super) start: &'a Start,
    pub(super) objective: &'a Objective,
    pub(super) method: &'a Method,
    pub(super) validation: &'a Validation,
}

/// Checks the stages, and that what the specification says for all of them goes with stages.
pub(super) fn stages(from: &proto::TrainingSpec, beside: &Beside<'_>) -> Result<Vec<Stage>, Error> {
    let count = from.stages.len();
    if count > MAX_STAGES {
        return Err(
            SPEC.invalid("stages", format!("has {count} entries, but must have at most {MAX_STAGES}"))
        );
    }
    if count > 0 {
        check_method(beside.method)?;
    }
    from.stages.iter().enumerate().map(|(i, written)| stage(i, written, from, beside)).collect()
}

/// The data that isn't a stage's own. Where every stage has its own the first one's stands for it.
pub(super) fn common_data(
    from: &proto::TrainingSpec,
    stages: &[Stage],
    objective: &Objective,
) -> Result<Data, Error> {
    let own = stages.iter().map(|stage| stage.data.clone()).collect::<Option<Vec<_>>>();
    let Some(first) = own.and_then(|own| own.into_iter().next()) else {
        return data((from.dataset.as_str(), from.mix.as_ref()), objective);
    };
    let written = [("dataset", !from.dataset.is_empty()), ("mix", from.mix.is_some())];
    match written.into_iter().find(|(_, written)| *written) {
        None => Ok(first),
        Some((field, _)) => {
            Err(SPEC
                .invalid(field, "is trained on by no stage, each of which has data of its own; take it out"))
        }
    }
}

fn check_method(method: &Method) -> Result<(), Error> {
    match method {
        Method::Fisher(_) => {
            Err(SPEC.invalid("stages", "are not for fisher, which trains nothing; take them out"))
        }
        Method::Full(Full { unfreeze_every_steps: Some(_), .. }) => {
            let message =
                "is not for stages, which say themselves what is trained when; take one of both out";
            Err(SPEC.invalid("full.unfreeze_every_steps", message))
        }
        _ => Ok(()),
    }
}

fn stage(
    number: usize,
    written: &proto::TrainingStage,
    from: &proto::TrainingSpec,
    beside: &Beside<'_>,
) -> Result<Stage, Error> {
    let path = stage_path(number);
    let own = (written.dataset.as_str(), written.mix.as_ref());
    let named = !written.dataset.is_empty() || written.mix.is_some();
    let data = named.then(|| data(own, beside.objective)).transpose();
    Ok(Stage {
        data: data.map_err(|error| error.moved(SPEC.path, &path))?,
        full: modules(written, &path, beside)?,
        pace: Some(pace(written, &path, from, beside)?),
    })
}

fn modules(written: &proto::TrainingStage, path: &str, beside: &Beside<'_>) -> Result<Option<Full>, Error> {
    let field = match (written.trainable_modules.as_slice(), written.frozen_modules.as_slice()) {
        ([], []) => return Ok(None),
        ([], _) => "frozen_modules",
        _ => "trainable_modules",
    };
    let refuse = |message| Err(Error::invalid(format!("{path}.{field}"), message));
    if !matches!(beside.method, Method::Full(_)) {
        return refuse("is only for full: an adapter is trained whole in every stage; take it out");
    }
    if !matches!(beside.start, Start::Base(_)) || beside.objective.is_of_encoders() {
        return refuse("is only for a decoder as base_model; take it out");
    }
    let of_method = proto::FullMethod {
        trainable_modules: written.trainable_modules.clone(),
        frozen_modules: written.frozen_modules.clone(),
        unfreeze_every_steps: 0,
    };
    full(&of_method).map(Some).map_err(|error| error.moved("spec.full", path))
}

fn pace(
    written: &proto::TrainingStage,
    path: &str,
    from: &proto::TrainingSpec,
    beside: &Beside<'_>,
) -> Result<Pace, Error> {
    let unset = proto::TrainingArguments::default();
    let merged = merged(written, from.arguments.as_ref().unwrap_or(&unset), path)?;
    let checked = arguments(&merged, beside.validation, beside.method);
    let arguments = checked.map_err(|error| match error {
        Error::Invalid { field, message }
            if OWN.iter().any(|own| field == format!("{}.{own}", FIELDS.path)) =>
        {
            Error::invalid(field, message).moved(FIELDS.path, path)
        }
        Error::Invalid { field, message } => Error::invalid(field, format!("{message} (in {path})")),
        other => other,
    })?;
    let (length, learning_rate) = (arguments.length, arguments.learning_rate);
    Ok(Pace { length, learning_rate, warmup: arguments.warmup, scheduler: arguments.scheduler })
}

/// The specification's arguments with what a stage has of its own in their place.
fn merged(
    written: &proto::TrainingStage,
    common: &proto::TrainingArguments,
    path: &str,
) -> Result<proto::TrainingArguments, Error> {
    let mut merged = common.clone();
    match (written.max_steps, written.num_train_epochs) {
        (0, 0.0) => {}
        (steps, epochs) if steps != 0 && epochs != 0.0 => {
            let message = "must not be set beside max_steps; leave one of both";
            return Err(Error::invalid(format!("{path}.num_train_epochs"), message));
        }
        own => (merged.max_steps, merged.num_train_epochs) = own,
    }
    if written.learning_rate != 0.0 {
        merged.learning_rate = written.learning_rate;
    }
    match (written.warmup_steps, written.warmup_ratio) {
        (None, None) => {}
        (Some(_), Some(_)) => {
            let message = "must not be set beside warmup_steps; leave one of both";
            return Err(Error::invalid(format!("{path}.warmup_ratio"), message));
        }
        (steps, ratio) => {
            (merged.warmup_steps, merged.warmup_ratio) =
                (steps.unwrap_or_default(), ratio.unwrap_or_default());
        }
    }
    Ok(merged)
}
