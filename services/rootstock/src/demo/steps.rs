//! The demo's steps over gRPC: each is what any client would do, and nothing reaches around the services.

use futures::StreamExt;
use rootstock_client::proto::inference::v1 as inference;
use rootstock_client::proto::tokenization::v1::{Tokenizer, TrainTokenizerRequest};
use rootstock_client::proto::training::v1::{
    CreateTrainingJobRequest, TrainingJob, TrainingJobState, TrainingSpec, training_event::Event,
};
use rootstock_client::{ArtifactDraft, Clients, Expect, Kind, Progress, Source};

use super::error::DemoError;
use super::names;
use super::plan::Plan;
use super::stage::Stage;

/// What the events of a training job told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    pub(crate) train_first: Option<f64>,
    pub(crate) train_last: Option<f64>,
    pub(crate) eval_first: Option<f64>,
    pub(crate) eval_last: Option<f64>,
}

/// Uploads one file as a data set and points its alias at it.
pub(crate) async fn store_dataset(
    clients: &Clients,
    name: &str,
    file: &str,
    text: String,
) -> Result<(), DemoError> {
    let draft = ArtifactDraft {
        kind: Kind::Dataset,
        parent: name.into(),
        files: vec![(file.into(), Source::Bytes(text.into_bytes().into()))],
        base_digest: String::new(),
        tokenizer_digest: String::new(),
        annotations: std::collections::BTreeMap::new(),
    };
    let artifact = clients.checkpoint().upload_artifact(draft, &Progress::none()).await?;
    clients.checkpoint().set_alias(name, artifact.digest, Expect::Any).await?;
    Ok(())
}

/// Trains the tokenizer on the pre-training text.
pub(crate) async fn train_tokenizer(clients: &Clients) -> Result<Tokenizer, DemoError> {
    let request = TrainTokenizerRequest {
        name: names::TOKENIZER.into(),
        dataset: names::TEXT.into(),
        vocab_size: Plan::VOCAB_SIZE,
        ..TrainTokenizerRequest::default()
    };
    Ok(clients.tokenization().train_tokenizer(request).await?)
}

/// Runs one training job to its end, showing its progress.
pub(crate) async fn train(
    clients: &Clients,
    spec: TrainingSpec,
    stage: &Stage,
) -> Result<(TrainingJob, Losses), DemoError> {
    let request = CreateTrainingJobRequest { spec: Some(spec), ..CreateTrainingJobRequest::default() };
    let name = clients.training().create_training_job(request).await?.name;
    let mut losses = Losses::default();
    let mut events = clients.training().watch_training_job(&name, 0);
    while let Some(event) = events.next().await {
        match event?.event {
            Some(Event::Progress(progress)) => {
                losses.train_first.get_or_insert(progress.loss);
                losses.train_last = Some(progress.loss);
                let speed = format!("loss {:.3}, {:.0} tokens/s", progress.loss, progress.tokens_per_second);
                stage.progress(progress.step.unsigned_abs(), progress.total_steps.unsigned_abs(), &speed);
            }
            Some(Event::Evaluated(evaluated)) => {
                losses.eval_first.get_or_insert(evaluated.eval_loss);
                losses.eval_last = Some(evaluated.eval_loss);
            }
            _ => {}
        }
    }
    let job = clients.training().get_training_job(&name).await?;
    if job.state() == TrainingJobState::Succeeded {
        Ok((job, losses))
    } else {
        let state = job.state().as_str_name().to_lowercase();
        Err(DemoError::Unsuccessful { name, state, error: job.error })
    }
}

/// Evaluates a base model's targets on a data set, showing its progress; the results come in the order of the targets.
pub(crate) async fn evaluate(
    clients: &Clients,
    dataset: &str,
    model: &str,
    targets: Vec<String>,
    stage: &Stage,
) -> Result<Vec<inference::TargetResult>, DemoError> {
    let spec = inference::EvaluationSpec {
        dataset: dataset.into(),
        model: model.into(),
        targets,
        prompt_template: Plan::PROMPT_TEMPLATE.into(),
        max_tokens: Plan::MAX_ANSWER_TOKENS,
        ..Default::default()
    };
    let request = inference::CreateEvaluationRequest { spec: Some(spec), ..Default::default() };
    let mut latest = clients.evaluation().create_evaluation(request).await?;
    let mut watch = clients.evaluation().watch_evaluation(&latest.name);
    while let Some(evaluation) = watch.next().await {
        latest = evaluation?;
        stage.progress(
            latest.completed_rows.unsigned_abs().into(),
            latest.total_rows.unsigned_abs().into(),
            "rows",
        );
    }
    if latest.state() == inference::EvaluationState::Succeeded {
        Ok(latest.results)
    } else {
        let state = latest.state().as_str_name().to_lowercase();
        Err(DemoError::Unsuccessful { name: latest.name, state, error: latest.error })
    }
}

/// Publishes a version of the adapter; returns the adapter and the milliseconds until it was visible.
pub(crate) async fn publish(clients: &Clients, digest: &str) -> Result<(inference::Adapter, f64), DemoError> {
    let published = clients.adapters().publish_adapter(names::ADAPTER, digest, None).await?;
    let adapter = published.adapter.ok_or_else(|| DemoError::Unexpected("publish without adapter".into()))?;
    Ok((adapter, published.swap_ms))
}

/// A running generation with the adapter, and the generation of the alias that it is bound to.
pub(crate) struct Running {
    messages: rootstock_client::EventStream<inference::GenerateResponse>,
    pub(crate) generation: i64,
}

/// Starts a generation with the published adapter that runs for this many tokens.
pub(crate) async fn start_generation(clients: &Clients, tokens: i32) -> Result<Running, DemoError> {
    let request = inference::GenerateRequest {
        adapter: names::ADAPTER.into(),
        input: Some(inference::generate_request::Input::Prompt("问题:".into())),
        sampling: Some(inference::SamplingParams {
            max_tokens: tokens,
            ignore_eos: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut messages = clients.generation().generate(request).await?;
    match messages.next().await.transpose()?.and_then(|first| first.message) {
        Some(inference::generate_response::Message::Started(started)) => {
            Ok(Running { messages, generation: started.adapter_generation })
        }
        other => Err(DemoError::Unexpected(format!("a generation began with {other:?}"))),
    }
}

impl Running {
    /// Reads the generation to its end; returns how many tokens it made.
    pub(crate) async fn finish(mut self) -> Result<i32, DemoError> {
        while let Some(message) = self.messages.next().await.transpose()? {
            if let Some(inference::generate_response::Message::Finished(finished)) = message.message {
                return Ok(finished.completion_tokens);
            }
        }
        Err(DemoError::Unexpected("a generation ended without its last message".into()))
    }
}
