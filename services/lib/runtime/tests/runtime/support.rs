//! A server on port 0 whose one service does what the request's `model` says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use rootstock_proto::inference::v1::generate_response::Message;
use rootstock_proto::inference::v1::generation_service_client::GenerationServiceClient;
use rootstock_proto::inference::v1::generation_service_server::{GenerationService, GenerationServiceServer};
use rootstock_proto::inference::v1::{
    GenerateRequest, GenerateResponse, GenerationStarted, ScoreRequest, ScoreResponse,
};
use rootstock_runtime::{
    Deadline, ErrorReason, Failure, Health, Metrics, Server, ServerConfig, ServerError, Shutdown, status,
    trace,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_types::StatusExt;

/// The name under which the scripted service is mounted.
pub(crate) const GENERATION: &str = "rootstock.inference.v1.GenerationService";

/// How long anything here may take before the test counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);

type Messages = Pin<Box<dyn Stream<Item = Result<GenerateResponse, Status>> + Send>>;

/// The service: `model` is the script, `adapter` its argument.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    gates: Arc<Mutex<BTreeMap<String, Arc<Notify>>>>,
}

impl Scripted {
    /// What a "hold" stream with this argument waits for.
    pub(crate) fn gate(&self, name: &str) -> Arc<Notify> {
        Arc::clone(self.gates.lock().unwrap().entry(name.to_owned()).or_default())
    }
}

fn say(text: impl Into<String>) -> Result<GenerateResponse, Status> {
    let started = GenerationStarted { request_id: text.into(), ..Default::default() };
    Ok(GenerateResponse { message: Some(Message::Started(started)), index: 0 })
}

/// What a message of the scripted service says.
pub(crate) fn said(response: GenerateResponse) -> String {
    match response.message {
        Some(Message::Started(started)) => started.request_id,
        other => panic!("the scripted service says nothing but started: {other:?}"),
    }
}

#[tonic::async_trait]
impl GenerationService for Scripted {
    type GenerateStream = Messages;

    async fn generate(&self, request: Request<GenerateRequest>) -> Result<Response<Messages>, Status> {
        let deadline = Deadline::of(&request);
        let GenerateRequest { model, adapter, .. } = request.into_inner();
        let messages: Messages = match model.as_str() {
            "hello" => stream::iter([say("hello")]).boxed(),
            "panic" => panic!("the handler stumbled over {adapter}"),
            "panic in stream" => {
                // Pending in between, or tonic would batch the first message with the panic.
                let end = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    panic!("the stream stumbled")
                });
                stream::iter([say("so far so good")]).chain(end).boxed()
            }
            "refuse" => return Err(status(Failure::field("model", "no such model; list them"))),
            "defect" => return Err(status(Failure::internal("disk /var/lib/secret is on fire"))),
            "hang" => std::future::pending().await,
            "hold" => {
                let gate = self.gate(&adapter);
                let end = stream::once(async move {
                    gate.notified().await;
                    say("released")
                });
                stream::iter([say("holding")]).chain(end).boxed()
            }
            "deadline" => {
                stream::iter([say(deadline.map_or(0, |d| d.remaining().as_secs()).to_string())]).boxed()
            }
            "traceparent" => {
                let env = trace::child_env();
                stream::iter(env.into_iter().map(|(name, value)| say(format!("{name}={value}")))).boxed()
            }
            _ => return Err(status(Failure::new(ErrorReason::NotFound, "no such script"))),
        };
        Ok(Response::new(messages))
    }

    async fn score(&self, _: Request<ScoreRequest>) -> Result<Response<ScoreResponse>, Status> {
        Err(status(Failure::new(ErrorReason::NotFound, "no such script")))
    }
}

/// A running server and what its owner holds.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) channel: Channel,
    pub(crate) service: Scripted,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
    pub(crate) ended: JoinHandle<Result<(), ServerError>>,
}

/// Starts the scripted service.
pub(crate) async fn start(config: ServerConfig) -> Running {
    start_with(config, |server| server).await
}

/// Starts it, with the server adjusted.
pub(crate) async fn start_with(config: ServerConfig, adjust: impl FnOnce(Server) -> Server) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (metrics, health, shutdown) = (Metrics::new(), Health::new(), Shutdown::new());
    let service = Scripted::default();
    let server = Server::new(config, metrics.clone(), health.clone())
        .mount(GenerationServiceServer::new(service.clone()).max_decoding_message_size(4 << 20));
    health.set(GENERATION, true);
    let ended = tokio::spawn(adjust(server).run(listener, shutdown.clone()));
    let channel = connect(address).await.unwrap();
    Running { address, channel, service, metrics, health, shutdown, ended }
}

/// A connection of its own.
pub(crate) async fn connect(address: SocketAddr) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await
}

impl Running {
    pub(crate) fn client(&self) -> GenerationServiceClient<Channel> {
        GenerationServiceClient::new(self.channel.clone())
    }

    /// Calls the script and returns its stream.
    pub(crate) async fn call(
        &self,
        script: &str,
        argument: &str,
    ) -> Result<tonic::Streaming<GenerateResponse>, Status> {
        let request =
            GenerateRequest { model: script.to_owned(), adapter: argument.to_owned(), ..Default::default() };
        Ok(self.client().generate(request).await?.into_inner())
    }

    /// Calls the script and returns all that it said.
    pub(crate) async fn hear(&self, script: &str) -> Result<Vec<String>, Status> {
        self.call(script, "")
            .await?
            .map(|message| message.map(said))
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .collect()
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) async fn stop(self) {
        drop(self.channel);
        self.shutdown.request();
        tokio::time::timeout(PATIENCE, self.ended).await.expect("the server stops").unwrap().unwrap();
    }
}

/// The reason in a status's ErrorInfo.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "rootstock");
    info.reason
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
