//! Jobs in stages and versions that go on from one another: what is told, that a worker which was cut comes to the same artifact, and what
//! is refused.

use proto::{training_event::Event, training_spec::Start};
use rootstock_client::ClientError;
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_trainer::worker::{Ended, run};

use crate::{
    bench::{Bench, finetuning, pretraining, questions},
    data::audit,
    training::{bench, progress, with},
};

fn full() -> proto::TrainingSpec {
    proto::TrainingSpec { output: "baseModels/next".into(), method: pretraining().method, ..finetuning() }
}

/// The last layer on many rows, then all but the embedding on few and with another rate.
fn staged(bench: &Bench) -> proto::TrainingSpec {
    let rows = questions(5).replace("how many foxes run", "foxes");
    bench.store.put(ArtifactKind::Dataset, "datasets/few", &[("rows.jsonl", rows.as_bytes())]);
    let first = proto::TrainingStage {
        trainable_modules: vec!["layers.1".into(), "model.norm".into()],
        ..proto::TrainingStage::default()
    };
    let second = proto::TrainingStage {
        dataset: "datasets/few".into(),
        frozen_modules: vec!["embed_tokens".into()],
        learning_rate: 1e-3,
        max_steps: 3,
        ..proto::TrainingStage::default()
    };
    let spec = proto::TrainingSpec { stages: vec![first, second], ..full() };
    with(spec, |arguments| (arguments.max_steps, arguments.save_steps, arguments.logging_steps) = (4, 2, 1))
}

async fn refused(bench: &Bench, spec: proto::TrainingSpec) -> ClientError {
    let request =
        proto::CreateTrainingJobRequest { spec: Some(spec), validate_only: true, ..Default::default() };
    bench.training().create_training_job(request).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_has_its_data_its_weights_and_its_steps() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let job = bench.succeed("staged", staged(&bench)).await;
    let events = bench.events(&job.name).await;
    let told = progress(&events);
    let seen: Vec<_> = told.iter().map(|told| (told.step, told.total_steps, told.stage)).collect();
    assert_eq!(seen, (1..=7).map(|step| (step, 7, 1 + i64::from(step > 4))).collect::<Vec<_>>());
    assert_eq!(job.progress.unwrap().stage, 2);
    let stages: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::StageChange(change) => Some(*change),
            _ => None,
        })
        .collect();
    let of =
        |stage: &proto::TrainingStageChange| (stage.stage, stage.step, stage.stage_steps, stage.train_rows);
    assert_eq!(stages.iter().map(of).collect::<Vec<_>>(), [(1, 0, 4, 20), (2, 4, 3, 5)]);
    assert!(stages[0].trainable_parameters < stages[1].trainable_parameters);
    let ready = events.iter().find_map(|event| match event {
        Event::DataReady(ready) => Some(ready),
        _ => None,
    });
    assert_eq!(ready.unwrap().train_rows, 25);
    let artifact = bench.store.artifact(&job.result_digest).unwrap();
    let digests = ["questions", "few"].map(|name| bench.store.alias(&format!("datasets/{name}")).unwrap().0);
    assert_eq!(artifact.annotations["dataset_digest"], digests.join(" "));
    assert_eq!(artifact.annotations["steps"], "7");

    let audited = audit(&bench, staged(&bench)).await;
    assert_eq!(
        audited.mixed.iter().map(|set| set.rows).collect::<Vec<_>>(),
        [20, 5],
        "an audit covers every stage"
    );
    assert!(audited.dataset.is_none() && audited.refusals.is_empty(), "{:?}", audited.refusals);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_in_a_stage_is_replaced_and_aliases_that_moved_change_nothing() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let mut spec = staged(&bench);
    // The first state comes in the second stage.
    (spec.stages[0].max_steps, spec.stages[1].max_steps) = (3, 240);
    let spec = with(spec, |arguments| arguments.save_steps = 5);
    let undisturbed = bench.succeed("undisturbed", spec.clone()).await;
    let job = bench.create("cut", spec).await;
    bench.store.put(ArtifactKind::Dataset, "datasets/few", &[("rows.jsonl", b"no rows any more")]);
    bench.cut(&job).await;
    let (token, _) = bench.worker_of(&job).await;
    assert_eq!(run(bench.worker_args(&job, &token)).await.unwrap(), Ended::Succeeded);
    assert_eq!(bench.job(&job).await.result_digest, undisturbed.result_digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stage_names_and_is_not_there_is_refused_by_its_place() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let with_second = |change: fn(&mut proto::TrainingStage)| {
        let mut spec = staged(&bench);
        change(&mut spec.stages[1]);
        spec
    };
    let text = refused(&bench, with_second(|stage| stage.dataset = "datasets/text".into())).await;
    assert_eq!(text.field.as_deref(), Some("spec.stages[1].dataset"), "{text}");
    let none = refused(&bench, with_second(|stage| stage.dataset = "datasets/none".into())).await;
    assert!(none.message.contains("spec.stages[1].dataset"), "{none}");
    let module = refused(&bench, with_second(|stage| stage.frozen_modules = vec!["no_head".into()])).await;
    assert_eq!(module.field.as_deref(), Some("spec.stages[1].frozen_modules[0]"), "{module}");
    let mut validated = staged(&bench);
    (validated.validation_dataset, validated.validation_split) = ("datasets/few".into(), 0.0);
    let validated = refused(&bench, validated).await;
    assert_eq!(validated.field.as_deref(), Some("spec.validation_dataset"), "{validated}");
    let bad = b"{\"instruction\": \"a\"}";
    bench.store.put(ArtifactKind::Dataset, "datasets/bad", &[("rows.jsonl", bad)]);
    let failed = bench.fail("bad", with_second(|stage| stage.dataset = "datasets/bad".into())).await;
    assert!(failed.contains("spec.stages[1].dataset") && failed.contains("rows.jsonl"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_goes_on_with_the_optimizer_of_the_one_before_as_long_as_that_is_there() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let unsaved = with(full(), |arguments| (arguments.max_steps, arguments.save_steps) = (3, 0));
    let first = with(full(), |arguments| (arguments.max_steps, arguments.save_steps) = (5, 2));
    let next = |keep_optimizer_state| proto::TrainingSpec {
        start: Some(Start::BaseModel("baseModels/next".into())),
        output: "baseModels/after".into(),
        keep_optimizer_state,
        ..first.clone()
    };
    bench.succeed("unsaved", unsaved).await;
    let error = refused(&bench, next(true)).await;
    assert_eq!(error.field.as_deref(), Some("spec.keep_optimizer_state"), "{error}");
    assert!(error.message.contains("no state after its last step, 3"), "{error}");

    let before = bench.succeed("first", first.clone()).await;
    let lion = with(next(true), |arguments| arguments.optim = proto::Optimizer::Lion.into());
    let error = refused(&bench, lion).await;
    assert!(error.message.contains("nothing to lion_32bit"), "{error}");
    let kept = bench.succeed("kept", next(true)).await;
    let anew = bench.succeed("anew", next(false)).await;
    assert_ne!(kept.result_digest, anew.result_digest);

    let lora = with(finetuning(), |arguments| (arguments.max_steps, arguments.save_steps) = (5, 2));
    let adapter = bench.succeed("adapter", lora.clone()).await;
    let on = |keep_optimizer_state| proto::TrainingSpec {
        start: Some(Start::BaseAdapter(adapter.result_digest.clone())),
        method: Some(proto::training_spec::Method::Lora(proto::LoraMethod::default())),
        keep_optimizer_state,
        ..lora.clone()
    };
    let kept_on = bench.succeed("adapter-kept", on(true)).await;
    assert_ne!(kept_on.result_digest, bench.succeed("adapter-anew", on(false)).await.result_digest);

    let head = proto::FullMethod { trainable_modules: vec!["model.norm".into()], ..Default::default() };
    let head = proto::TrainingSpec { method: Some(proto::training_spec::Method::Full(head)), ..next(true) };
    let failed = bench.fail("head", head).await;
    assert!(
        failed.contains("spec.keep_optimizer_state") && failed.contains("only one of the two"),
        "{failed}"
    );

    let waiting = bench.create("waiting", next(true)).await;
    bench.training().delete_training_job(&before.name).await.unwrap();
    let error = refused(&bench, next(true)).await;
    assert!(error.message.contains("no job is known that made"), "{error}");
    let (token, _) = bench.worker_of(&waiting).await;
    assert_eq!(run(bench.worker_args(&waiting, &token)).await.unwrap(), Ended::Succeeded);
    assert_eq!(
        bench.job(&waiting).await.result_digest,
        kept.result_digest,
        "the state stays as long as it is needed"
    );
}
