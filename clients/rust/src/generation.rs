//! The client of GenerationService.
use rootstock_proto::inference::v1::generation_service_client::GenerationServiceClient;
use rootstock_proto::inference::v1::{GenerateRequest, GenerateResponse};

use crate::clients::service_client;
use crate::{ClientError, EventStream, Transport, stream};

service_client! {
    /// Generates text.
    GenerationClient, GenerationServiceClient<Transport>
}

impl GenerationClient {
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
}
