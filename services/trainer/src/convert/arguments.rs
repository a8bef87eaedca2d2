//! TrainingArguments: Hugging Face's names and defaults, each within a range.

use rootstock_model::Recompute;
use rootstock_proto::training::v1 as proto;

use super::numbers::{Fields, or_default};
use crate::{
    error::Error,
    spec::{Arguments, EarlyStopping, Length, Scheduler, Validation, Warmup, WeightDtype},
};

const FIELDS: Fields = Fields { path: "spec.arguments" };

/// Most optimizer steps of a job.
pub(super) const MAX_STEPS: u64 = 100_000_000;
const MAX_EPOCHS: f64 = 100_000.0;
const MAX_BATCH: usize = 4096;
const MAX_ACCUMULATION: usize = 4096;
const MAX_LEARNING_RATE: f64 = 100.0;
const MAX_SAVED_STATES: usize = 100;
const MAX_PATIENCE: u64 = 1_000_000;

const LEARNING_RATE: f64 = 5e-5;
const EPOCHS: f64 = 3.0;
const BATCH: usize = 8;
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
const MAX_GRAD_NORM: f64 = 1.0;
const SEED: u64 = 42;
const LOGGING_STEPS: u64 = 10;
const SAVED_STATES: usize = 2;

/// Checks the arguments; what they may be depends on whether there is validation data.
pub(super) fn arguments(
    from: &proto::TrainingArguments,
    validation: &Validation,
) -> Result<Arguments, Error> {
    let eval_steps = steps("eval_steps", from.eval_steps)?;
    if eval_steps.is_some() && *validation == Validation::None {
        return Err(FIELDS.invalid("eval_steps", "needs validation_split or validation_dataset"));
    }
    let rate = or_default(from.learning_rate, LEARNING_RATE);
    let decay = |field, value: Option<f64>, default| {
        FIELDS.number(field, value.unwrap_or(default), 0.0..1.0, "at least 0 and below 1")
    };
    let positive = "a positive number";
    Ok(Arguments {
        learning_rate: FIELDS.number(
            "learning_rate",
            rate,
            f64::MIN_POSITIVE..=MAX_LEARNING_RATE,
            "above 0 and at most 100",
        )?,
        length: length(from)?,
        batch_size: FIELDS.size(
            "per_device_train_batch_size",
            from.per_device_train_batch_size,
            BATCH,
            MAX_BATCH,
        )?,
        accumulation: FIELDS.size(
            "gradient_accumulation_steps",
            from.gradient_accumulation_steps,
            1,
            MAX_ACCUMULATION,
        )?,
        warmup: warmup(from)?,
        scheduler: scheduler(from)?,
        weight_decay: FIELDS.number("weight_decay", from.weight_decay, 0.0..=1.0, "from 0 to 1")?,
        beta1: decay("adam_beta1", from.adam_beta1, BETA1)?,
        beta2: decay("adam_beta2", from.adam_beta2, BETA2)?,
        epsilon: FIELDS.number(
            "adam_epsilon",
            from.adam_epsilon.unwrap_or(EPSILON),
            f64::MIN_POSITIVE..=1.0,
            positive,
        )?,
        max_grad_norm: max_grad_norm(from)?,
        seed: from.seed.unwrap_or(SEED),
        logging_steps: FIELDS.whole("logging_steps", from.logging_steps, LOGGING_STEPS, MAX_STEPS)?,
        eval_steps,
        save_steps: steps("save_steps", from.save_steps)?,
        save_total_limit: FIELDS.size(
            "save_total_limit",
            from.save_total_limit,
            SAVED_STATES,
            MAX_SAVED_STATES,
        )?,
        early_stopping: early_stopping(from, eval_steps, validation)?,
        weight_dtype: weight_dtype(from)?,
        recompute: recompute(from)?,
    })
}

fn steps(field: &str, value: i64) -> Result<Option<u64>, Error> {
    FIELDS.whole(field, value, 0, MAX_STEPS).map(|steps| Some(steps).filter(|steps| *steps > 0))
}

fn length(from: &proto::TrainingArguments) -> Result<Length, Error> {
    let epochs = or_default(from.num_train_epochs, EPOCHS);
    let epochs = FIELDS.number(
        "num_train_epochs",
        epochs,
        f64::MIN_POSITIVE..=MAX_EPOCHS,
        "above 0 and at most 100000",
    )?;
    Ok(match FIELDS.whole("max_steps", from.max_steps, 0, MAX_STEPS)? {
        0 => Length::Epochs(epochs),
        steps => Length::Steps(steps),
    })
}

fn warmup(from: &proto::TrainingArguments) -> Result<Warmup, Error> {
    let ratio = FIELDS.number("warmup_ratio", from.warmup_ratio, 0.0..=1.0, "from 0 to 1")?;
    Ok(match FIELDS.whole("warmup_steps", from.warmup_steps, 0, MAX_STEPS)? {
        0 => Warmup::Ratio(ratio),
        steps => Warmup::Steps(steps),
    })
}

fn scheduler(from: &proto::TrainingArguments) -> Result<Scheduler, Error> {
    match proto::LrSchedulerType::try_from(from.lr_scheduler_type) {
        Ok(proto::LrSchedulerType::Unspecified | proto::LrSchedulerType::Linear) => Ok(Scheduler::Linear),
        Ok(proto::LrSchedulerType::Cosine) => Ok(Scheduler::Cosine),
        Ok(proto::LrSchedulerType::Constant) => Ok(Scheduler::Constant),
        Err(_) => {
            Err(FIELDS.invalid("lr_scheduler_type", "is unknown; known are linear, cosine and constant"))
        }
    }
}

fn max_grad_norm(from: &proto::TrainingArguments) -> Result<Option<f64>, Error> {
    let norm = from.max_grad_norm.unwrap_or(MAX_GRAD_NORM);
    let norm = FIELDS.number("max_grad_norm", norm, 0.0.., "0 (no clipping) or a positive number")?;
    Ok(Some(norm).filter(|norm| *norm > 0.0))
}

fn early_stopping(
    from: &proto::TrainingArguments,
    eval_steps: Option<u64>,
    validation: &Validation,
) -> Result<Option<EarlyStopping>, Error> {
    let threshold = FIELDS.number(
        "early_stopping_threshold",
        from.early_stopping_threshold,
        0.0..,
        "0 or a positive number",
    )?;
    let patience = FIELDS.whole("early_stopping_patience", from.early_stopping_patience, 0, MAX_PATIENCE)?;
    if patience == 0 {
        return Ok(None);
    }
    if eval_steps.is_none() {
        return Err(FIELDS.invalid("early_stopping_patience", "needs eval_steps"));
    }
    if *validation == Validation::None {
        return Err(FIELDS.invalid("early_stopping_patience", "needs validation_split or validation_dataset"));
    }
    Ok(Some(EarlyStopping { patience: patience as u32, threshold }))
}

fn recompute(from: &proto::TrainingArguments) -> Result<Recompute, Error> {
    let bytes = FIELDS.whole("activation_memory_bytes", from.activation_memory_bytes, 0, i64::MAX as u64)?;
    match (from.gradient_checkpointing, usize::try_from(bytes)) {
        (true, Ok(0)) => Ok(Recompute::Always),
        (true, _) => {
            Err(FIELDS.invalid("activation_memory_bytes", "is not for jobs with gradient_checkpointing"))
        }
        (false, Ok(0) | Err(_)) => Ok(Recompute::Never),
        (false, Ok(bytes)) => Ok(Recompute::Within(bytes)),
    }
}

fn weight_dtype(from: &proto::TrainingArguments) -> Result<WeightDtype, Error> {
    match proto::WeightDtype::try_from(from.weight_dtype) {
        Ok(proto::WeightDtype::Unspecified) => Ok(WeightDtype::AsStored),
        Ok(proto::WeightDtype::F32) => Ok(WeightDtype::F32),
        Ok(proto::WeightDtype::Bf16) => Ok(WeightDtype::Bf16),
        Err(_) => Err(FIELDS.invalid("weight_dtype", "is unknown; known are f32 and bf16")),
    }
}
