//! A training service on a port of its own, with what stands behind it, and workers that a test plays itself.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rootstock_client::{Clients, Endpoints, TrainingClient, WorkerClient};
use rootstock_proto::{
    checkpoint::v1::{ArtifactKind, checkpoint_service_server::CheckpointServiceServer},
    tokenization::v1::tokenization_service_server::TokenizationServiceServer,
    training::v1::{self as proto, training_event::Event, training_spec},
};
use rootstock_runtime::{Health, Metrics, Server, ServerConfig, Shutdown, Tasks};
use rootstock_trainer::{
    Config, Deps, Handle,
    worker::{Ended, WorkerArgs, run},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    store::Store,
    tokens::{Tokens, tokenizer_files},
};

/// How long anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a worker process does.
pub(crate) enum Script {
    /// Leaves its token for the test to play the worker with, and lives on.
    Played,
    /// Any other shell script.
    Shell(&'static str),
}

/// A server under test, with its store and tokenizers.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) clients: Clients,
    pub(crate) config: Config,
    endpoints: Endpoints,
    data: TempDir,
    server: Option<Running>,
    listen: std::net::SocketAddr,
}

struct Running {
    shutdown: Shutdown,
    metrics: Metrics,
    tasks: Tasks,
    serving: JoinHandle<()>,
    handle: Handle,
}

/// The text that tokenizers and models of these tests learn.
pub(crate) fn text() -> String {
    let line = |n: usize| format!("the {n} little foxes run over the {} hills of the north\n", n % 7);
    (0..60).map(line).collect()
}

/// Questions with their answers.
pub(crate) fn questions(count: usize) -> String {
    let row = |n: usize| {
        format!("{{\"instruction\": \"how many foxes run on day {n}?\", \"output\": \"{n} foxes\"}}\n")
    };
    (0..count).map(row).collect()
}

impl Bench {
    pub(crate) async fn new(script: Script) -> Self {
        Self::with(script, |_| {}).await
    }

    pub(crate) async fn with(script: Script, change: impl FnOnce(&mut Config)) -> Self {
        let data = TempDir::new().unwrap();
        let tokens = data.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let script = match script {
            // Written beside and renamed, so that the test never reads half a token.
            Script::Played => format!(
                "f={}/$$; printf '%s %s' \"$ROOTSTOCK_WORKER_TOKEN\" \"$2\" > $f.tmp && mv $f.tmp $f; exec sleep 100",
                tokens.display()
            ),
            Script::Shell(script) => script.to_owned(),
        };
        let mut config = Config {
            worker_command: "/bin/sh".into(),
            worker_args: vec!["-c".into(), script, "worker".into()],
            heartbeat: Duration::from_millis(20),
            cancel_grace: Duration::from_millis(300),
            retry_delay: Duration::from_millis(1),
            ..Config::default()
        };
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = listener.local_addr().unwrap();
        let endpoints = Endpoints::single(&listen.to_string()).unwrap();
        let clients = Clients::new(endpoints.clone()).unwrap();
        let store = Store::default();
        let mut bench = Self { store, clients, config, endpoints, data, server: None, listen };
        bench.fill_store();
        bench.serve(listener).await;
        bench
    }

    fn fill_store(&self) {
        let files = tokenizer_files(&(text() + &questions(20)));
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        self.store.put(ArtifactKind::Tokenizer, "tokenizers/tiny", &files);
        self.store.put(ArtifactKind::Dataset, "datasets/text", &[("text.txt", text().as_bytes())]);
        self.store.put(
            ArtifactKind::Dataset,
            "datasets/questions",
            &[("rows.jsonl", questions(20).as_bytes())],
        );
    }

    async fn serve(&mut self, listener: TcpListener) {
        let shutdown = Shutdown::new();
        let (tasks, metrics, health) = (Tasks::new(shutdown.clone()), Metrics::new(), Health::default());
        let deps = Deps {
            clients: self.clients.clone(),
            endpoints: self.endpoints.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            shutdown: shutdown.clone(),
            tasks: tasks.clone(),
            data_dir: self.data.path().to_owned(),
        };
        let handle = rootstock_trainer::build(self.config.clone(), deps).await.unwrap();
        let server = Server::new(ServerConfig::default(), metrics.clone(), health);
        let server = handle
            .mount(server)
            .mount(CheckpointServiceServer::new(self.store.clone()))
            .mount(TokenizationServiceServer::new(Tokens { store: self.store.clone() }));
        let stop = shutdown.clone();
        let serving = tokio::spawn(async move { server.run(listener, stop).await.unwrap() });
        self.server = Some(Running { shutdown, metrics, tasks, serving, handle });
    }

    /// How many heartbeats have been answered.
    pub(crate) fn heartbeats(&self) -> u64 {
        let metrics = self.server.as_ref().unwrap().metrics.encode().unwrap();
        let of_heartbeat =
            |line: &&str| line.starts_with("rootstock_rpc_calls_total") && line.contains("Heartbeat");
        let count = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
        metrics.lines().filter(of_heartbeat).map(count).sum()
    }

    /// Ends the server in order, as SIGTERM does.
    pub(crate) async fn stop(&mut self) {
        let Running { shutdown, tasks, serving, handle, .. } = self.server.take().unwrap();
        shutdown.request();
        serving.await.unwrap();
        tasks.join(PATIENCE).await.unwrap();
        handle.shutdown().await;
    }

    /// Starts it again on the same port and data.
    pub(crate) async fn start(&mut self) {
        let listener = TcpListener::bind(self.listen).await.unwrap();
        self.serve(listener).await;
    }

    pub(crate) fn training(&self) -> TrainingClient {
        self.clients.training()
    }

    pub(crate) fn worker(&self) -> WorkerClient {
        self.clients.worker()
    }

    /// Creates a job and returns its name.
    pub(crate) async fn create(&self, id: &str, spec: proto::TrainingSpec) -> String {
        let request = proto::CreateTrainingJobRequest {
            training_job_id: id.into(),
            spec: Some(spec),
            ..Default::default()
        };
        self.training().create_training_job(request).await.unwrap().name
    }

    /// The token of a worker process that was started for the job, and whether there is one yet.
    fn token(&self, job: &str) -> Option<(String, PathBuf)> {
        let files = std::fs::read_dir(self.data.path().join("tokens")).unwrap();
        let found = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_none());
        let mut tokens = found.filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            let (token, name) = text.split_once(' ')?;
            (name == job).then(|| (token.to_owned(), path.clone()))
        });
        tokens.next()
    }

    /// Waits for a worker process of the job, and takes its token and its process id.
    pub(crate) async fn worker_of(&self, job: &str) -> (String, u32) {
        let (token, path) = eventually("a worker is started", async || self.token(job)).await;
        std::fs::remove_file(&path).unwrap();
        (token, path.file_name().unwrap().to_str().unwrap().parse().unwrap())
    }

    /// What the real worker is started with.
    pub(crate) fn worker_args(&self, job: &str, token: &str) -> WorkerArgs {
        WorkerArgs {
            job: job.to_owned(),
            token: token.to_owned(),
            endpoints: self.endpoints.clone(),
            data_dir: self.data.path().to_owned(),
            scratch_dir: self.data.path().join("scratch").join(token),
            cache_bytes: 1 << 30,
            heartbeat: self.config.heartbeat,
            lease_timeout: self.config.lease_timeout,
            parent: None,
            trace: Vec::new(),
        }
    }

    pub(crate) async fn job(&self, name: &str) -> proto::TrainingJob {
        self.training().get_training_job(name).await.unwrap()
    }

    /// Waits until the job stands in a state.
    pub(crate) async fn reaches(&self, name: &str, state: proto::TrainingJobState) -> proto::TrainingJob {
        let what = format!("{name} becomes {}", state.as_str_name());
        eventually(&what, async || Some(self.job(name).await).filter(|job| job.state() == state)).await
    }

    /// All events of a job that has ended.
    pub(crate) async fn events(&self, name: &str) -> Vec<Event> {
        use futures::StreamExt;
        let mut stream = self.training().raw().watch_training_job(watch(name, 0)).await.unwrap().into_inner();
        let mut events = Vec::new();
        while let Some(response) = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap() {
            events.push(response.unwrap().event.unwrap().event.unwrap());
        }
        events
    }

    /// Waits until the job's worker does this.
    pub(crate) async fn does(&self, name: &str, phase: proto::TrainingPhase) {
        use futures::StreamExt;
        let mut stream = self.training().raw().watch_training_job(watch(name, 0)).await.unwrap().into_inner();
        while let Some(response) = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap() {
            if let Event::PhaseChange(change) = response.unwrap().event.unwrap().event.unwrap()
                && change.phase() == phase
            {
                return;
            }
        }
        panic!("never {phase:?}");
    }

    /// Waits until a state of the job is saved.
    pub(crate) async fn saves(&self, name: &str) {
        use futures::StreamExt;
        let mut stream = self.training().raw().watch_training_job(watch(name, 0)).await.unwrap().into_inner();
        while let Some(response) = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap() {
            if let Event::StateSaved(_) = response.unwrap().event.unwrap().event.unwrap() {
                return;
            }
        }
        panic!("no state was saved");
    }

    /// Has a job computed until it has saved a state; then the process that holds the lease dies, of which the worker in this one learns.
    /// Meanwhile it waits for its next state, so that the job has no end before that.
    pub(crate) async fn cut(&self, job: &str) {
        let (token, pid) = self.worker_of(job).await;
        self.store.hold_after_state();
        let worker = tokio::spawn(run(self.worker_args(job, &token)));
        self.saves(job).await;
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
        assert_eq!(worker.await.unwrap().unwrap(), Ended::LeaseLost);
        self.store.hold(None);
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }
}

pub(crate) fn watch(name: &str, after_event_id: i64) -> proto::WatchTrainingJobRequest {
    proto::WatchTrainingJobRequest { name: name.into(), after_event_id }
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Pre-trains a model that a test can train in seconds.
pub(crate) fn pretraining() -> proto::TrainingSpec {
    proto::TrainingSpec {
        output: "baseModels/tiny".into(),
        dataset: "datasets/text".into(),
        start: Some(training_spec::Start::NewModel(proto::NewModel {
            tokenizer: "tokenizers/tiny".into(),
            hidden_size: 32,
            intermediate_size: 64,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            max_position_embeddings: 128,
            tie_word_embeddings: true,
            ..Default::default()
        })),
        objective: Some(training_spec::Objective::Causal(proto::CausalObjective { block_size: 32 })),
        method: Some(training_spec::Method::Full(proto::FullMethod::default())),
        arguments: Some(proto::TrainingArguments {
            learning_rate: 5e-3,
            max_steps: 12,
            per_device_train_batch_size: 4,
            logging_steps: 4,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Fine-tunes an adapter on questions.
pub(crate) fn finetuning() -> proto::TrainingSpec {
    proto::TrainingSpec {
        output: "adapters/foxes".into(),
        dataset: "datasets/questions".into(),
        start: Some(training_spec::Start::BaseModel("baseModels/tiny".into())),
        objective: Some(training_spec::Objective::Supervised(proto::SupervisedObjective {
            prompt_template: "qa_en".into(),
            max_length: 64,
            instruction_token_dropout: 0.2,
            ..Default::default()
        })),
        method: Some(training_spec::Method::Lora(proto::LoraMethod {
            r: 4,
            lora_dropout: 0.1,
            ..Default::default()
        })),
        ..pretraining()
    }
}
