//! The schedule of the learning rate and its settings; those of another schedule are refused, because they would be passed over in
//! silence.

use rootstock_proto::training::v1::{self as proto, LrSchedulerType as Type};

use super::{
    arguments::{FIELDS, MAX_STEPS},
    numbers::{Fields, or_default},
};
use crate::{
    error::Error,
    spec::{Curve, Phases, Scheduler},
};

const KWARGS: Fields = Fields { path: "spec.arguments.lr_scheduler_kwargs" };

const MAX_CYCLES: f64 = 1e6;
const MAX_POWER: f64 = 100.0;
/// Transformers' defaults.
const WAVES: f64 = 0.5;
const FALLS: f64 = 1.0;
const POWER: f64 = 1.0;
const LR_END: f64 = 1e-7;

/// Checks the schedule; rates become shares of the peak.
pub(super) fn scheduler(from: &proto::TrainingArguments, peak: f64) -> Result<Scheduler, Error> {
    let Ok(kind) = Type::try_from(from.lr_scheduler_type) else {
        let message = "is unknown; known are linear, cosine, cosine_with_restarts, polynomial, constant, \
                       constant_with_warmup, inverse_sqrt, cosine_with_min_lr and warmup_stable_decay";
        return Err(FIELDS.invalid("lr_scheduler_type", message));
    };
    let kwargs = from.lr_scheduler_kwargs.clone().unwrap_or_default();
    refuse_foreign(&kwargs, kind)?;
    Ok(match kind {
        Type::Unspecified | Type::Linear => Scheduler::Linear,
        Type::Constant | Type::ConstantWithWarmup => Scheduler::Constant,
        Type::Cosine => Scheduler::Cosine { num_cycles: cycles(&kwargs, WAVES)?, min_rate: 0.0 },
        Type::CosineWithMinLr => {
            Scheduler::Cosine { num_cycles: cycles(&kwargs, WAVES)?, min_rate: min_rate(&kwargs, peak)? }
        }
        Type::CosineWithRestarts => Scheduler::CosineWithRestarts { num_cycles: cycles(&kwargs, FALLS)? },
        Type::Polynomial => polynomial(&kwargs, peak)?,
        Type::InverseSqrt => {
            let timescale = KWARGS.whole("timescale", kwargs.timescale, 0, MAX_STEPS)?;
            Scheduler::InverseSqrt { timescale: Some(timescale).filter(|steps| *steps > 0) }
        }
        Type::WarmupStableDecay => Scheduler::WarmupStableDecay(phases(&kwargs)?),
    })
}

fn refuse_foreign(kwargs: &proto::LrSchedulerKwargs, kind: Type) -> Result<(), Error> {
    let cosines = [Type::Cosine, Type::CosineWithMinLr, Type::CosineWithRestarts, Type::WarmupStableDecay];
    let (stable, min_lr) = ([Type::WarmupStableDecay], [Type::CosineWithMinLr]);
    let belongs: [(&str, bool, &[Type]); 11] = [
        ("num_cycles", kwargs.num_cycles != 0.0, &cosines),
        ("min_lr", kwargs.min_lr.is_some(), &min_lr),
        ("min_lr_rate", kwargs.min_lr_rate.is_some(), &min_lr),
        ("power", kwargs.power != 0.0, &[Type::Polynomial]),
        ("lr_end", kwargs.lr_end.is_some(), &[Type::Polynomial]),
        ("timescale", kwargs.timescale != 0, &[Type::InverseSqrt]),
        ("num_decay_steps", kwargs.num_decay_steps != 0, &stable),
        ("num_stable_steps", kwargs.num_stable_steps.is_some(), &stable),
        ("warmup_type", !kwargs.warmup_type.is_empty(), &stable),
        ("decay_type", !kwargs.decay_type.is_empty(), &stable),
        ("min_lr_ratio", kwargs.min_lr_ratio != 0.0, &stable),
    ];
    match belongs.into_iter().find(|(_, set, types)| *set && !types.contains(&kind)) {
        Some((field, _, types)) => {
            let whose: Vec<String> = types.iter().map(|kind| name(*kind)).collect();
            let message = format!("is only for lr_scheduler_type {}; take it out", whose.join(", "));
            Err(KWARGS.invalid(field, message))
        }
        None => Ok(()),
    }
}

/// A schedule's name as transformers has it.
fn name(kind: Type) -> String {
    kind.as_str_name().trim_start_matches("LR_SCHEDULER_TYPE_").to_lowercase()
}

fn cycles(kwargs: &proto::LrSchedulerKwargs, default: f64) -> Result<f64, Error> {
    let cycles = or_default(kwargs.num_cycles, default);
    KWARGS.number("num_cycles", cycles, f64::MIN_POSITIVE..=MAX_CYCLES, "above 0 and at most 1e6")
}

fn min_rate(kwargs: &proto::LrSchedulerKwargs, peak: f64) -> Result<f64, Error> {
    match (kwargs.min_lr, kwargs.min_lr_rate) {
        (None, None) => Err(KWARGS.invalid("min_lr", "is missing; set it or min_lr_rate")),
        (Some(_), Some(_)) => Err(KWARGS.invalid("min_lr_rate", "excludes min_lr; take one out")),
        (Some(lr), None) => {
            KWARGS.number("min_lr", lr, 0.0..=peak, "from 0 to learning_rate").map(|lr| lr / peak)
        }
        (None, Some(rate)) => KWARGS.number("min_lr_rate", rate, 0.0..=1.0, "from 0 to 1"),
    }
}

fn polynomial(kwargs: &proto::LrSchedulerKwargs, peak: f64) -> Result<Scheduler, Error> {
    let power = or_default(kwargs.power, POWER);
    let lr_end = kwargs.lr_end.unwrap_or(LR_END);
    Ok(Scheduler::Polynomial {
        power: KWARGS.number("power", power, f64::MIN_POSITIVE..=MAX_POWER, "above 0 and at most 100")?,
        end_rate: KWARGS.number("lr_end", lr_end, 0.0..peak, "at least 0 and below learning_rate")? / peak,
    })
}

fn phases(kwargs: &proto::LrSchedulerKwargs) -> Result<Phases, Error> {
    let decay_steps = KWARGS.whole("num_decay_steps", kwargs.num_decay_steps, 0, MAX_STEPS)?;
    if decay_steps == 0 {
        return Err(KWARGS.invalid("num_decay_steps", "is missing; say over how many steps the rate falls"));
    }
    let stable_steps = kwargs.num_stable_steps;
    let stable_steps = stable_steps.map(|steps| KWARGS.whole("num_stable_steps", steps, 0, MAX_STEPS));
    if kwargs.num_cycles != 0.0 && !["", "cosine"].contains(&kwargs.decay_type.as_str()) {
        return Err(KWARGS.invalid("num_cycles", "is only for decay_type cosine; take it out"));
    }
    let num_cycles = cycles(kwargs, WAVES)?;
    Ok(Phases {
        warmup: curve("warmup_type", &kwargs.warmup_type, Curve::Linear, num_cycles)?,
        stable_steps: stable_steps.transpose()?,
        decay: curve("decay_type", &kwargs.decay_type, Curve::Cosine { num_cycles }, num_cycles)?,
        decay_steps,
        min_rate: KWARGS.number("min_lr_ratio", kwargs.min_lr_ratio, 0.0..=1.0, "from 0 to 1")?,
    })
}

fn curve(field: &str, name: &str, default: Curve, num_cycles: f64) -> Result<Curve, Error> {
    match name {
        "" => Ok(default),
        "linear" => Ok(Curve::Linear),
        "cosine" => Ok(Curve::Cosine { num_cycles }),
        "1-sqrt" => Ok(Curve::OneMinusRoot),
        _ => Err(KWARGS.invalid(field, "is unknown; known are linear, cosine and 1-sqrt")),
    }
}
