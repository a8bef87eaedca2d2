//! TokenizationService over gRPC: decode, call, encode.

mod bulk;

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use rootstock_client::ClientError;
use rootstock_proto::checkpoint::v1::ListAliasesRequest;
use rootstock_proto::tokenization::v1::{self as proto, tokenization_service_server::TokenizationService};
use rootstock_runtime::status;
use rootstock_text::{ChatMessage, Encoding};
use tonic::{Request, Response, Status, Streaming};

use crate::Error;
use crate::convert::{self, Texts, Training};
use crate::registry::{Loaded, Registry};

/// The collection of the tokenizers' aliases.
const COLLECTION: &str = "tokenizers/";

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Grpc {
    registry: Registry,
}

impl Grpc {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// Encodes texts off the async runtime.
    async fn encoded(&self, loaded: &Arc<Loaded>, texts: Texts) -> Result<Vec<proto::Encoding>, Error> {
        let (bytes, return_offsets, work) = encoding(loaded, texts);
        let encodings = self.registry.tasks.spawn_by_size("tokenizer-encode", bytes, work).await??;
        Ok(self.counted(bytes, encodings, return_offsets))
    }

    /// The same for one message of a stream, which waits as long as need be.
    async fn encoded_in_bulk(
        &self,
        loaded: &Arc<Loaded>,
        texts: Texts,
    ) -> Result<Vec<proto::Encoding>, Error> {
        let (bytes, return_offsets, work) = encoding(loaded, texts);
        let encodings = self.registry.tasks.spawn_in_bulk("tokenizer-encode", bytes, work).await??;
        Ok(self.counted(bytes, encodings, return_offsets))
    }

    fn counted(&self, bytes: usize, encodings: Vec<Encoding>, return_offsets: bool) -> Vec<proto::Encoding> {
        let tokens: usize = encodings.iter().map(|encoding| encoding.ids.len()).sum();
        self.registry.metrics.encoded_bytes.inc_by(bytes as u64);
        self.registry.metrics.encoded_tokens.inc_by(tokens as u64);
        convert::encodings(encodings, return_offsets)
    }

    /// A conversation as text and as tokens. How much there is to tokenize is known when it is text.
    async fn rendered(
        &self,
        loaded: Arc<Loaded>,
        messages: Vec<ChatMessage>,
        add_generation_prompt: bool,
    ) -> Result<(String, Vec<u32>), Error> {
        let tasks = &self.registry.tasks;
        let template = Arc::clone(&loaded);
        let render = move || template.tokenizer.render_chat(&messages, add_generation_prompt);
        let text = tasks.spawn_blocking("tokenizer-chat", render).await?.map_err(|e| Error::chat(&e))?;
        let bytes = text.len();
        let encode = move || {
            let ids = loaded.tokenizer.encode_ids(&text, false).map_err(|e| Error::text("messages", &e))?;
            Ok((text, ids))
        };
        tasks.spawn_by_size("tokenizer-encode", bytes, encode).await?
    }

    async fn list(
        &self,
        request: proto::ListTokenizersRequest,
    ) -> Result<proto::ListTokenizersResponse, Error> {
        let page = ListAliasesRequest {
            prefix: COLLECTION.to_owned(),
            page_size: request.page_size,
            page_token: request.page_token,
        };
        let listed = self.registry.clients.checkpoint().raw().list_aliases(page).await;
        let listed = listed.map_err(|error| {
            let error = ClientError::from(error);
            // The fields have the same names there.
            let field = error.field.clone().unwrap_or_else(|| "page_token".to_owned());
            Error::remote(error, &field)
        })?;
        let listed = listed.into_inner();
        let mut tokenizers = Vec::with_capacity(listed.aliases.len());
        for alias in listed.aliases {
            let loaded = self.registry.get("tokenizer", &alias.digest).await?;
            tokenizers.push(convert::tokenizer(&alias.name, &loaded));
        }
        Ok(proto::ListTokenizersResponse { tokenizers, next_page_token: listed.next_page_token })
    }
}

/// The bytes of texts, whether offsets are asked for, and what encodes them.
fn encoding(
    loaded: &Arc<Loaded>,
    texts: Texts,
) -> (usize, bool, impl FnOnce() -> Result<Vec<Encoding>, Error> + Send + use<>) {
    let Texts { texts, add_special_tokens, return_offsets } = texts;
    let (loaded, bytes) = (Arc::clone(loaded), texts.iter().map(String::len).sum());
    (bytes, return_offsets, move || encode(&loaded, &texts, add_special_tokens, return_offsets))
}

fn encode(loaded: &Loaded, texts: &[String], special: bool, offsets: bool) -> Result<Vec<Encoding>, Error> {
    let encode = |(i, text): (usize, &String)| {
        let encoded = if offsets {
            loaded.tokenizer.encode(text, special)
        } else {
            loaded.tokenizer.encode_ids(text, special).map(|ids| Encoding { ids, offsets: Vec::new() })
        };
        encoded.map_err(|error| Error::text(&format!("texts[{i}]"), &error))
    };
    texts.iter().enumerate().map(encode).collect()
}

#[tonic::async_trait]
impl TokenizationService for Grpc {
    async fn encode(
        &self,
        request: Request<proto::EncodeRequest>,
    ) -> Result<Response<proto::EncodeResponse>, Status> {
        let request = request.into_inner();
        let texts =
            Texts::new(request.texts, request.add_special_tokens, request.return_offsets).map_err(status)?;
        let loaded = self.registry.get("tokenizer", &request.tokenizer).await.map_err(status)?;
        let encodings = self.encoded(&loaded, texts).await.map_err(status)?;
        let tokenizer_digest = loaded.tokenizer_digest();
        Ok(Response::new(proto::EncodeResponse { encodings, tokenizer_digest }))
    }

    async fn decode(
        &self,
        request: Request<proto::DecodeRequest>,
    ) -> Result<Response<proto::DecodeResponse>, Status> {
        let request = request.into_inner();
        let loaded = self.registry.get("tokenizer", &request.tokenizer).await.map_err(status)?;
        let sequences = convert::sequences(request.sequences, &loaded.tokenizer).map_err(status)?;
        let decode = |ids: &Vec<u32>| loaded.tokenizer.decode(ids, request.skip_special_tokens);
        let texts = sequences.iter().map(decode).collect();
        let tokenizer_digest = loaded.tokenizer_digest();
        Ok(Response::new(proto::DecodeResponse { texts, tokenizer_digest }))
    }

    type EncodeStreamStream = Pin<Box<dyn Stream<Item = Result<proto::EncodeStreamResponse, Status>> + Send>>;

    async fn encode_stream(
        &self,
        request: Request<Streaming<proto::EncodeStreamRequest>>,
    ) -> Result<Response<Self::EncodeStreamStream>, Status> {
        Ok(Response::new(Box::pin(bulk::encode(self.clone(), request.into_inner()))))
    }

    async fn render_chat(
        &self,
        request: Request<proto::RenderChatRequest>,
    ) -> Result<Response<proto::RenderChatResponse>, Status> {
        let request = request.into_inner();
        let messages = convert::messages(request.messages).map_err(status)?;
        let loaded = self.registry.get("tokenizer", &request.tokenizer).await.map_err(status)?;
        let tokenizer_digest = loaded.tokenizer_digest();
        let rendered = self.rendered(loaded, messages, request.add_generation_prompt).await;
        let (text, ids) = rendered.map_err(status)?;
        Ok(Response::new(proto::RenderChatResponse { text, ids, tokenizer_digest }))
    }

    async fn count_tokens(
        &self,
        request: Request<proto::CountTokensRequest>,
    ) -> Result<Response<proto::CountTokensResponse>, Status> {
        let request = request.into_inner();
        let texts = Texts::new(request.texts, false, false).map_err(status)?;
        let loaded = self.registry.get("tokenizer", &request.tokenizer).await.map_err(status)?;
        let encodings = self.encoded(&loaded, texts).await.map_err(status)?;
        let counts: Vec<i64> = encodings.iter().map(|encoding| encoding.ids.len() as i64).collect();
        let total = counts.iter().sum();
        Ok(Response::new(proto::CountTokensResponse { counts, total }))
    }

    async fn train_tokenizer(
        &self,
        request: Request<proto::TrainTokenizerRequest>,
    ) -> Result<Response<proto::TrainTokenizerResponse>, Status> {
        let training = Training::try_from(request.into_inner()).map_err(status)?;
        let name = training.alias.to_string();
        let digest = self.registry.learn(training).await.map_err(status)?;
        let loaded = self.registry.get("name", &digest).await.map_err(status)?;
        let tokenizer = Some(convert::tokenizer(&name, &loaded));
        Ok(Response::new(proto::TrainTokenizerResponse { tokenizer }))
    }

    async fn get_tokenizer(
        &self,
        request: Request<proto::GetTokenizerRequest>,
    ) -> Result<Response<proto::GetTokenizerResponse>, Status> {
        let name = request.into_inner().name;
        let loaded = self.registry.get("name", &name).await.map_err(status)?;
        Ok(Response::new(proto::GetTokenizerResponse { tokenizer: Some(convert::tokenizer(&name, &loaded)) }))
    }

    async fn list_tokenizers(
        &self,
        request: Request<proto::ListTokenizersRequest>,
    ) -> Result<Response<proto::ListTokenizersResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new).map_err(status)
    }
}
