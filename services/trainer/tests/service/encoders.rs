//! Jobs of encoders, computed by the real worker: what they learn, what they make, and what they are not for.

use proto::{training_event::Event, training_spec};
use rootstock_model::{AnyConfig, Task};
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_text::{TrainOptions, train_byte_level_bpe};
use rootstock_trainer::worker::{Ended, run};

use crate::{
    bench::{Bench, finetuning, pretraining, text},
    training::{bench, progress, with},
};

/// A server whose store has a tokenizer with BERT's tokens.
pub(crate) async fn with_bert() -> Bench {
    let bench = bench().await;
    let special_tokens = ["<|endoftext|>", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned).to_vec();
    let options = TrainOptions { vocab_size: 300, special_tokens, ..TrainOptions::default() };
    let files = train_byte_level_bpe(std::iter::once(text()), &options).unwrap();
    let (json, config) = (files.tokenizer_json, files.tokenizer_config_json);
    let files: [(&str, &[u8]); 2] = [("tokenizer.json", &json), ("tokenizer_config.json", &config)];
    bench.store.put(ArtifactKind::Tokenizer, "tokenizers/bert", &files);
    let lines: String = text().lines().map(|line| format!("{{\"text\": \"{line}\"}}\n")).collect();
    bench.store.put(ArtifactKind::Dataset, "datasets/lines", &[("lines.jsonl", lines.as_bytes())]);
    let rows = labelled(&["fox", "hill"], 40);
    bench.store.put(ArtifactKind::Dataset, "datasets/labels", &[("rows.jsonl", rows.as_bytes())]);
    bench
}

/// Texts that name their label.
pub(crate) fn labelled(labels: &[&str], count: usize) -> String {
    let row = |n: usize| {
        let label = labels[n % labels.len()];
        format!("{{\"text\": \"the {label} of day {n}\", \"label\": \"{label}\"}}\n")
    };
    (0..count).map(row).collect()
}

/// Teaches an encoder of random weights to tell labels.
pub(crate) fn classification() -> proto::TrainingSpec {
    proto::TrainingSpec {
        dataset: "datasets/labels".into(),
        objective: Some(training_spec::Objective::Classification(Default::default())),
        ..masked()
    }
}

fn labels_of(bench: &Bench, digest: &str) -> Task {
    let config = bench.store.file(digest, "config.json").unwrap();
    match AnyConfig::from_json(&config).unwrap() {
        AnyConfig::Encoder(config) => config.task,
        AnyConfig::Decoder(config) => panic!("a decoder: {config:?}"),
    }
}

/// Pre-trains an encoder that a test can train in seconds.
fn masked() -> proto::TrainingSpec {
    proto::TrainingSpec {
        output: "baseModels/encoder".into(),
        dataset: "datasets/lines".into(),
        start: Some(training_spec::Start::NewEncoder(proto::NewEncoder {
            tokenizer: "tokenizers/bert".into(),
            hidden_size: 32,
            intermediate_size: 64,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            max_position_embeddings: 64,
            ..Default::default()
        })),
        objective: Some(training_spec::Objective::Masked(proto::MaskedObjective {
            whole_word_mask: true,
            ..Default::default()
        })),
        ..pretraining()
    }
}

pub(crate) fn on_encoder(spec: proto::TrainingSpec) -> proto::TrainingSpec {
    proto::TrainingSpec {
        start: Some(training_spec::Start::BaseModel("baseModels/encoder".into())),
        method: pretraining().method,
        output: "baseModels/other".into(),
        ..spec
    }
}

async fn assert_refused(bench: &Bench, spec: proto::TrainingSpec, field: &str, words: &str) {
    let request =
        proto::CreateTrainingJobRequest { spec: Some(spec), validate_only: true, ..Default::default() };
    let error = bench.training().create_training_job(request).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some(field), "{error}");
    assert!(error.message.contains(words), "{error}");
}

/// Computes a job once undisturbed, and once with a worker that is killed in the middle: both make the same artifact.
async fn assert_resumes(bench: &Bench, spec: proto::TrainingSpec) {
    let spec = with(spec, |arguments| (arguments.max_steps, arguments.save_steps) = (240, 5));
    let undisturbed = bench.succeed("undisturbed", spec.clone()).await;
    let job = bench.create("cut", spec).await;
    bench.cut(&job).await;
    let (token, _) = bench.worker_of(&job).await;
    assert_eq!(run(bench.worker_args(&job, &token)).await.unwrap(), Ended::Succeeded);
    let events = bench.events(&job).await;
    assert!(events.iter().any(|event| matches!(event, Event::Resumed(resumed) if resumed.step > 0)));
    assert_eq!(bench.job(&job).await.result_digest, undisturbed.result_digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_learns_hidden_words_and_goes_on_from_the_store() {
    let bench = with_bert().await;
    let first = proto::TrainingSpec { validation_split: 0.2, ..masked() };
    let job = bench.succeed("encoder", first).await;
    let events = bench.events(&job.name).await;
    let losses: Vec<f64> = progress(&events).iter().map(|progress| progress.loss).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
    let ready = events.iter().find_map(|event| match event {
        Event::DataReady(ready) => Some(ready.clone()),
        _ => None,
    });
    let ready = ready.unwrap();
    assert!(ready.train_rows == 48 && ready.validation_rows == 12, "{ready:?}");
    assert!(0 < ready.loss_tokens && ready.loss_tokens < ready.train_tokens / 3, "{ready:?}");
    assert_eq!(labels_of(&bench, &job.result_digest), Task::MaskedLm);
    let again = bench.succeed("on", on_encoder(masked())).await;
    assert_ne!(again.result_digest, job.result_digest);

    bench.succeed("decoder", pretraining()).await;
    let infilling = Some(training_spec::Objective::Infilling(Default::default()));
    let on_decoder = proto::TrainingSpec {
        start: Some(training_spec::Start::BaseModel("baseModels/tiny".into())),
        ..masked()
    };
    for (spec, words) in [
        (on_decoder, "is a decoder"),
        (on_encoder(pretraining()), "causal needs a decoder"),
        (on_encoder(finetuning()), "supervised needs a decoder"),
        (proto::TrainingSpec { objective: infilling, ..on_encoder(masked()) }, "infilling needs a decoder"),
    ] {
        assert_refused(&bench, spec, "spec.base_model", words).await;
    }
    let mut without_mask = masked();
    if let Some(training_spec::Start::NewEncoder(model)) = &mut without_mask.start {
        model.tokenizer = "tokenizers/tiny".into();
    }
    let error = bench.fail("without-mask", without_mask).await;
    assert!(error.contains("mask_token") && error.contains("[MASK]"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_job_cut_in_the_middle_makes_the_same_artifact() {
    Box::pin(assert_resumes(&with_bert().await, masked())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classification_job_cut_in_the_middle_makes_the_same_artifact() {
    Box::pin(assert_resumes(&with_bert().await, classification())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_classified_by_all_weights_or_by_a_head_on_a_frozen_encoder() {
    let bench = with_bert().await;
    bench.succeed("encoder", masked()).await;
    let whole =
        with(proto::TrainingSpec { validation_split: 0.2, ..on_encoder(classification()) }, |arguments| {
            arguments.max_steps = 240;
        });
    let job = bench.succeed("whole", whole.clone()).await;
    let labels = Task::Classification(vec!["fox".into(), "hill".into()]);
    assert_eq!(labels_of(&bench, &job.result_digest), labels);
    let evaluated = job.progress.unwrap().eval_loss.unwrap();
    assert!(evaluated < 0.35, "{evaluated}, where chance has 0.69");

    let frozen = proto::ClassificationObjective { freeze_encoder: true, ..Default::default() };
    let frozen = Some(training_spec::Objective::Classification(frozen));
    let head = proto::TrainingSpec { objective: frozen.clone(), ..on_encoder(classification()) };
    let job = bench.succeed("head", head).await;
    let ready = bench.events(&job.name).await.into_iter().find_map(|event| match event {
        Event::DataReady(ready) => Some(ready),
        _ => None,
    });
    let ready = ready.unwrap();
    assert_eq!((ready.train_rows, ready.trainable_parameters), (40, 32 * 32 + 32 + 2 * 32 + 2));
    assert!(ready.total_parameters > 10 * ready.trainable_parameters, "{ready:?}");
    assert_eq!(labels_of(&bench, &job.result_digest), labels);

    let error = proto::TrainingSpec { objective: frozen, ..classification() };
    assert_refused(&bench, error, "spec.classification.freeze_encoder", "base_model").await;
    let text = proto::TrainingSpec { dataset: "datasets/text".into(), ..classification() };
    assert_refused(&bench, text, "spec.dataset", "classification needs rows").await;
    let put = |name: &str, rows: String| {
        bench.store.put(ArtifactKind::Dataset, &format!("datasets/{name}"), &[("a.jsonl", rows.as_bytes())]);
        format!("datasets/{name}")
    };
    let one = proto::TrainingSpec { dataset: put("one", labelled(&["fox"], 3)), ..classification() };
    assert!(bench.fail("one", one).await.contains("1 different labels"));
    let validation_dataset = put("other", labelled(&["fox", "north"], 4));
    let error = bench.fail("other", proto::TrainingSpec { validation_dataset, ..classification() }).await;
    assert!(error.contains("spec.validation_dataset") && error.contains("north"), "{error}");
}
