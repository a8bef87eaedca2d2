//! Schedules of the learning rate: the settings that each has, and those that are another's.

use super::*;
use crate::spec::{Curve, Phases};

#[test]
fn a_schedule_is_taken_with_its_own_settings() {
    let found = |kind: proto::LrSchedulerType, kwargs: proto::LrSchedulerKwargs| {
        let spec = with(|a| {
            (a.learning_rate, a.lr_scheduler_type) = (1e-3, kind.into());
            a.lr_scheduler_kwargs = Some(kwargs);
        });
        Spec::try_from(&spec).unwrap().arguments.scheduler
    };
    let unset = proto::LrSchedulerKwargs::default;
    let cosine = |num_cycles, min_rate| Scheduler::Cosine { num_cycles, min_rate };
    assert_eq!(found(proto::LrSchedulerType::Cosine, unset()), cosine(0.5, 0.0));
    let min_lr = proto::LrSchedulerKwargs { min_lr: Some(2.5e-4), num_cycles: 1.5, ..unset() };
    assert_eq!(found(proto::LrSchedulerType::CosineWithMinLr, min_lr), cosine(1.5, 0.25));
    let restarts = Scheduler::CosineWithRestarts { num_cycles: 1.0 };
    assert_eq!(found(proto::LrSchedulerType::CosineWithRestarts, unset()), restarts);
    assert_eq!(found(proto::LrSchedulerType::ConstantWithWarmup, unset()), Scheduler::Constant);
    let inverse = Scheduler::InverseSqrt { timescale: None };
    assert_eq!(found(proto::LrSchedulerType::InverseSqrt, unset()), inverse);
    let square = proto::LrSchedulerKwargs { power: 2.0, lr_end: Some(1e-4), ..unset() };
    let Scheduler::Polynomial { power, end_rate } = found(proto::LrSchedulerType::Polynomial, square) else {
        panic!("not polynomial")
    };
    assert_eq!((power, end_rate), (2.0, 0.1));
    let kwargs = proto::LrSchedulerKwargs { num_decay_steps: 7, decay_type: "1-sqrt".into(), ..unset() };
    let phases = Phases {
        warmup: Curve::Linear,
        stable_steps: None,
        decay: Curve::OneMinusRoot,
        decay_steps: 7,
        min_rate: 0.0,
    };
    let stable = found(proto::LrSchedulerType::WarmupStableDecay, kwargs);
    assert_eq!(stable, Scheduler::WarmupStableDecay(phases));
}

#[test]
fn settings_of_another_schedule_and_missing_ones_are_refused_by_name() {
    use proto::LrSchedulerType as Type;
    let unset = proto::LrSchedulerKwargs::default;
    let cases = [
        ("num_cycles", Type::Linear, proto::LrSchedulerKwargs { num_cycles: 2.0, ..unset() }),
        (
            "num_cycles",
            Type::WarmupStableDecay,
            proto::LrSchedulerKwargs {
                num_cycles: 3.0,
                num_decay_steps: 5,
                decay_type: "linear".into(),
                ..unset()
            },
        ),
        ("num_cycles", Type::Cosine, proto::LrSchedulerKwargs { num_cycles: -2.0, ..unset() }),
        ("min_lr", Type::CosineWithMinLr, unset()),
        ("min_lr", Type::CosineWithMinLr, proto::LrSchedulerKwargs { min_lr: Some(1.0), ..unset() }),
        ("min_lr", Type::Cosine, proto::LrSchedulerKwargs { min_lr: Some(0.0), ..unset() }),
        (
            "min_lr_rate",
            Type::CosineWithMinLr,
            proto::LrSchedulerKwargs { min_lr: Some(0.0), min_lr_rate: Some(0.0), ..unset() },
        ),
        ("lr_end", Type::Polynomial, proto::LrSchedulerKwargs { lr_end: Some(1.0), ..unset() }),
        ("timescale", Type::InverseSqrt, proto::LrSchedulerKwargs { timescale: -1, ..unset() }),
        ("num_decay_steps", Type::WarmupStableDecay, unset()),
        (
            "decay_type",
            Type::WarmupStableDecay,
            proto::LrSchedulerKwargs { num_decay_steps: 1, decay_type: "steep".into(), ..unset() },
        ),
    ];
    for (field, kind, kwargs) in cases {
        let spec = with(|a| (a.lr_scheduler_type, a.lr_scheduler_kwargs) = (kind.into(), Some(kwargs)));
        assert_eq!(refused(&spec).0, format!("spec.arguments.lr_scheduler_kwargs.{field}"));
    }
}
