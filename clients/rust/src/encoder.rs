//! The client of EncoderService.
use rootstock_proto::inference::v1::encoder_service_client::EncoderServiceClient;
use rootstock_proto::inference::v1::{ClassifyRequest, ClassifyResponse, FillMaskRequest, FillMaskResponse};

use crate::clients::MAX_MESSAGE_BYTES;
use crate::{ClientError, Transport};

/// Asks encoders.
#[derive(Clone, Debug)]
pub struct EncoderClient {
    raw: EncoderServiceClient<Transport>,
}

impl EncoderClient {
    pub(crate) fn new(transport: Transport) -> Self {
        let raw = EncoderServiceClient::new(transport)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self { raw }
    }

    /// The generated client, for calls with metadata of their own.
    pub fn raw(&self) -> EncoderServiceClient<Transport> {
        self.raw.clone()
    }

    /// Tells how likely each label of a classifier is for each text. Dropping the future stops the work. Never tried again.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, CONTEXT_TOO_LONG, INVALID_FILE, OVERLOADED, DEADLINE_EXCEEDED, or the connection's.
    pub async fn classify(&self, request: ClassifyRequest) -> Result<ClassifyResponse, ClientError> {
        Ok(self.raw().classify(request).await?.into_inner())
    }

    /// Tells the most likely tokens where a text has masks. Never tried again.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub async fn fill_mask(&self, request: FillMaskRequest) -> Result<FillMaskResponse, ClientError> {
        Ok(self.raw().fill_mask(request).await?.into_inner())
    }
}
