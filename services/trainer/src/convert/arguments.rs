//! TrainingArguments: Hugging Face's names and defaults, each within a range.

use rootstock_model::Recompute;
use rootstock_proto::training::v1 as proto;

use super::{
    numbers::{Fields, or_default},
    optim::optim,
    scheduler::scheduler,
};
use crate::{
    error::Error,
    spec::{Arguments, EarlyStopping, Length, Method, Validation, Warmup, WeightDtype},
};

pub(super) const FIELDS: Fields = Fields { path: "spec.arguments" };

/// Most optimizer steps of a job.
pub(super) const MAX_STEPS: u64 = 100_000_000;
const MAX_EPOCHS: f64 = 100_000.0;
const MAX_BATCH: usize = 4096;
const MAX_ACCUMULATION: usize = 4096;
const MAX_LEARNING_RATE: f64 = 100.0;
const MAX_SAVED_STATES: usize = 100;
const MAX_PATIENCE: u64 = 1_000_000;
const MAX_LORAPLUS_RATIO: f64 = 1000.0;
const MAX_NOISE_ALPHA: f64 = 1000.0;

const LEARNING_RATE: f64 = 5e-5;
const EPOCHS: f64 = 3.0;
const BATCH: usize = 8;
const MAX_GRAD_NORM: f64 = 1.0;
const SEED: u64 = 42;
const LOGGING_STEPS: u64 = 10;
const SAVED_STATES: usize = 2;

/// Checks the arguments; what they may be depends on whether there is validation data, and on what is trained.
pub(super) fn arguments(
    from: &proto::TrainingArguments,
    validation: &Validation,
    method: &Method,
) -> Result<Arguments, Error> {
    let eval_steps = steps("eval_steps", from.eval_steps)?;
    if eval_steps.is_some() && *validation == Validation::None {
        return Err(FIELDS.invalid("eval_steps", "needs validation_split or validation_dataset"));
    }
    let learning_rate = learning_rate(from)?;
    Ok(Arguments {
        learning_rate,
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
        scheduler: scheduler(from, learning_rate)?,
        weight_decay: FIELDS.number("weight_decay", from.weight_decay, 0.0..=1.0, "from 0 to 1")?,
        optim: optim(from)?,
        layerwise_lr_decay: layerwise_lr_decay(from)?,
        loraplus_lr_ratio: loraplus_lr_ratio(from, method)?,
        label_smoothing: FIELDS.number(
            "label_smoothing_factor",
            from.label_smoothing_factor,
            0.0..1.0,
            "at least 0 and below 1",
        )?,
        neftune_noise_alpha: FIELDS.number(
            "neftune_noise_alpha",
            from.neftune_noise_alpha,
            0.0..=MAX_NOISE_ALPHA,
            "from 0 to 1000",
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
        retry_in_f32: retry_in_f32(from)?,
        recompute: recompute(from)?,
    })
}

fn steps(field: &str, value: i64) -> Result<Option<u64>, Error> {
    FIELDS.whole(field, value, 0, MAX_STEPS).map(|steps| Some(steps).filter(|steps| *steps > 0))
}

fn learning_rate(from: &proto::TrainingArguments) -> Result<f64, Error> {
    let rate = or_default(from.learning_rate, LEARNING_RATE);
    FIELDS.number("learning_rate", rate, f64::MIN_POSITIVE..=MAX_LEARNING_RATE, "above 0 and at most 100")
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

fn layerwise_lr_decay(from: &proto::TrainingArguments) -> Result<f64, Error> {
    let decay = or_default(from.layerwise_lr_decay, 1.0);
    FIELDS.number("layerwise_lr_decay", decay, f64::MIN_POSITIVE..=1.0, "above 0 and at most 1")
}

fn loraplus_lr_ratio(from: &proto::TrainingArguments, method: &Method) -> Result<f64, Error> {
    if from.loraplus_lr_ratio != 0.0 && !matches!(method, Method::Lora(_)) {
        return Err(
            FIELDS.invalid("loraplus_lr_ratio", "is only for lora: there are no matrices B; take it out")
        );
    }
    let ratio = or_default(from.loraplus_lr_ratio, 1.0);
    FIELDS.number("loraplus_lr_ratio", ratio, 1.0..=MAX_LORAPLUS_RATIO, "from 1 to 1000")
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

fn retry_in_f32(from: &proto::TrainingArguments) -> Result<bool, Error> {
    if from.retry_in_f32 && from.weight_dtype() == proto::WeightDtype::F32 {
        return Err(FIELDS.invalid("retry_in_f32", "must not be set where weight_dtype is F32 already"));
    }
    Ok(from.retry_in_f32)
}

fn weight_dtype(from: &proto::TrainingArguments) -> Result<WeightDtype, Error> {
    match proto::WeightDtype::try_from(from.weight_dtype) {
        Ok(proto::WeightDtype::Unspecified) => Ok(WeightDtype::AsStored),
        Ok(proto::WeightDtype::F32) => Ok(WeightDtype::F32),
        Ok(proto::WeightDtype::Bf16) => Ok(WeightDtype::Bf16),
        Ok(proto::WeightDtype::F16) => Ok(WeightDtype::F16),
        Err(_) => Err(FIELDS.invalid("weight_dtype", "is unknown; known are f32, bf16 and f16")),
    }
}
