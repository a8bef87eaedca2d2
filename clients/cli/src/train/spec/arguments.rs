//! The TrainingArguments of a training file: the optimizer, the schedule, and the number format of weights.
use rootstock_client::proto::training::v1 as proto;

use crate::train::file::{Dtype, Optimizer, Scheduler, SchedulerKwargs, TrainFile};

/// What transformers has where there is none.
const NO_MAX_STEPS: i64 = -1;

pub(super) fn arguments(file: &TrainFile) -> Result<proto::TrainingArguments, String> {
    Ok(proto::TrainingArguments {
        learning_rate: file.learning_rate.unwrap_or_default(),
        num_train_epochs: file.num_train_epochs.unwrap_or_default(),
        max_steps: file.max_steps.filter(|steps| *steps != NO_MAX_STEPS).unwrap_or_default(),
        per_device_train_batch_size: file.per_device_train_batch_size.unwrap_or_default(),
        gradient_accumulation_steps: file.gradient_accumulation_steps.unwrap_or_default(),
        warmup_steps: file.warmup_steps.unwrap_or_default(),
        warmup_ratio: file.warmup_ratio.unwrap_or_default(),
        lr_scheduler_type: scheduler(file.lr_scheduler_type).into(),
        weight_decay: file.weight_decay.unwrap_or_default(),
        adam_beta1: file.adam_beta1,
        adam_beta2: file.adam_beta2,
        adam_epsilon: file.adam_epsilon,
        max_grad_norm: file.max_grad_norm,
        seed: file.seed,
        logging_steps: file.logging_steps.unwrap_or_default(),
        eval_steps: file.eval_steps.unwrap_or_default(),
        save_steps: file.save_steps.unwrap_or_default(),
        save_total_limit: file.save_total_limit.unwrap_or_default(),
        early_stopping_patience: file.early_stopping_patience.unwrap_or_default(),
        early_stopping_threshold: file.early_stopping_threshold.unwrap_or_default(),
        weight_dtype: weight_dtype(file)?.into(),
        gradient_checkpointing: file.gradient_checkpointing.unwrap_or_default(),
        activation_memory_bytes: file.activation_memory_bytes.unwrap_or_default(),
        optim: optimizer(file.optim).into(),
        optim_args: file
            .optim_args
            .as_ref()
            .map(|args| proto::OptimArgs { momentum: args.momentum, nesterov: args.nesterov }),
        lr_scheduler_kwargs: file.lr_scheduler_kwargs.as_ref().map(scheduler_kwargs),
        layerwise_lr_decay: file.layerwise_lr_decay.unwrap_or_default(),
        loraplus_lr_ratio: file.loraplus_lr_ratio.unwrap_or_default(),
        label_smoothing_factor: file.label_smoothing_factor.unwrap_or_default(),
        neftune_noise_alpha: file.neftune_noise_alpha.unwrap_or_default(),
        retry_in_f32: file.retry_in_f32.unwrap_or_default(),
    })
}

fn optimizer(optimizer: Option<Optimizer>) -> proto::Optimizer {
    match optimizer {
        None => proto::Optimizer::Unspecified,
        Some(Optimizer::Adamw) => proto::Optimizer::Adamw,
        Some(Optimizer::Adafactor) => proto::Optimizer::Adafactor,
        Some(Optimizer::Sgd) => proto::Optimizer::Sgd,
        Some(Optimizer::Lion) => proto::Optimizer::Lion,
    }
}

fn scheduler(scheduler: Option<Scheduler>) -> proto::LrSchedulerType {
    match scheduler {
        None => proto::LrSchedulerType::Unspecified,
        Some(Scheduler::Linear) => proto::LrSchedulerType::Linear,
        Some(Scheduler::Cosine) => proto::LrSchedulerType::Cosine,
        Some(Scheduler::CosineWithRestarts) => proto::LrSchedulerType::CosineWithRestarts,
        Some(Scheduler::Polynomial) => proto::LrSchedulerType::Polynomial,
        Some(Scheduler::Constant) => proto::LrSchedulerType::Constant,
        Some(Scheduler::ConstantWithWarmup) => proto::LrSchedulerType::ConstantWithWarmup,
        Some(Scheduler::InverseSqrt) => proto::LrSchedulerType::InverseSqrt,
        Some(Scheduler::CosineWithMinLr) => proto::LrSchedulerType::CosineWithMinLr,
        Some(Scheduler::WarmupStableDecay) => proto::LrSchedulerType::WarmupStableDecay,
    }
}

fn scheduler_kwargs(kwargs: &SchedulerKwargs) -> proto::LrSchedulerKwargs {
    proto::LrSchedulerKwargs {
        num_cycles: kwargs.num_cycles,
        min_lr: kwargs.min_lr,
        min_lr_rate: kwargs.min_lr_rate,
        power: kwargs.power,
        lr_end: kwargs.lr_end,
        timescale: kwargs.timescale,
        num_decay_steps: kwargs.num_decay_steps,
        num_stable_steps: kwargs.num_stable_steps,
        warmup_type: kwargs.warmup_type.clone(),
        decay_type: kwargs.decay_type.clone(),
        min_lr_ratio: kwargs.min_lr_ratio,
    }
}

/// transformers has a flag for each narrow format.
fn weight_dtype(file: &TrainFile) -> Result<proto::WeightDtype, String> {
    let flag = |flag: Option<bool>, dtype| flag.unwrap_or_default().then_some(dtype);
    let named = [file.weight_dtype, flag(file.bf16, Dtype::Bf16), flag(file.fp16, Dtype::F16)];
    let mut named = named.into_iter().flatten();
    let dtype = named.next();
    if named.next().is_some() {
        return Err("weight_dtype, bf16 and fp16 exclude each other; leave one".into());
    }
    Ok(match dtype {
        None => proto::WeightDtype::Unspecified,
        Some(Dtype::F32) => proto::WeightDtype::F32,
        Some(Dtype::Bf16) => proto::WeightDtype::Bf16,
        Some(Dtype::F16) => proto::WeightDtype::F16,
    })
}
