//! What can be measured, and what can be held by it.

use super::*;

/// A measurement on questions.
fn fisher() -> proto::TrainingSpec {
    let method = training_spec::Method::Fisher(proto::FisherMethod { max_rows: 40 });
    proto::TrainingSpec { output: "fishers/greeter".into(), method: Some(method), ..supervised() }
}

/// Full training that holds weights.
fn held() -> proto::TrainingSpec {
    proto::TrainingSpec {
        output: "baseModels/other".into(),
        method: causal().method,
        ewc: Some(proto::ElasticWeightConsolidation { fisher: "fishers/greeter".into(), lambda: 5.0 }),
        ..supervised()
    }
}

fn shuffled(spec: &mut proto::TrainingSpec, span_shuffle: f64) {
    if let Some(training_spec::Objective::Supervised(objective)) = &mut spec.objective {
        objective.span_shuffle = span_shuffle;
    }
}

fn mixed(spec: &mut proto::TrainingSpec) {
    let dataset = std::mem::take(&mut spec.dataset);
    let datasets = vec![proto::MixedDataset { dataset, ..Default::default() }];
    spec.mix = Some(proto::DatasetMix { datasets, temperature: 0.0 });
}

#[test]
fn a_measurement_is_of_a_base_model_and_takes_what_it_reads_alone() {
    let spec = Spec::try_from(&fisher()).unwrap();
    assert_eq!(spec.method, Method::Fisher(crate::spec::Fisher { max_rows: Some(40) }));
    let with = |change: fn(&mut proto::TrainingSpec)| {
        let mut spec = fisher();
        change(&mut spec);
        spec
    };
    for (spec, field, words) in [
        (with(|spec| spec.output = "baseModels/a".into()), "spec.output", "fishers/{id}"),
        (with(|spec| spec.validation_split = 0.1), "spec.fisher", "validates nothing"),
        (
            proto::TrainingSpec { output: "fishers/a".into(), method: fisher().method, ..masked() },
            "spec.fisher",
            "base_model",
        ),
        (with(mixed), "spec.mix", "each row once"),
        (with(|spec| shuffled(spec, 0.5)), "spec.supervised.span_shuffle", "as they are"),
        (
            with(|spec| spec.arguments.get_or_insert_default().learning_rate = 1e-3),
            "spec.arguments",
            "logging_steps",
        ),
    ] {
        let (found, message) = refused(&spec);
        assert_eq!(found, field);
        assert!(message.contains(words), "{message}");
    }
    let seeded = with(|spec| spec.arguments.get_or_insert_default().seed = Some(3));
    assert_eq!(Spec::try_from(&seeded).unwrap().arguments.seed, 3);
}

#[test]
fn weights_are_held_in_full_training_of_a_base_model() {
    let elastic = Spec::try_from(&held()).unwrap().elastic.unwrap();
    assert_eq!((elastic.fisher.to_string().as_str(), elastic.lambda), ("fishers/greeter", 5.0));
    let lora = proto::TrainingSpec { ewc: held().ewc, ..supervised() };
    let new = proto::TrainingSpec { ewc: held().ewc, ..causal() };
    for (spec, words) in [(lora, "set method full"), (new, "set base_model")] {
        let (field, message) = refused(&spec);
        assert!(field == "spec.ewc" && message.contains(words), "{field}: {message}");
    }
    let grown = proto::TrainingSpec { added_tokens: vec!["<a>".into()], ..held() };
    assert_eq!(refused(&grown).0, "spec.ewc");
    let weak = proto::ElasticWeightConsolidation { lambda: 0.0, ..held().ewc.unwrap() };
    assert_eq!(refused(&proto::TrainingSpec { ewc: Some(weak), ..held() }).0, "spec.ewc.lambda");
    let other = proto::ElasticWeightConsolidation { fisher: "datasets/a".into(), lambda: 1.0 };
    assert_eq!(refused(&proto::TrainingSpec { ewc: Some(other), ..held() }).0, "spec.ewc.fisher");
}

#[test]
fn a_share_of_the_rows_is_of_earlier_data() {
    let replayed = |spec: proto::TrainingSpec, ratio: f64| proto::TrainingSpec {
        replay: Some(proto::Replay { dataset: "datasets/old".into(), ratio }),
        ..spec
    };
    let replay = Spec::try_from(&replayed(supervised(), 0.25)).unwrap().replay.unwrap();
    assert_eq!((replay.dataset.to_string().as_str(), replay.ratio), ("datasets/old", 0.25));
    for ratio in [0.0, 1.0, f64::NAN] {
        assert_eq!(refused(&replayed(supervised(), ratio)).0, "spec.replay.ratio");
    }
    assert_eq!(refused(&replayed(fisher(), 0.25)).0, "spec.fisher");
}

#[test]
fn what_must_be_left_is_of_something_learnt_before() {
    let retention = proto::Retention { dataset: "datasets/old".into(), min_ratio: 0.9 };
    let asked = |spec: proto::TrainingSpec, min_ratio: f64| proto::TrainingSpec {
        retention: Some(proto::Retention { min_ratio, ..retention.clone() }),
        ..spec
    };
    let kept = Spec::try_from(&asked(supervised(), 0.9)).unwrap().retention.unwrap();
    assert_eq!((kept.dataset.to_string().as_str(), kept.min_ratio), ("datasets/old", 0.9));
    assert_eq!(refused(&asked(causal(), 0.9)).0, "spec.retention");
    assert_eq!(refused(&asked(supervised(), 1.1)).0, "spec.retention.min_ratio");
    assert_eq!(refused(&asked(fisher(), 0.9)).0, "spec.fisher");
}
