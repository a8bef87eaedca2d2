//! The client of EvaluationService.
use futures::StreamExt;
use rootstock_proto::inference::v1::evaluation_service_client::EvaluationServiceClient;
use rootstock_proto::inference::v1::{
    CancelEvaluationRequest, CreateEvaluationRequest, Evaluation, GetEvaluationRequest,
    ListEvaluationsRequest, WatchEvaluationRequest, WatchEvaluationResponse,
};

use crate::call::unary;
use crate::clients::service_client;
use crate::stream::{End, Watch};
use crate::{ClientError, EventStream, Transport, stream};

service_client! {
    /// Creates and follows evaluations.
    EvaluationClient, EvaluationServiceClient<Transport>
}

impl EvaluationClient {
    /// Creates an evaluation. An empty `request_id` is filled in, so that a lost answer doesn't create it twice.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, ALREADY_EXISTS, NO_PREVIOUS_VERSION, BASE_MISMATCH, INVALID_ROW, OVERLOADED,
    /// DEPENDENCY_UNAVAILABLE, or the connection's.
    pub async fn create_evaluation(
        &self,
        mut request: CreateEvaluationRequest,
    ) -> Result<Evaluation, ClientError> {
        if request.request_id.is_empty() {
            request.request_id = uuid::Uuid::now_v7().to_string();
        }
        evaluation(unary!(self.idempotent, create_evaluation, request)?.evaluation)
    }

    /// Returns one evaluation.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, or the connection's.
    pub async fn get_evaluation(&self, name: impl Into<String>) -> Result<Evaluation, ClientError> {
        evaluation(
            unary!(self.idempotent, get_evaluation, GetEvaluationRequest { name: name.into() })?.evaluation,
        )
    }

    /// Lists all evaluations, newest first, without items.
    ///
    /// # Errors
    /// The connection's.
    pub async fn list_evaluations(&self) -> Result<Vec<Evaluation>, ClientError> {
        let mut evaluations = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListEvaluationsRequest { page_size: 0, page_token };
            let page = unary!(self.idempotent, list_evaluations, request)?;
            evaluations.extend(page.evaluations);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(evaluations);
            }
        }
    }

    /// Stops an evaluation.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, WRONG_STATE, or the connection's.
    pub async fn cancel_evaluation(&self, name: impl Into<String>) -> Result<Evaluation, ClientError> {
        let request = CancelEvaluationRequest { name: name.into() };
        evaluation(unary!(self.once, cancel_evaluation, request)?.evaluation)
    }

    /// Streams the evaluation as it proceeds, until it has ended; opens again by itself after a cut.
    pub fn watch_evaluation(&self, name: impl Into<String>) -> EventStream<Evaluation> {
        let (raw, name) = (self.raw(), name.into());
        let open = move |_| {
            let (mut raw, name) = (raw.clone(), name.clone());
            async move { Ok(raw.watch_evaluation(WatchEvaluationRequest { name }).await?.into_inner()) }
        };
        let event_id = |_: &WatchEvaluationResponse| 0;
        let watch = Watch { open, event_id, after: 0, end: End::Final, max_outage: self.caller.max_outage };
        stream::resuming(watch)
            .filter_map(|message| async { message.map(|message| message.evaluation).transpose() })
            .boxed()
    }
}

fn evaluation(evaluation: Option<Evaluation>) -> Result<Evaluation, ClientError> {
    evaluation.ok_or_else(|| ClientError::incomplete("evaluation"))
}
