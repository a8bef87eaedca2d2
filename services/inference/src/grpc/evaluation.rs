//! EvaluationService over gRPC.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use rootstock_proto::inference::v1::{self as proto, evaluation_service_server::EvaluationService};
use rootstock_runtime::status;
use tonic::{Request, Response, Status};

use crate::{
    convert::{Create, ListEvaluations, evaluation_id, message_with_items, page_token},
    evaluation::{Evaluation, Evaluations},
};

/// The service that clients see.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) evaluations: Evaluations,
}

#[tonic::async_trait]
impl EvaluationService for Api {
    async fn create_evaluation(
        &self,
        request: Request<proto::CreateEvaluationRequest>,
    ) -> Result<Response<proto::CreateEvaluationResponse>, Status> {
        let Create { id, spec, request_id } = Create::try_from(request.into_inner()).map_err(status)?;
        let evaluation = self.evaluations.create(id, spec, request_id).await.map_err(status)?;
        Ok(Response::new(proto::CreateEvaluationResponse {
            evaluation: Some(message_with_items(evaluation)),
        }))
    }

    async fn get_evaluation(
        &self,
        request: Request<proto::GetEvaluationRequest>,
    ) -> Result<Response<proto::GetEvaluationResponse>, Status> {
        let id = evaluation_id(&request.get_ref().name).map_err(status)?;
        let evaluation = self.evaluations.get(&id).await.map_err(status)?;
        Ok(Response::new(proto::GetEvaluationResponse { evaluation: Some(message_with_items(evaluation)) }))
    }

    async fn list_evaluations(
        &self,
        request: Request<proto::ListEvaluationsRequest>,
    ) -> Result<Response<proto::ListEvaluationsResponse>, Status> {
        let ListEvaluations { page_size, before } =
            ListEvaluations::try_from(request.into_inner()).map_err(status)?;
        let mut evaluations = self.evaluations.list(before, page_size + 1).await.map_err(status)?;
        let more = evaluations.len() > page_size;
        evaluations.truncate(page_size);
        let last = evaluations.last().filter(|_| more).map(|evaluation| page_token(evaluation.number));
        Ok(Response::new(proto::ListEvaluationsResponse {
            evaluations: evaluations.into_iter().map(Into::into).collect(),
            next_page_token: last.unwrap_or_default(),
        }))
    }

    async fn cancel_evaluation(
        &self,
        request: Request<proto::CancelEvaluationRequest>,
    ) -> Result<Response<proto::CancelEvaluationResponse>, Status> {
        let id = evaluation_id(&request.get_ref().name).map_err(status)?;
        let evaluation = self.evaluations.cancel(&id).await.map_err(status)?;
        Ok(Response::new(proto::CancelEvaluationResponse { evaluation: Some(evaluation.into()) }))
    }

    type WatchEvaluationStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchEvaluationResponse, Status>> + Send>>;

    async fn watch_evaluation(
        &self,
        request: Request<proto::WatchEvaluationRequest>,
    ) -> Result<Response<Self::WatchEvaluationStream>, Status> {
        let id = evaluation_id(&request.get_ref().name).map_err(status)?;
        let states = self.evaluations.watch(&id).await.map_err(status)?.into_stream();
        let encode = |evaluation: Evaluation| proto::WatchEvaluationResponse {
            evaluation: Some(message_with_items(evaluation)),
        };
        Ok(Response::new(states.map(move |state| state.map(encode).map_err(status)).boxed()))
    }
}
