//! GenerationService over gRPC.

use std::{pin::Pin, time::Instant};

use futures::{Stream, StreamExt, future, stream};
use rootstock_proto::inference::v1::{self as proto, generation_service_server::GenerationService};
use rootstock_runtime::{Deadline, status};
use tonic::{Request, Response, Status};

use crate::{
    convert::{prompt_response, tenant},
    engine::{Event, Output},
    error::Error,
    generation::{Caller, Generation, ScoreRequest},
};

/// The service that clients see.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) generation: Generation,
}

#[tonic::async_trait]
impl GenerationService for Api {
    type GenerateStream = Pin<Box<dyn Stream<Item = Result<proto::GenerateResponse, Status>> + Send>>;

    async fn generate(
        &self,
        request: Request<proto::GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        let caller = caller(&request)?;
        let request = crate::generation::Request::try_from(request.into_inner()).map_err(status)?;
        let (started, outputs) = self.generation.generate(request, caller).await.map_err(status)?;
        let first = stream::once(future::ready(Ok(proto::GenerateResponse::from(started))));
        let completion = |(index, output): (i32, Output)| output.map(move |event| encode(event, index));
        // Ends after the last; a failure ends the call, which drops all.
        let completions = stream::select_all((0..).zip(outputs).map(completion));
        Ok(Response::new(first.chain(completions).boxed()))
    }

    async fn score(
        &self,
        request: Request<proto::ScoreRequest>,
    ) -> Result<Response<proto::ScoreResponse>, Status> {
        let caller = caller(&request)?;
        let request = ScoreRequest::try_from(request.into_inner()).map_err(status)?;
        let scored = self.generation.score(request, caller).await.map_err(status)?;
        Ok(Response::new(scored.into()))
    }
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let received = Instant::now();
    let deadline = Deadline::of(request).map(|deadline| received + deadline.remaining());
    let tenant = tenant(request.metadata()).map_err(status)?;
    Ok(Caller { tenant, received, deadline })
}

fn encode(event: Event, index: i32) -> Result<proto::GenerateResponse, Status> {
    let response = match event {
        Event::Prompt(tokens) => prompt_response(tokens),
        Event::Delta(delta) => delta.into(),
        Event::Finished(finished) => finished.into(),
        Event::Failed(error) => return Err(status(error)),
        Event::Scored(_) => return Err(status(Error::Internal("a generation was scored instead".into()))),
    };
    Ok(proto::GenerateResponse { index, ..response })
}
