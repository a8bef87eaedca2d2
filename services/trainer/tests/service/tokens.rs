//! A tokenization service over the store in memory, with the real tokenizers: the calls that training makes.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use rootstock_proto::tokenization::v1::{self as proto, tokenization_service_server::TokenizationService};
use rootstock_runtime::{ErrorReason, Failure, status};
use rootstock_text::{TextTokenizer, TrainOptions, train_byte_level_bpe};
use tonic::{Request, Response, Status, Streaming};

use crate::store::{Call, Store, unused};

/// Encodes with tokenizers from the store.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) store: Store,
}

/// The files of a tokenizer that knows the text of the tests.
pub(crate) fn tokenizer_files(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let end = "<|endoftext|>".to_owned();
    let options = TrainOptions {
        vocab_size: 300,
        special_tokens: [end.as_str(), "<extra_id_0>", "<extra_id_1>", "<extra_id_2>", "[S]"]
            .map(str::to_owned)
            .to_vec(),
        bos: None,
        eos: Some(end.clone()),
        pad: Some(end),
        ..TrainOptions::default()
    };
    let files = train_byte_level_bpe(std::iter::once(text), &options).unwrap();
    vec![("tokenizer.json", files.tokenizer_json), ("tokenizer_config.json", files.tokenizer_config_json)]
}

impl Tokens {
    fn load(&self, name: &str) -> Result<(String, TextTokenizer), Status> {
        let artifact = self.store.find(name);
        let file = |path| artifact.as_ref().and_then(|artifact| self.store.file(&artifact.digest, path));
        let missing = || status(Failure::new(ErrorReason::NotFound, format!("no tokenizer in {name}")));
        let json = file("tokenizer.json").ok_or_else(missing)?;
        let tokenizer = TextTokenizer::from_files(&json, file("tokenizer_config.json").as_deref()).unwrap();
        Ok((artifact.map(|artifact| artifact.digest).unwrap_or_default(), tokenizer))
    }
}

fn digest(tokenizer: &TextTokenizer) -> String {
    format!("sha256:{}", tokenizer.digest().trim_start_matches("sha256:"))
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl TokenizationService for Tokens {
    type EncodeStreamStream = Pin<Box<dyn Stream<Item = Result<proto::EncodeStreamResponse, Status>> + Send>>;

    async fn encode_stream(
        &self,
        request: Request<Streaming<proto::EncodeStreamRequest>>,
    ) -> Answer<Self::EncodeStreamStream> {
        self.store.pass(Call::EncodeStream).await;
        let this = self.clone();
        let mut loaded = None;
        let answers = request.into_inner().map(move |request| {
            let request = request?;
            if !request.tokenizer.is_empty() {
                loaded = Some(this.load(&request.tokenizer)?.1);
            }
            let tokenizer = loaded.as_ref().unwrap();
            let encode = |text: &String| {
                let encoding = tokenizer.encode(text, request.add_special_tokens).unwrap();
                let offsets = if request.return_offsets { encoding.offsets.as_slice() } else { &[] };
                proto::Encoding {
                    ids: encoding.ids.clone(),
                    start_offsets: offsets.iter().map(|range| range.start as u32).collect(),
                    end_offsets: offsets.iter().map(|range| range.end as u32).collect(),
                }
            };
            let encodings = request.texts.iter().map(encode).collect();
            Ok(proto::EncodeStreamResponse { encodings, tokenizer_digest: digest(tokenizer) })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_tokenizer(
        &self,
        request: Request<proto::GetTokenizerRequest>,
    ) -> Answer<proto::GetTokenizerResponse> {
        let name = request.into_inner().name;
        let (artifact_digest, tokenizer) = self.load(&name)?;
        let tokenizer = proto::Tokenizer {
            name,
            artifact_digest,
            tokenizer_digest: digest(&tokenizer),
            vocab_size: tokenizer.vocab_size() as i32,
            ..Default::default()
        };
        Ok(Response::new(proto::GetTokenizerResponse { tokenizer: Some(tokenizer) }))
    }

    async fn encode(&self, _: Request<proto::EncodeRequest>) -> Answer<proto::EncodeResponse> {
        Err(unused())
    }

    async fn decode(&self, _: Request<proto::DecodeRequest>) -> Answer<proto::DecodeResponse> {
        Err(unused())
    }

    async fn render_chat(&self, _: Request<proto::RenderChatRequest>) -> Answer<proto::RenderChatResponse> {
        Err(unused())
    }

    async fn count_tokens(
        &self,
        _: Request<proto::CountTokensRequest>,
    ) -> Answer<proto::CountTokensResponse> {
        Err(unused())
    }

    async fn train_tokenizer(
        &self,
        _: Request<proto::TrainTokenizerRequest>,
    ) -> Answer<proto::TrainTokenizerResponse> {
        Err(unused())
    }

    async fn list_tokenizers(
        &self,
        _: Request<proto::ListTokenizersRequest>,
    ) -> Answer<proto::ListTokenizersResponse> {
        Err(unused())
    }
}
