//! Training jobs in tests: small specifications, and waiting for their ends.
use std::time::Duration;

use futures::StreamExt;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_client::proto::training::v1::training_spec::{Method, Objective, Start};
use rootstock_client::proto::training::v1::{
    CreateTrainingJobRequest, LoraMethod, SupervisedObjective, TrainingArguments, TrainingEvent, TrainingJob,
    TrainingJobState, TrainingSpec,
};
use rootstock_client::{ClientError, Clients};

use crate::eventually;

/// How long a tiny job may take.
pub const JOB_TIMEOUT: Duration = Duration::from_secs(120);

/// LoRA on `baseModels/tiny` and `datasets/rows`: `steps` steps, a state saved every `save_steps`.
pub fn lora_spec(output: &str, steps: i64, save_steps: i64) -> TrainingSpec {
    TrainingSpec {
        output: format!("adapters/{output}"),
        dataset: "datasets/rows".into(),
        validation_split: 0.2,
        start: Some(Start::BaseModel("baseModels/tiny".into())),
        objective: Some(Objective::Supervised(SupervisedObjective {
            prompt_template: "qa_en".into(),
            max_length: 96,
            instruction_token_dropout: 0.1,
            ..Default::default()
        })),
        method: Some(Method::Lora(LoraMethod {
            r: 4,
            lora_alpha: 8.0,
            lora_dropout: 0.1,
            ..LoraMethod::default()
        })),
        arguments: Some(TrainingArguments {
            learning_rate: 0.01,
            max_steps: steps,
            per_device_train_batch_size: 4,
            logging_steps: 1,
            save_steps,
            seed: Some(7),
            ..TrainingArguments::default()
        }),
        ..TrainingSpec::default()
    }
}

/// Creates a job.
///
/// # Errors
/// When the server refuses it.
pub async fn create(clients: &Clients, spec: TrainingSpec) -> Result<TrainingJob, ClientError> {
    let request = CreateTrainingJobRequest { spec: Some(spec), ..CreateTrainingJobRequest::default() };
    clients.training().create_training_job(request).await
}

/// Waits until a job has ended, however.
///
/// # Panics
/// When it doesn't in time.
pub async fn ended(clients: &Clients, name: &str) -> TrainingJob {
    eventually(JOB_TIMEOUT, "the job ends", || async {
        let job = clients.training().get_training_job(name).await.ok()?;
        let ended = [TrainingJobState::Succeeded, TrainingJobState::Failed, TrainingJobState::Cancelled];
        ended.contains(&job.state()).then_some(job)
    })
    .await
}

/// Waits until a job has succeeded.
///
/// # Panics
/// When it doesn't in time, or ends otherwise.
pub async fn succeeded(clients: &Clients, name: &str) -> TrainingJob {
    let job = ended(clients, name).await;
    assert_eq!(job.state(), TrainingJobState::Succeeded, "{}", job.error);
    job
}

/// Trains an adapter and gives its digest.
///
/// # Panics
/// When that fails.
pub async fn train(clients: &Clients, spec: TrainingSpec) -> String {
    let job = create(clients, spec).await.expect("the job is created");
    succeeded(clients, &job.name).await.result_digest
}

/// The first event of a job that `pick` picks.
///
/// # Panics
/// When the job ends without it, or it doesn't come in time.
pub async fn event<T>(clients: &Clients, name: &str, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
    let mut events = clients.training().watch_training_job(name, 0);
    let found = async {
        while let Some(event) = events.next().await {
            let event = event.expect("the watch goes on");
            if let Some(found) = event.event.as_ref().and_then(&pick) {
                return found;
            }
        }
        panic!("{name} ended without this event: {what}")
    };
    tokio::time::timeout(JOB_TIMEOUT, found).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// All events of a job that has ended.
///
/// # Panics
/// When the watch fails.
pub async fn events(clients: &Clients, name: &str) -> Vec<TrainingEvent> {
    let events = clients.training().watch_training_job(name, 0);
    events.map(|event| event.expect("the watch goes on")).collect().await
}
