//! Whole jobs, computed by the real worker: what they make, that they make it again, and how they end otherwise.

use proto::{TrainingJobState, training_event::Event, training_spec};
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_text::TextTokenizer;
use rootstock_trainer::worker::{Ended, run};

use crate::bench::{Bench, Script, eventually, finetuning, pretraining};

impl Bench {
    /// Computes a job to its end with the real worker, in this process.
    async fn compute(&self, id: &str, spec: proto::TrainingSpec) -> (Ended, proto::TrainingJob) {
        let job = self.create(id, spec).await;
        let (token, _) = self.worker_of(&job).await;
        let ended = run(self.worker_args(&job, &token)).await.unwrap();
        (ended, self.job(&job).await)
    }

    pub(crate) async fn succeed(&self, id: &str, spec: proto::TrainingSpec) -> proto::TrainingJob {
        let (ended, job) = self.compute(id, spec).await;
        assert_eq!((ended, job.state()), (Ended::Succeeded, TrainingJobState::Succeeded), "{}", job.error);
        job
    }

    pub(crate) async fn fail(&self, id: &str, spec: proto::TrainingSpec) -> String {
        let (ended, job) = self.compute(id, spec).await;
        assert_eq!((ended, job.state()), (Ended::Failed, TrainingJobState::Failed));
        job.error
    }
}

pub(crate) fn with(
    mut spec: proto::TrainingSpec,
    change: impl FnOnce(&mut proto::TrainingArguments),
) -> proto::TrainingSpec {
    change(spec.arguments.get_or_insert_default());
    spec
}

/// Played workers block the only slot until they are gone, so these tests have several.
pub(crate) async fn bench() -> Bench {
    Bench::with(Script::Played, |config| config.workers = 16).await
}

pub(crate) fn progress(events: &[Event]) -> Vec<proto::TrainingProgress> {
    let of = |event: &Event| match event {
        Event::Progress(progress) => Some(*progress),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_model_is_pre_trained_and_its_alias_moved() {
    let bench = bench().await;
    let spec = proto::TrainingSpec { validation_split: 0.1, ..pretraining() };
    let job = bench.succeed("base", spec).await;
    assert_eq!(bench.store.alias("baseModels/tiny"), Some((job.result_digest.clone(), 1)));
    let artifact = bench.store.artifact(&job.result_digest).unwrap();
    let files: Vec<_> = artifact.blobs.iter().map(|blob| blob.path.as_str()).collect();
    assert_eq!(files, ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    assert_eq!((artifact.kind(), artifact.parent.as_str()), (ArtifactKind::BaseModel, "baseModels/tiny"));
    assert!(artifact.tokenizer_digest.starts_with("sha256:"));
    let events = bench.events(&job.name).await;
    let progress = progress(&events);
    assert_eq!(progress.iter().map(|p| p.step).collect::<Vec<_>>(), [4, 8, 12]);
    assert!(progress[2].loss < progress[0].loss, "{progress:?}");
    assert!(progress.iter().all(|p| p.tokens_per_second > 0.0 && p.grad_norm > 0.0 && p.total_steps == 12));
    let evaluated = events.iter().filter_map(|event| match event {
        Event::Evaluated(evaluated) => Some((evaluated.step, evaluated.eval_loss)),
        _ => None,
    });
    let evaluated: Vec<_> = evaluated.collect();
    assert_eq!((evaluated[0].0, evaluated[1].0), (0, 12));
    assert!(evaluated[1].1 < evaluated[0].1);
    let last = job.progress.unwrap();
    assert_eq!((last.step, last.eval_loss), (12, Some(evaluated[1].1)));
    assert!(events.iter().any(|event| matches!(event, Event::DataReady(ready)
        if ready.validation_rows > 0 && ready.trainable_parameters == ready.total_parameters)));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_a_job_adds_have_rows_and_ids_of_their_own_in_what_it_makes() {
    let bench = bench().await;
    let base = bench.succeed("base", pretraining()).await;
    let tokens = ["little foxes run over the", "<hill>"];
    let adding = |tokens: &[&str]| proto::TrainingSpec {
        output: "baseModels/tools".into(),
        start: Some(training_spec::Start::BaseModel("baseModels/tiny".into())),
        added_tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
        ..with(pretraining(), |arguments| (arguments.max_steps, arguments.save_steps) = (4, 2))
    };
    let made = bench.succeed("tools", adding(&tokens)).await;
    let file = |digest: &str, name: &str| bench.store.file(digest, name).unwrap();
    let tokenizer = |digest: &str| {
        let config = file(digest, "tokenizer_config.json");
        TextTokenizer::from_files(&file(digest, "tokenizer.json"), Some(&config)).unwrap()
    };
    let (before, after) = (tokenizer(&base.result_digest), tokenizer(&made.result_digest));
    for (i, token) in tokens.iter().enumerate() {
        let id = (before.vocab_size() + i) as u32;
        assert_eq!(after.encode_ids(token, false).unwrap(), [id], "{token}");
        assert!(before.encode_ids(token, false).unwrap().len() > 1);
    }
    let vocab_size = |digest: &str| {
        let config: serde_json::Value = serde_json::from_slice(&file(digest, "config.json")).unwrap();
        config["vocab_size"].as_u64().unwrap()
    };
    assert_eq!(vocab_size(&made.result_digest), vocab_size(&base.result_digest) + 2);
    // The text is full of the first token, which was several ids before.
    let read = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::DataReady(ready) => Some(ready.train_tokens),
            _ => None,
        })
    };
    let tokens_of = async |job: &proto::TrainingJob| read(&bench.events(&job.name).await).unwrap();
    assert!(tokens_of(&made).await < tokens_of(&base).await);
    let artifact = |digest: &str| bench.store.artifact(digest).unwrap();
    let stored = bench.store.of_kind(ArtifactKind::Tokenizer).into_iter().map(|digest| artifact(&digest));
    assert_eq!(stored.filter(|artifact| artifact.parent == "tokenizers/tools").count(), 1);
    let digests = [&base, &made].map(|job| artifact(&job.result_digest).tokenizer_digest);
    assert_ne!(digests[0], digests[1]);
    assert_eq!(digests[1].trim_start_matches("sha256:"), after.digest());

    let error = bench.fail("again", adding(&["<new>", "<|endoftext|>"])).await;
    assert!(error.contains("spec.added_tokens") && error.contains("a token already"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_four_combinations_of_objective_and_method_are_trained() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let base = Some(training_spec::Start::BaseModel("baseModels/tiny".into()));
    let short = |spec| with(spec, |arguments| arguments.max_steps = 2);
    let adapter = bench.succeed("questions-lora", short(finetuning())).await;
    let artifact = bench.store.artifact(&adapter.result_digest).unwrap();
    let (base_digest, moved) = bench.store.alias("baseModels/tiny").unwrap();
    assert_eq!((artifact.kind(), artifact.base_digest), (ArtifactKind::Adapter, base_digest));
    assert_eq!(artifact.parent, "adapters/foxes");
    assert!(bench.store.alias("adapters/foxes").is_none(), "publishing is the adapter service's");
    let text_lora = proto::TrainingSpec {
        dataset: "datasets/text".into(),
        objective: pretraining().objective,
        ..finetuning()
    };
    bench.succeed("text-lora", short(text_lora)).await;
    let full = |objective: proto::TrainingSpec, output: &str| proto::TrainingSpec {
        output: output.into(),
        start: base.clone(),
        method: pretraining().method,
        ..objective
    };
    bench.succeed("questions-full", short(full(finetuning(), "baseModels/answers"))).await;
    bench.succeed("text-full", short(full(pretraining(), "baseModels/tiny"))).await;
    assert_eq!(bench.store.alias("baseModels/tiny").unwrap().1, moved + 1);
    assert!(bench.store.alias("baseModels/answers").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_learns_to_fill_in_what_was_cut_out_of_text() {
    use proto::denoiser::Corruption;
    let bench = bench().await;
    let denoiser = |corruption, prefix_token: &str| proto::Denoiser {
        corruption: Some(corruption),
        prefix_token: prefix_token.to_owned(),
        ..Default::default()
    };
    let spec = |denoisers: Vec<proto::Denoiser>| {
        let objective = proto::InfillingObjective { max_length: 40, denoisers };
        let objective = Some(training_spec::Objective::Infilling(objective));
        proto::TrainingSpec { objective, validation_split: 0.2, ..pretraining() }
    };
    let spans = denoiser(Corruption::Spans(proto::SpanCorruption::default()), "");
    let rest = |prefix| denoiser(Corruption::Continuation(proto::ContinuationCorruption {}), prefix);
    let job = bench.succeed("mixture", spec(vec![spans.clone(), rest("[S]")])).await;
    let events = bench.events(&job.name).await;
    let losses: Vec<f64> = progress(&events).iter().map(|progress| progress.loss).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
    let ready = events.iter().find_map(|event| match event {
        Event::DataReady(ready) => Some(ready.clone()),
        _ => None,
    });
    let ready = ready.unwrap();
    assert!(
        ready.train_rows > 0 && ready.loss_tokens > 0 && ready.loss_tokens < ready.train_tokens,
        "{ready:?}"
    );
    let again = bench.succeed("again", spec(vec![spans, rest("[S]")])).await;
    assert_eq!(job.result_digest, again.result_digest);
    let unknown = bench.fail("unknown", spec(vec![rest("[NOPE]")])).await;
    assert!(
        unknown.contains("spec.infilling.denoisers[0].prefix_token") && unknown.contains("[NOPE]"),
        "{unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_jobs_make_equal_artifacts_whatever_they_are_called() {
    let bench = bench().await;
    let first = bench.succeed("one", pretraining()).await;
    let output = "baseModels/other".to_owned();
    let second = bench.succeed("two", proto::TrainingSpec { output, ..pretraining() }).await;
    assert_eq!(first.result_digest, second.result_digest);
    let seed = bench.succeed("three", with(pretraining(), |arguments| arguments.seed = Some(1))).await;
    assert_ne!(first.result_digest, seed.result_digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_in_the_middle_is_replaced_and_the_artifact_is_the_same() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let spec = with(finetuning(), |arguments| (arguments.max_steps, arguments.save_steps) = (240, 5));
    let undisturbed = bench.succeed("undisturbed", spec.clone()).await;
    let job = bench.create("cut", spec).await;
    bench.cut(&job).await;
    let (token, _) = bench.worker_of(&job).await;
    assert_eq!(run(bench.worker_args(&job, &token)).await.unwrap(), Ended::Succeeded);
    let resumed = bench.job(&job).await;
    assert_eq!(resumed.attempts, 2);
    let events = bench.events(&job).await;
    assert!(
        events.iter().any(|event| matches!(event, Event::Resumed(resumed) if resumed.step > 0)),
        "{events:?}"
    );
    assert_eq!(resumed.result_digest, undisturbed.result_digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_worker_stops_by_itself() {
    let bench = bench().await;
    let spec = with(pretraining(), |arguments| arguments.max_steps = 100_000);
    let job = bench.create("long", spec).await;
    let (token, _) = bench.worker_of(&job).await;
    let worker = tokio::spawn(run(bench.worker_args(&job, &token)));
    eventually("steps are made", async || bench.job(&job).await.progress).await;
    bench.training().cancel_training_job(&job).await.unwrap();
    assert_eq!(worker.await.unwrap().unwrap(), Ended::Cancelled);
    assert!(bench.store.alias("baseModels/tiny").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_not_finite_end_the_job_or_send_it_back_to_the_last_good_state_once() {
    let bench = bench().await;
    let explodes = |retry_in_f32| {
        with(pretraining(), |arguments| {
            arguments.optim = proto::Optimizer::Sgd.into();
            (arguments.learning_rate, arguments.max_grad_norm) = (100.0, Some(0.0));
            (arguments.save_steps, arguments.logging_steps, arguments.max_steps) = (1, 1, 500);
            arguments.weight_dtype = proto::WeightDtype::Bf16.into();
            arguments.retry_in_f32 = retry_in_f32;
        })
    };
    for (id, retries) in [("ends", false), ("retries", true)] {
        let error = bench.fail(id, explodes(retries)).await;
        assert!(error.contains("step ") && error.contains("not finite"), "{error}");
        let events = bench.events(&format!("trainingJobs/{id}")).await;
        let mut saved = events.iter().filter_map(|event| match event {
            Event::StateSaved(saved) => Some(saved.digest.clone()),
            _ => None,
        });
        let last = saved.next_back().expect("the first step is finite");
        assert!(error.contains(&format!("the last good state is {last}")), "{error}");
        let back = events.iter().filter(|event| matches!(event, Event::Resumed(_))).count();
        assert_eq!(back, usize::from(retries), "{id}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_can_not_be_trained_on_fails_the_job_with_file_row_and_field() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let rows = |name: &str, file: &str, bytes: &[u8]| {
        bench.store.put(ArtifactKind::Dataset, &format!("datasets/{name}"), &[(file, bytes)]);
        proto::TrainingSpec { dataset: format!("datasets/{name}"), ..finetuning() }
    };
    let lacks = rows(
        "lacks",
        "rows.jsonl",
        b"{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": \"a\"}\n",
    );
    let error = bench.fail("lacks", lacks).await;
    for part in ["spec.dataset", "rows.jsonl", "row 2", "output"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = bench.fail("latin", rows("latin", "rows.jsonl", b"{\"instruction\": \"\xE9\"}")).await;
    assert!(error.contains("UTF-8"), "{error}");
    let question = "why ".repeat(200);
    let long = format!("{{\"instruction\": \"{question}\", \"output\": \"b\"}}");
    let error = bench.fail("long", rows("long", "rows.jsonl", long.as_bytes())).await;
    assert!(error.contains("NOTHING_TO_TRAIN"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_fail_later_is_refused_at_creation_and_a_default_length_fits_itself_to_the_base() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let supervised = |max_length, prompt_template: &str| {
        let prompt_template = prompt_template.to_owned();
        let objective = proto::SupervisedObjective { prompt_template, max_length, ..Default::default() };
        proto::TrainingSpec {
            objective: Some(training_spec::Objective::Supervised(objective)),
            ..finetuning()
        }
    };
    let text = proto::TrainingSpec { dataset: "datasets/text".into(), ..finetuning() };
    let refused = [
        (supervised(4096, "qa_en"), "spec.supervised.max_length", "max_position_embeddings = 128"),
        (supervised(64, "chat"), "spec.supervised.prompt_template", "no chat template"),
        (text, "spec.dataset", "*.jsonl"),
    ];
    for (spec, field, words) in refused {
        let request =
            proto::CreateTrainingJobRequest { spec: Some(spec), validate_only: true, ..Default::default() };
        let error = bench.training().create_training_job(request).await.unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    bench.succeed("default", supervised(0, "qa_en")).await;
}
