//! EncodeStream: any amount of text in bounded memory. One request is read, encoded and answered at a time, so a client that
//! doesn't read its answers is not read from either; HTTP/2 flow control carries that back to it.

use std::sync::Arc;

use futures::{Stream, stream};
use rootstock_proto::tokenization::v1::{EncodeStreamRequest, EncodeStreamResponse};
use rootstock_runtime::status;
use tonic::{Status, Streaming};

use super::Grpc;
use crate::Error;
use crate::convert::Texts;
use crate::registry::Loaded;

/// Where a stream stands: before its first message, it has no tokenizer yet.
struct State {
    service: Grpc,
    requests: Streaming<EncodeStreamRequest>,
    loaded: Option<Arc<Loaded>>,
}

/// The answers to a stream of requests, in order.
pub(super) fn encode(
    service: Grpc,
    requests: Streaming<EncodeStreamRequest>,
) -> impl Stream<Item = Result<EncodeStreamResponse, Status>> + Send {
    stream::try_unfold(State { service, requests, loaded: None }, |mut state| async move {
        let Some(request) = state.requests.message().await? else { return Ok(None) };
        let response = state.answer(request).await.map_err(status)?;
        Ok(Some((response, state)))
    })
}

impl State {
    async fn answer(&mut self, request: EncodeStreamRequest) -> Result<EncodeStreamResponse, Error> {
        let loaded = match (&self.loaded, request.tokenizer.as_str()) {
            (Some(loaded), "") => Arc::clone(loaded),
            (Some(_), _) => {
                return Err(Error::invalid("tokenizer", "only the first message names the tokenizer"));
            }
            (None, "") => {
                return Err(Error::invalid("tokenizer", "the first message must name the tokenizer"));
            }
            (None, name) => self.service.registry.get("tokenizer", name).await?,
        };
        let texts = Texts::new(request.texts, request.add_special_tokens, request.return_offsets)?;
        let encodings = self.service.encoded_in_bulk(&loaded, texts).await?;
        let tokenizer_digest = loaded.tokenizer_digest();
        self.loaded = Some(loaded);
        Ok(EncodeStreamResponse { encodings, tokenizer_digest })
    }
}
