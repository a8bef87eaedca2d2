//! The optimizer and its constants; what another one has is refused, because it would be passed over in silence.

use rootstock_kernels::{AdamWOptions, LionOptions, SgdOptions};
use rootstock_proto::training::v1::{self as proto, Optimizer};

use super::{arguments::FIELDS, numbers::Fields};
use crate::{error::Error, spec::Optim};

const ARGS: Fields = Fields { path: "spec.arguments.optim_args" };

/// Transformers' defaults.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

pub(super) fn optim(from: &proto::TrainingArguments) -> Result<Optim, Error> {
    let Ok(optimizer) = Optimizer::try_from(from.optim) else {
        let message = "is unknown; known are adamw_torch, adafactor, sgd and lion_32bit";
        return Err(FIELDS.invalid("optim", message));
    };
    refuse_foreign(from, optimizer)?;
    Ok(match optimizer {
        Optimizer::Unspecified | Optimizer::Adamw => Optim::AdamW(adamw(from)?),
        Optimizer::Adafactor => Optim::Adafactor,
        Optimizer::Sgd => Optim::Sgd(sgd(&from.optim_args.unwrap_or_default())?),
        Optimizer::Lion => Optim::Lion(lion(from)?),
    })
}

fn refuse_foreign(from: &proto::TrainingArguments, optimizer: Optimizer) -> Result<(), Error> {
    let adamw = matches!(optimizer, Optimizer::Unspecified | Optimizer::Adamw);
    let with_betas = adamw || optimizer == Optimizer::Lion;
    let args = from.optim_args.unwrap_or_default();
    let sgd = optimizer == Optimizer::Sgd;
    let belongs = [
        ("adam_beta1", from.adam_beta1.is_some(), with_betas, "adamw_torch and lion_32bit"),
        ("adam_beta2", from.adam_beta2.is_some(), with_betas, "adamw_torch and lion_32bit"),
        ("adam_epsilon", from.adam_epsilon.is_some(), adamw, "adamw_torch"),
        ("optim_args.momentum", args.momentum != 0.0, sgd, "sgd"),
        ("optim_args.nesterov", args.nesterov, sgd, "sgd"),
    ];
    match belongs.into_iter().find(|(_, set, fits, _)| *set && !fits) {
        Some((field, _, _, whose)) => {
            Err(FIELDS.invalid(field, format!("is only for optim {whose}; take it out")))
        }
        None => Ok(()),
    }
}

fn adamw(from: &proto::TrainingArguments) -> Result<AdamWOptions, Error> {
    let LionOptions { beta1, beta2 } = lion(from)?;
    let eps = from.adam_epsilon.unwrap_or(EPSILON);
    let eps = FIELDS.number("adam_epsilon", eps, f64::MIN_POSITIVE..=1.0, "above 0 and at most 1")?;
    Ok(AdamWOptions { beta1, beta2, eps })
}

fn lion(from: &proto::TrainingArguments) -> Result<LionOptions, Error> {
    let beta1 = share(FIELDS, "adam_beta1", from.adam_beta1.unwrap_or(BETA1))?;
    let beta2 = share(FIELDS, "adam_beta2", from.adam_beta2.unwrap_or(BETA2))?;
    Ok(LionOptions { beta1, beta2 })
}

fn sgd(from: &proto::OptimArgs) -> Result<SgdOptions, Error> {
    let momentum = share(ARGS, "momentum", from.momentum)?;
    if from.nesterov && momentum == 0.0 {
        return Err(ARGS.invalid("nesterov", "needs momentum"));
    }
    Ok(SgdOptions { momentum, nesterov: from.nesterov })
}

fn share(fields: Fields, field: &str, value: f64) -> Result<f64, Error> {
    fields.number(field, value, 0.0..1.0, "at least 0 and below 1")
}
