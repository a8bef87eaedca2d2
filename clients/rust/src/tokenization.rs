//! The client of TokenizationService.
use futures::Stream;
use rootstock_proto::tokenization::v1::tokenization_service_client::TokenizationServiceClient;
use rootstock_proto::tokenization::v1::{
    ChatMessage, CountTokensRequest, CountTokensResponse, DecodeRequest, DecodeResponse, EncodeRequest,
    EncodeResponse, EncodeStreamRequest, EncodeStreamResponse, GetTokenizerRequest, ListTokenizersRequest,
    RenderChatRequest, RenderChatResponse, TokenSequence, Tokenizer, TrainTokenizerRequest,
};

use crate::call::unary;
use crate::clients::service_client;
use crate::{ClientError, EventStream, Transport, stream};

service_client! {
    /// Encodes, decodes and trains tokenizers.
    TokenizationClient, TokenizationServiceClient<Transport>
}

impl TokenizationClient {
    /// Encodes a batch of texts.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, INVALID_FILE, or the connection's.
    pub async fn encode(&self, request: EncodeRequest) -> Result<EncodeResponse, ClientError> {
        unary!(self.idempotent, encode, request)
    }

    /// Decodes a batch of id sequences.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, or the connection's.
    pub async fn decode(
        &self,
        tokenizer: impl Into<String>,
        sequences: Vec<Vec<u32>>,
        skip_special_tokens: bool,
    ) -> Result<DecodeResponse, ClientError> {
        let sequences = sequences.into_iter().map(|ids| TokenSequence { ids }).collect();
        let request = DecodeRequest { tokenizer: tokenizer.into(), sequences, skip_special_tokens };
        unary!(self.idempotent, decode, request)
    }

    /// Encodes any amount of text: one response for each request, in order. The first request names the tokenizer.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), also in the stream.
    pub async fn encode_stream(
        &self,
        requests: impl Stream<Item = EncodeStreamRequest> + Send + 'static,
    ) -> Result<EventStream<EncodeStreamResponse>, ClientError> {
        let streaming = self.raw().encode_stream(requests).await?;
        Ok(stream::plain(streaming.into_inner()))
    }

    /// Renders chat messages with the tokenizer's chat template.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, or the connection's.
    pub async fn render_chat(
        &self,
        tokenizer: impl Into<String>,
        messages: Vec<ChatMessage>,
        add_generation_prompt: bool,
    ) -> Result<RenderChatResponse, ClientError> {
        let request = RenderChatRequest { tokenizer: tokenizer.into(), messages, add_generation_prompt };
        unary!(self.idempotent, render_chat, request)
    }

    /// Counts tokens without returning them.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub async fn count_tokens(
        &self,
        tokenizer: impl Into<String>,
        texts: Vec<String>,
    ) -> Result<CountTokensResponse, ClientError> {
        unary!(self.idempotent, count_tokens, CountTokensRequest { tokenizer: tokenizer.into(), texts })
    }

    /// Trains a byte-level BPE tokenizer, stores it and points the alias at it.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, INVALID_ROW, ALIAS_MOVED, or the connection's.
    pub async fn train_tokenizer(&self, request: TrainTokenizerRequest) -> Result<Tokenizer, ClientError> {
        let response = unary!(self, self.caller.long(), once, train_tokenizer, request)?;
        response.tokenizer.ok_or_else(|| ClientError::incomplete("tokenizer"))
    }

    /// Describes one tokenizer.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, INVALID_FILE, or the connection's.
    pub async fn get_tokenizer(&self, name: impl Into<String>) -> Result<Tokenizer, ClientError> {
        let response = unary!(self.idempotent, get_tokenizer, GetTokenizerRequest { name: name.into() })?;
        response.tokenizer.ok_or_else(|| ClientError::incomplete("tokenizer"))
    }

    /// Lists all tokenizers, by name.
    ///
    /// # Errors
    /// The connection's.
    pub async fn list_tokenizers(&self) -> Result<Vec<Tokenizer>, ClientError> {
        let mut tokenizers = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListTokenizersRequest { page_size: 0, page_token };
            let page = unary!(self.idempotent, list_tokenizers, request)?;
            tokenizers.extend(page.tokenizers);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(tokenizers);
            }
        }
    }
}
