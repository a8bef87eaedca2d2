//! Jobs on a mix of data sets: what is told of each, that a worker which was cut comes to the same artifact, and what is refused.

use proto::training_event::Event;
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_trainer::worker::{Ended, run};

use crate::{
    bench::{Bench, finetuning, pretraining, questions},
    training::{bench, with},
};

fn mixed(dataset: &str, weight: f64, prompt_template: &str) -> proto::MixedDataset {
    proto::MixedDataset { dataset: dataset.into(), weight, prompt_template: prompt_template.into() }
}

/// Twenty rows in English and five in Chinese, of which the few are seen as often as the many.
fn two(bench: &Bench) -> proto::TrainingSpec {
    let rows = questions(5).replace("how many foxes run", "foxes");
    bench.store.put(ArtifactKind::Dataset, "datasets/few", &[("rows.jsonl", rows.as_bytes())]);
    let datasets = vec![mixed("datasets/questions", 1.0, ""), mixed("datasets/few", 1.0, "qa_zh")];
    let mix = Some(proto::DatasetMix { datasets, temperature: 0.0 });
    proto::TrainingSpec { dataset: String::new(), mix, validation_split: 0.2, ..finetuning() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_data_set_is_seen_in_its_share_and_told_of() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let job = bench.succeed("mix", two(&bench)).await;
    let ready = bench.events(&job.name).await.into_iter().find_map(|event| match event {
        Event::DataReady(ready) => Some(ready),
        _ => None,
    });
    let ready = ready.unwrap();
    let rows = |dataset: &str, train_rows, validation_rows, rows_per_pass| proto::MixedRows {
        dataset: dataset.into(),
        train_rows,
        validation_rows,
        rows_per_pass,
        dropped_rows: 0,
        truncated_rows: 0,
    };
    assert_eq!(ready.mixed, [rows("datasets/questions", 16, 4, 10), rows("datasets/few", 4, 1, 10)]);
    assert_eq!((ready.train_rows, ready.validation_rows), (20, 5));
    let artifact = bench.store.artifact(&job.result_digest).unwrap();
    let digests = ["questions", "few"].map(|name| bench.store.alias(&format!("datasets/{name}")).unwrap().0);
    assert_eq!(artifact.annotations["dataset_digest"], digests.join(" "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_in_a_mix_is_replaced_and_aliases_that_moved_change_nothing() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let spec = with(two(&bench), |arguments| (arguments.max_steps, arguments.save_steps) = (240, 5));
    let undisturbed = bench.succeed("undisturbed", spec.clone()).await;
    let job = bench.create("cut", spec).await;
    bench.store.put(ArtifactKind::Dataset, "datasets/few", &[("rows.jsonl", b"no rows any more")]);
    let (token, pid) = bench.worker_of(&job).await;
    let first = tokio::spawn(run(bench.worker_args(&job, &token)));
    bench.saves(&job).await;
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    assert_eq!(first.await.unwrap().unwrap(), Ended::LeaseLost);
    let (token, _) = bench.worker_of(&job).await;
    assert_eq!(run(bench.worker_args(&job, &token)).await.unwrap(), Ended::Succeeded);
    assert_eq!(bench.job(&job).await.result_digest, undisturbed.result_digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_one_data_set_of_a_mix_names_it() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let with_second = |second: proto::MixedDataset| {
        let mut spec = two(&bench);
        spec.mix.as_mut().unwrap().datasets[1] = second;
        spec
    };
    let refused = [
        (mixed("datasets/none", 1.0, ""), None, "spec.mix.datasets[1].dataset"),
        (mixed("datasets/text", 1.0, ""), Some("spec.mix.datasets[1].dataset"), "holds no *.jsonl"),
        (
            mixed("datasets/few", 1.0, "chat"),
            Some("spec.mix.datasets[1].prompt_template"),
            "no chat template",
        ),
    ];
    for (second, field, words) in refused {
        let spec = Some(with_second(second));
        let request = proto::CreateTrainingJobRequest { spec, validate_only: true, ..Default::default() };
        let error = bench.training().create_training_job(request).await.unwrap_err();
        assert_eq!(error.field.as_deref(), field, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    let long = format!("{{\"instruction\": \"{}\", \"output\": \"b\"}}", "why ".repeat(200));
    bench.store.put(ArtifactKind::Dataset, "datasets/long", &[("rows.jsonl", long.as_bytes())]);
    let error = bench.fail("long", with_second(mixed("datasets/long", 1.0, ""))).await;
    assert!(error.contains("NOTHING_TO_TRAIN") && error.contains("spec.mix.datasets[1].dataset"), "{error}");
}
