//! Jobs against forgetting: Fisher information is measured, and full training holds weights by it.

use proto::{TrainingJobState, training_spec};
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};

use crate::{
    bench::{finetuning, pretraining},
    training::{bench, progress, with},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_matters_is_measured_and_then_held() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let objective = proto::SupervisedObjective { prompt_template: "qa_en".into(), ..Default::default() };
    let measuring = proto::TrainingSpec {
        output: "fishers/tiny".into(),
        method: Some(training_spec::Method::Fisher(proto::FisherMethod { max_rows: 12 })),
        arguments: None,
        objective: Some(training_spec::Objective::Supervised(objective)),
        ..finetuning()
    };
    let job = bench.succeed("fisher", measuring.clone()).await;
    let fisher = bench.store.artifact(&job.result_digest).unwrap();
    let (base, _) = bench.store.alias("baseModels/tiny").unwrap();
    assert_eq!((fisher.kind(), fisher.base_digest.as_str()), (ArtifactKind::Fisher, base.as_str()));
    assert_eq!(fisher.annotations["rows"], "12");
    assert_eq!(bench.store.alias("fishers/tiny").unwrap().0, job.result_digest);
    let told = progress(&bench.events(&job.name).await);
    assert_eq!((told.last().unwrap().step, told.last().unwrap().total_steps), (12, 12));
    assert_eq!(bench.succeed("again", measuring).await.result_digest, job.result_digest);

    let holding = |lambda: f64| {
        let ewc = proto::ElasticWeightConsolidation { fisher: "fishers/tiny".into(), lambda };
        let spec = proto::TrainingSpec {
            output: "baseModels/held".into(),
            method: pretraining().method,
            ewc: Some(ewc),
            ..finetuning()
        };
        with(spec, |arguments| arguments.max_steps = 4)
    };
    let held = bench.succeed("held", holding(10.0)).await;
    assert_eq!(held.state(), TrainingJobState::Succeeded);
    let free = proto::TrainingSpec { ewc: None, ..holding(10.0) };
    assert_ne!(bench.succeed("free", free).await.result_digest, held.result_digest);
    assert_eq!(bench.succeed("held-again", holding(10.0)).await.result_digest, held.result_digest);

    let other = proto::TrainingSpec {
        start: Some(training_spec::Start::BaseModel("baseModels/held".into())),
        ..holding(10.0)
    };
    let request =
        proto::CreateTrainingJobRequest { spec: Some(other), validate_only: true, ..Default::default() };
    let error = bench.training().create_training_job(request).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("spec.ewc.fisher"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_forgets_more_than_it_may_fails_and_one_that_does_not_says_what_is_left() {
    let bench = bench().await;
    let base = bench.succeed("base", pretraining()).await;
    let learning = |min_ratio: f64| {
        let retention = proto::Retention { dataset: "datasets/text".into(), min_ratio };
        let spec = proto::TrainingSpec {
            output: "baseModels/other".into(),
            dataset: "datasets/other".into(),
            start: Some(training_spec::Start::BaseModel("baseModels/tiny".into())),
            retention: Some(retention),
            ..pretraining()
        };
        with(spec, |arguments| (arguments.max_steps, arguments.learning_rate) = (12, 2e-2))
    };
    let other = "9 7 9 7 9 7 9 7 9 7 9 7 9 7 9 7 9 7 9 7 9 7\n".repeat(40);
    bench.store.put(ArtifactKind::Dataset, "datasets/other", &[("text.txt", other.as_bytes())]);
    let measured = bench.succeed("measured", learning(0.0)).await;
    let left: f64 =
        bench.store.artifact(&measured.result_digest).unwrap().annotations["retention"].parse().unwrap();
    assert!(left > 0.0 && left < 0.9, "{left}");
    bench.succeed("enough", learning(0.9 * left)).await;
    let replay = proto::Replay { dataset: "datasets/text".into(), ratio: 0.5 };
    let replayed = proto::TrainingSpec { replay: Some(replay), ..learning(left) };
    let replayed = bench.succeed("replayed", replayed).await;
    let more: f64 =
        bench.store.artifact(&replayed.result_digest).unwrap().annotations["retention"].parse().unwrap();
    assert!(more > left, "{more} of {left}");
    let error = bench.fail("too-little", learning(1.1 * left)).await;
    assert!(error.contains("RETENTION") && error.contains("is left"), "{error}");
    assert_eq!(bench.store.alias("baseModels/tiny").unwrap().0, base.result_digest);
}
