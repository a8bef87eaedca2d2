//! Jobs that end in evaluation and publication: what passes is served, what does not leaves no trace, whatever is killed or cancelled on
//! the way.
use std::time::Duration;

use rootstock_client::proto::checkpoint::v1::Alias;
use rootstock_client::proto::inference::v1::{EvaluationMetric, EvaluationState};
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_client::proto::training::v1::{
    Publication, PublicationCanary, PublicationResult, TrainingArguments, TrainingJob, TrainingJobState,
    TrainingSpec, training_spec,
};
use rootstock_client::{Clients, ErrorReason};
use rootstock_test_support::server::signal;
use rootstock_test_support::{
    Server, ServerOptions, eventually, fixtures, generate, jobs, prompt_request, rootstock,
};

use crate::{ROOTSTOCK, refusal};

const ADAPTER: &str = "adapters/colours";
const SOON: Duration = Duration::from_secs(60);
/// Longer than any test takes.
const FOR_EVER: i32 = 600;
/// Rows that take long enough for an evaluation to be seen at work.
const MANY_ROWS: usize = 300;

/// What every adapter passes that is no worse than any other.
fn lenient() -> Publication {
    Publication {
        dataset: "datasets/rows".into(),
        max_tokens: 8,
        metric: EvaluationMetric::Perplexity.into(),
        threshold: Some(1e9),
        ..Publication::default()
    }
}

/// What no adapter passes.
fn strict() -> Publication {
    Publication { threshold: Some(1.0), ..lenient() }
}

fn tried(publication: Publication, min_seconds: i32) -> Publication {
    Publication { canary: Some(PublicationCanary { share: 0.5, min_seconds }), ..publication }
}

/// Jobs with different seeds make different adapters.
fn spec(seed: u64, publication: Publication) -> TrainingSpec {
    let spec = jobs::lora_spec("colours", 60, 0);
    let arguments = TrainingArguments { seed: Some(seed), ..spec.arguments.unwrap_or_default() };
    TrainingSpec { arguments: Some(arguments), publication: Some(publication), ..spec }
}

/// A server on which a first job has published its adapter; gives the digest.
async fn published() -> (Server, String) {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let rows = fixtures::rows(MANY_ROWS);
    fixtures::store_data(&clients, "many", "rows.jsonl", rows).await.unwrap();
    // Nothing is published: the adapter must be better than the base model, and there is nothing to stand beside.
    let better = Publication { threshold: None, min_improvement: Some(0.0), ..tried(lenient(), FOR_EVER) };
    let job = begin(&clients, 1, better).await;
    let job = jobs::succeeded(&clients, &job).await;
    let result = job.publication_result.clone().unwrap();
    let gate = result.gate.clone().unwrap();
    assert!(result.published && gate.passed && result.reason.is_empty(), "{result:?}");
    assert_eq!((gate.published_generation, result.canary_generation), (1, 0));
    assert!(gate.reason.contains("the base model"), "{gate:?}");
    assert_eq!(stands(&clients).await, (1, job.result_digest.clone(), None));
    (server, job.result_digest)
}

async fn begin(clients: &Clients, seed: u64, publication: Publication) -> String {
    jobs::create(clients, spec(seed, publication)).await.unwrap().name
}

async fn alias(clients: &Clients) -> Alias {
    clients.checkpoint().get_alias(ADAPTER).await.unwrap()
}

/// Generation, version and canary of the alias.
async fn stands(clients: &Clients) -> (i64, String, Option<String>) {
    let alias = alias(clients).await;
    (alias.generation, alias.digest, alias.canary.map(|canary| canary.digest))
}

/// Waits until a job's publication has come as far as `far` says.
async fn until(clients: &Clients, job: &str, far: impl Fn(&PublicationResult) -> bool) -> PublicationResult {
    jobs::event(clients, job, "the publication comes further", |event| match event {
        Event::Publication(result) if far(result) => Some(result.clone()),
        _ => None,
    })
    .await
}

/// Waits until a job's adapter is the canary.
async fn on_trial(clients: &Clients, job: &str) {
    until(clients, job, |result| result.canary_generation > 0).await;
}

/// What answers a request.
async fn answering(clients: &Clients) -> String {
    let request = prompt_request(ADAPTER, "Question: colour 1?\nAnswer:", 4);
    generate(clients, request).await.unwrap().started.adapter_digest
}

async fn job(clients: &Clients, name: &str) -> TrainingJob {
    clients.training().get_training_job(name).await.unwrap()
}

/// How often a job has read its data: once for each training from the beginning.
async fn trainings(clients: &Clients, name: &str) -> usize {
    let events = jobs::events(clients, name).await;
    events.iter().filter(|event| matches!(event.event, Some(Event::DataReady(_)))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_served_and_what_does_not_leaves_the_alias_as_it_was() {
    let (server, first) = published().await;
    let clients = server.clients();
    assert_eq!(answering(&clients).await, first);

    let failed = jobs::succeeded(&clients, &begin(&clients, 2, tried(strict(), 0)).await).await;
    let result = failed.publication_result.unwrap();
    assert!(!result.published && result.reason.contains("did not pass the gate: perplexity"), "{result:?}");
    assert!(!result.gate.unwrap().passed);
    assert_eq!(result.canary_generation, 2, "it was tried");
    assert_eq!(stands(&clients).await, (3, first.clone(), None), "its canary is gone");
    assert_eq!(answering(&clients).await, first);
    clients.checkpoint().get_artifact(&failed.result_digest).await.unwrap();
    let evaluation = clients.evaluation().get_evaluation(&result.evaluation).await.unwrap();
    assert_eq!(evaluation.results[0].adapter_digest, failed.result_digest);

    let passed = jobs::succeeded(&clients, &begin(&clients, 3, tried(lenient(), 1)).await).await;
    assert!(passed.publication_result.unwrap().published);
    assert_eq!(stands(&clients).await, (5, passed.result_digest.clone(), None));
    assert_eq!(answering(&clients).await, passed.result_digest);

    let shown = ["jobs", "show", passed.name.trim_start_matches("trainingJobs/")];
    let shown = rootstock(ROOTSTOCK, server.endpoint(), &shown).await.ok();
    assert!(shown.contains("published as generation 5: perplexity"), "{shown}");

    let no_canary = jobs::succeeded(&clients, &begin(&clients, 4, strict()).await).await;
    assert!(!no_canary.publication_result.unwrap().published);
    assert_eq!(stands(&clients).await, (5, passed.result_digest, None), "nothing has moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_a_canary_keeps_it_from_being_published() {
    let (server, first) = published().await;
    let clients = server.clients();
    let name = begin(&clients, 2, tried(lenient(), 3)).await;
    on_trial(&clients, &name).await;
    clients.adapters().rollback_adapter(ADAPTER, 0).await.unwrap();
    let result = jobs::succeeded(&clients, &name).await.publication_result.unwrap();
    assert!(result.reason.contains("was ended before it was judged"), "{result:?}");
    assert_eq!(stands(&clients).await, (3, first, None));

    let name = begin(&clients, 3, tried(lenient(), 3)).await;
    on_trial(&clients, &name).await;
    clients.adapters().retire_adapter(ADAPTER, None).await.unwrap();
    let result = jobs::succeeded(&clients, &name).await.publication_result.unwrap();
    assert!(result.reason.contains("was ended before it was judged"), "{result:?}");
    let gone = clients.checkpoint().get_alias(ADAPTER).await.unwrap_err();
    assert!(gone.is(ErrorReason::NotFound), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_worker_and_server_while_publishing_ends_in_one_promotion() {
    let (mut server, _) = published().await;
    let clients = server.clients();
    let name =
        begin(&clients, 2, tried(Publication { dataset: "datasets/many".into(), ..lenient() }, 2)).await;
    on_trial(&clients, &name).await;
    signal("KILL", server.worker().await).await;
    until(&clients, &name, |result| !result.evaluation.is_empty()).await;
    signal("KILL", server.worker().await).await;
    let done = jobs::succeeded(&clients, &name).await;
    assert!(done.publication_result.unwrap().published && done.attempts >= 2);
    assert_eq!(stands(&clients).await, (3, done.result_digest, None), "one canary and one promotion");
    assert_eq!(trainings(&clients, &name).await, 1, "what is stored is not trained again");

    let name = begin(&clients, 3, tried(strict(), 2)).await;
    on_trial(&clients, &name).await;
    server.kill9(true).await;
    server.start_again().await;
    let clients = server.clients();
    let (_, before, _) = stands(&clients).await;
    let done = jobs::succeeded(&clients, &name).await;
    assert!(!done.publication_result.unwrap().published);
    assert_eq!(stands(&clients).await, (5, before, None), "one canary, and its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_rests_while_publishing_and_a_cancelled_one_takes_its_canary_back() {
    let (server, first) = published().await;
    let clients = server.clients();
    let training = clients.training();
    let name = begin(&clients, 2, tried(lenient(), FOR_EVER)).await;
    on_trial(&clients, &name).await;
    training.pause_training_job(&name).await.unwrap();
    let paused = eventually(SOON, "the job is paused", || async {
        Some(job(&clients, &name).await).filter(|job| job.state() == TrainingJobState::Paused)
    })
    .await;
    assert_eq!(stands(&clients).await, (2, first.clone(), Some(paused.result_digest)));
    training.resume_training_job(&name).await.unwrap();
    eventually(SOON, "it goes on", || async {
        (job(&clients, &name).await.state() == TrainingJobState::Running).then_some(())
    })
    .await;
    training.cancel_training_job(&name).await.unwrap();
    let result = eventually(SOON, "the canary is taken back", || async {
        let result = job(&clients, &name).await.publication_result?;
        (!result.reason.is_empty()).then_some(result)
    })
    .await;
    assert!(!result.published && result.reason.contains("was cancelled"), "{result:?}");
    assert_eq!(stands(&clients).await, (3, first, None));
    assert_eq!(trainings(&clients, &name).await, 1);
    training.delete_training_job(&name).await.unwrap();
}

/// Begins a job without a canary, and waits until its evaluation, which takes a while, is there.
async fn evaluated(clients: &Clients) -> (String, String) {
    let job = begin(clients, 2, Publication { dataset: "datasets/many".into(), ..lenient() }).await;
    let evaluation = until(clients, &job, |result| !result.evaluation.is_empty()).await.evaluation;
    eventually(SOON, "the evaluation is there", || async {
        clients.evaluation().get_evaluation(&evaluation).await.ok()
    })
    .await;
    (job, evaluation)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_ends_with_a_pause_and_begins_anew_when_the_job_goes_on() {
    let (server, first) = published().await;
    let clients = server.clients();
    let training = clients.training();
    let (name, begun) = evaluated(&clients).await;
    training.pause_training_job(&name).await.unwrap();
    eventually(SOON, "the job is paused", || async {
        (job(&clients, &name).await.state() == TrainingJobState::Paused).then_some(())
    })
    .await;
    let ended = clients.evaluation().get_evaluation(&begun).await.unwrap();
    assert_eq!(ended.state(), EvaluationState::Cancelled);
    assert_eq!(stands(&clients).await, (1, first, None));
    training.resume_training_job(&name).await.unwrap();
    let done = jobs::succeeded(&clients, &name).await;
    let result = done.publication_result.unwrap();
    assert!(result.published && result.evaluation != begun, "{result:?}");
    assert_eq!(stands(&clients).await, (2, done.result_digest, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_for_a_job_is_taken_back_if_the_job_is_cancelled_before_it_hears_of_it() {
    let (server, first) = published().await;
    let clients = server.clients();
    let (name, begun) = evaluated(&clients).await;
    let evaluations = clients.evaluation();
    signal("STOP", server.worker().await).await;
    eventually(SOON, "it has published", || async {
        let state = evaluations.get_evaluation(&begun).await.ok()?.state();
        (state == EvaluationState::Succeeded).then_some(())
    })
    .await;
    assert_eq!(stands(&clients).await.0, 2);
    clients.training().cancel_training_job(&name).await.unwrap();
    eventually(SOON, "the alias has its version again", || async {
        (stands(&clients).await == (3, first.clone(), None)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_refused_when_the_job_is_created() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    fixtures::store_data(&clients, "text", "text.txt", "the sea").await.unwrap();
    let refused = async |spec: TrainingSpec, reason| refusal(jobs::create(&clients, spec).await, reason);
    let unknown = Publication { dataset: "datasets/nobody".into(), ..lenient() };
    let told = refused(spec(1, unknown), ErrorReason::NotFound).await;
    assert!(told.contains("spec.publication.dataset"), "{told}");
    let text = Publication { dataset: "datasets/text".into(), ..lenient() };
    let told = refused(spec(1, text), ErrorReason::InvalidField).await;
    assert!(told.contains("spec.publication.dataset: holds text.txt"), "{told}");
    let chat = Publication { prompt_template: "chat".into(), ..lenient() };
    let told = refused(spec(1, chat), ErrorReason::InvalidField).await;
    assert!(told.contains("spec.publication.prompt_template"), "{told}");
    let full = TrainingSpec {
        output: "baseModels/other".into(),
        method: Some(training_spec::Method::Full(Default::default())),
        ..spec(1, lenient())
    };
    let told = refused(full, ErrorReason::InvalidField).await;
    assert!(told.contains("spec.publication"), "{told}");

    // A store is there, but nothing that evaluates.
    let store = ServerOptions::new(ROOTSTOCK).args(&["--role", "checkpoint"]).start().await;
    let alone = ServerOptions::new(ROOTSTOCK)
        .args(&["--role", "tokenizer,trainer"])
        .env("ROOTSTOCK_CHECKPOINT_ENDPOINT", store.endpoint())
        .env("ROOTSTOCK_INFERENCE_ENDPOINT", store.endpoint())
        .start()
        .await;
    let clients = alone.clients_beside(&store);
    fixtures::stage(&clients).await;
    let told = refusal(jobs::create(&clients, spec(1, lenient())).await, ErrorReason::WrongState);
    assert!(told.contains("needs the inference service"), "{told}");
}
