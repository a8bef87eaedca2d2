//! The client of GenerationService.
use rootstock_proto::inference::v1::generation_service_client::GenerationServiceClient;
use rootstock_proto::inference::v1::{GenerateRequest, GenerateResponse, ScoreRequest, ScoreResponse};

use crate::clients::MAX_MESSAGE_BYTES;
use crate::{ClientError, EventStream, Transport, stream};

/// Generates text.
#[derive(Clone, Debug)]
pub struct GenerationClient {
    raw: GenerationServiceClient<Transport>,
}

impl GenerationClient {
    pub(crate) fn new(transport: Transport) -> Self {
        let raw = GenerationServiceClient::new(transport)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self { raw }
    }

    /// The generated client, for calls with metadata of their own.
    pub fn raw(&self) -> GenerationServiceClient<Transport> {
        self.raw.clone()
    }

    /// Streams the generated text: one `started`, any number of `delta`, one `finished`. Dropping the stream stops the
    /// work. Never tried again: the server may have begun.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, BASE_MISMATCH, CONTEXT_TOO_LONG, OVERLOADED, SHUTTING_DOWN, DEADLINE_EXCEEDED, or the
    /// connection's; also in the stream.
    pub async fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<EventStream<GenerateResponse>, ClientError> {
        let streaming = self.raw().generate(request).await?;
        Ok(stream::plain(streaming.into_inner()))
    }

    /// Tells how likely continuations of a prompt are. Dropping the future stops the work. Never tried again.
    ///
    /// # Errors
    /// As [`generate`](Self::generate), all at once.
    pub async fn score(&self, request: ScoreRequest) -> Result<ScoreResponse, ClientError> {
        Ok(self.raw().score(request).await?.into_inner())
    }
}
