//! How requests reach the server: over gRPC as any client's, or straight into its engine, so that what gRPC costs can be told.

use std::pin::pin;
use std::time::Instant;

use futures::StreamExt;
use rootstock_client::Clients;
use rootstock_client::proto::inference::v1::GenerateRequest;
use rootstock_inference::InProcess;

use super::client::{self, Answer, wanted};
use crate::bench::BenchError;

#[derive(Clone, Debug)]
pub(super) enum Transport {
    Grpc(Clients),
    InProcess(InProcess),
}

impl Transport {
    /// As scripts know it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Grpc(_) => "grpc",
            Self::InProcess(_) => "in_process",
        }
    }

    /// Sends a request and reads its answer to the end, which is as long as was asked for.
    pub(super) async fn ask(&self, request: GenerateRequest) -> Result<Answer, BenchError> {
        match self {
            Self::Grpc(clients) => client::ask(clients, request).await,
            Self::InProcess(engine) => straight(engine, request).await,
        }
    }
}

async fn straight(engine: &InProcess, request: GenerateRequest) -> Result<Answer, BenchError> {
    let wanted = wanted(&request);
    let mut answer = Answer::awaited(Instant::now());
    let (adapter, tokens) = engine.generate(request).await?;
    answer.digest = adapter.map(|digest| digest.to_string()).unwrap_or_default();
    let mut tokens = pin!(tokens);
    while let Some(id) = tokens.next().await.transpose()? {
        answer.ids.push(id);
        answer.arrivals.push(Instant::now());
    }
    let told = i32::try_from(answer.ids.len()).unwrap_or(i32::MAX);
    answer.check(told, wanted)
}
