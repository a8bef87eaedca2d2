//! What stages have of their own, what they take from the specification, and what doesn't go with them.

use super::*;
use crate::spec::{Data, Full, Stage};

/// Full training of a base model.
fn full() -> proto::TrainingSpec {
    proto::TrainingSpec { output: "baseModels/other".into(), method: causal().method, ..supervised() }
}

fn staged(stages: Vec<proto::TrainingStage>) -> proto::TrainingSpec {
    proto::TrainingSpec { stages, ..full() }
}

fn of(change: impl FnOnce(&mut proto::TrainingStage)) -> proto::TrainingStage {
    let mut stage = proto::TrainingStage::default();
    change(&mut stage);
    stage
}

fn arguments_of(spec: &proto::TrainingSpec) -> Vec<Arguments> {
    let spec = Spec::try_from(spec).unwrap();
    (0..spec.stages().len()).map(|stage| spec.arguments_of(stage)).collect()
}

#[test]
fn a_job_without_stages_is_one_stage_with_nothing_of_its_own() {
    let spec = Spec::try_from(&full()).unwrap();
    assert_eq!((spec.stages.len(), spec.stages().to_vec()), (0, vec![Stage::default()]));
    assert_eq!(spec.arguments_of(0), spec.arguments);
}

#[test]
fn what_a_stage_does_not_say_is_the_specifications() {
    let mut spec = staged(vec![
        of(|_| {}),
        of(|stage| (stage.max_steps, stage.learning_rate, stage.warmup_steps) = (7, 0.5, Some(0))),
        of(|stage| (stage.num_train_epochs, stage.warmup_ratio) = (2.0, Some(0.25))),
    ]);
    spec.arguments = Some(proto::TrainingArguments {
        max_steps: 9,
        learning_rate: 0.1,
        warmup_steps: 3,
        lr_scheduler_type: proto::LrSchedulerType::CosineWithMinLr.into(),
        lr_scheduler_kwargs: Some(proto::LrSchedulerKwargs { min_lr: Some(0.01), ..Default::default() }),
        ..Default::default()
    });
    let stages = arguments_of(&spec);
    let said = |stage: &Arguments| (stage.length, stage.learning_rate, stage.warmup, stage.seed);
    assert_eq!(said(&stages[0]), (Length::Steps(9), 0.1, Warmup::Steps(3), 42));
    assert_eq!(said(&stages[1]), (Length::Steps(7), 0.5, Warmup::Ratio(0.0), 43));
    assert_eq!(said(&stages[2]), (Length::Epochs(2.0), 0.1, Warmup::Ratio(0.25), 44));
    let lowest = |stage: &Arguments| match stage.scheduler {
        Scheduler::Cosine { min_rate, .. } => min_rate * stage.learning_rate,
        _ => f64::NAN,
    };
    assert!(
        stages.iter().all(|stage| (lowest(stage) - 0.01).abs() < 1e-15),
        "the floor is no share of the peak"
    );
}

#[test]
fn stages_bring_data_and_weights_of_their_own() {
    let mut spec = staged(vec![
        of(|stage| stage.dataset = "datasets/a".into()),
        of(|stage| {
            let datasets = vec![proto::MixedDataset { dataset: "datasets/b".into(), ..Default::default() }];
            stage.mix = Some(proto::DatasetMix { datasets, temperature: 0.0 });
            stage.trainable_modules = vec!["lm_head".into()];
        }),
    ]);
    spec.dataset.clear();
    let read = Spec::try_from(&spec).unwrap();
    assert_eq!(read.data, Data::Dataset("datasets/a".parse().unwrap()));
    assert!(matches!(read.stages[1].data, Some(Data::Mix { .. })));
    let head = Full { trainable_modules: vec!["lm_head".into()], ..Full::default() };
    assert_eq!((&read.stages[0].full, &read.stages[1].full), (&None, &Some(head)));
    spec.dataset = "datasets/c".into();
    assert!(refused(&spec).1.contains("trained on by no stage"));
}

#[test]
fn what_a_stage_cannot_have_is_refused_by_its_place() {
    let bad = |change: fn(&mut proto::TrainingStage)| staged(vec![of(|_| {}), of(change)]);
    let with = |change: fn(&mut proto::TrainingSpec)| {
        let mut spec = bad(|_| {});
        change(&mut spec);
        spec
    };
    let modules = |stage: &mut proto::TrainingStage| stage.frozen_modules = vec!["lm_head".into()];
    for (spec, field, words) in [
        (staged(vec![of(|_| {}); 33]), "spec.stages", "at most 32"),
        (bad(|stage| stage.dataset = "adapters/a".into()), "spec.stages[1].dataset", "datasets/{id}"),
        (bad(|stage| stage.max_steps = -1), "spec.stages[1].max_steps", "from 0 to"),
        (bad(|stage| stage.learning_rate = f64::NAN), "spec.stages[1].learning_rate", "above 0"),
        (bad(|stage| stage.warmup_ratio = Some(2.0)), "spec.stages[1].warmup_ratio", "from 0 to 1"),
        (
            bad(|stage| (stage.max_steps, stage.num_train_epochs) = (1, 1.0)),
            "spec.stages[1].num_train_epochs",
            "leave one",
        ),
        (
            bad(|stage| (stage.warmup_steps, stage.warmup_ratio) = (Some(1), Some(0.5))),
            "spec.stages[1].warmup_ratio",
            "leave one",
        ),
        (
            bad(|stage| stage.trainable_modules = vec!["re:(".into()]),
            "spec.stages[1].trainable_modules[0]",
            "no expression",
        ),
        (
            proto::TrainingSpec { stages: vec![of(modules)], ..supervised() },
            "spec.stages[0].frozen_modules",
            "only for full",
        ),
        (
            proto::TrainingSpec { stages: vec![of(modules)], ..causal() },
            "spec.stages[0].frozen_modules",
            "base_model",
        ),
        (
            with(|spec| {
                let every = proto::FullMethod { unfreeze_every_steps: 5, ..Default::default() };
                spec.method = Some(training_spec::Method::Full(every));
            }),
            "spec.full.unfreeze_every_steps",
            "stages",
        ),
        (
            with(|spec| {
                spec.output = "fishers/a".into();
                spec.method = Some(training_spec::Method::Fisher(proto::FisherMethod::default()));
            }),
            "spec.stages",
            "fisher",
        ),
        (with(|spec| spec.dataset.clear()), "spec.dataset", "is missing"),
        (
            with(|spec| {
                let kwargs = proto::LrSchedulerKwargs { lr_end: Some(1e-5), ..Default::default() };
                let arguments = spec.arguments.get_or_insert_default();
                arguments.lr_scheduler_type = proto::LrSchedulerType::Polynomial.into();
                arguments.lr_scheduler_kwargs = Some(kwargs);
                spec.stages[1].learning_rate = 1e-6;
            }),
            "spec.arguments.lr_scheduler_kwargs.lr_end",
            "in spec.stages[1]",
        ),
    ] {
        let (found, message) = refused(&spec);
        assert_eq!(found, field, "{message}");
        assert!(message.contains(words), "{field}: {message}");
    }
}
