//! Base models in memory: weights mapped from the local cache, the tokenizer, and which tokens end a text.

mod encoder;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use candle_core::Device;
use rootstock_artifacts::{
    ArtifactName, Digest, Kind,
    check::{Header, safetensors::Dtype},
};
use rootstock_model::{AnyConfig, Config as ModelConfig, Decoder, Format, KvCache, ModelError};
use rootstock_runtime::Tasks;
use rootstock_text::{StreamDecoder, TextTokenizer, TokenizerSources};

use crate::{
    config::WeightDtype,
    constraint::Vocabulary,
    error::Error,
    residents::{Reservation, Residents, Weigh},
    store::{Artifact, Fetched, Store},
};

pub(crate) use encoder::EncoderModel;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = ".safetensors";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const CHAT_TEMPLATE: &str = "chat_template.jinja";

/// A base model in memory.
#[derive(Debug)]
pub(crate) struct Model {
    digest: Digest,
    decoder: Decoder,
    tokenizer: Option<TextTokenizer>,
    /// Tokens that end a text: the model's and the tokenizer's.
    eos: Vec<u32>,
    /// For constraints; built when the first one comes.
    vocabulary: OnceLock<Result<Vocabulary, Error>>,
    _reservation: Option<Reservation>,
    /// Keeps the mapped files from eviction, so that the cache's count of its bytes stays true.
    _files: Option<Fetched>,
}

impl Weigh for Model {
    /// Models are counted.
    fn weight(&self) -> u64 {
        1
    }
}

impl Model {
    /// A model from its parts.
    pub(crate) fn new(digest: Digest, decoder: Decoder, tokenizer: Option<TextTokenizer>) -> Self {
        let mut eos = decoder.config().eos_token_ids.clone();
        let named = tokenizer.as_ref().and_then(|tokenizer| tokenizer.special_tokens().eos.as_ref());
        eos.extend(named.map(|token| token.id));
        eos.sort_unstable();
        eos.dedup();
        let vocabulary = OnceLock::new();
        Self { digest, decoder, tokenizer, eos, vocabulary, _reservation: None, _files: None }
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The tokenizer; a model may come without, and then takes token ids alone.
    pub(crate) fn tokenizer(&self) -> Option<&TextTokenizer> {
        self.tokenizer.as_ref()
    }

    /// Its tokens as constraints see them. Blocks the first time.
    pub(crate) fn vocabulary(&self) -> Result<&Vocabulary, Error> {
        self.vocabulary.get_or_init(|| Vocabulary::of(self)).as_ref().map_err(Clone::clone)
    }

    /// Digest of tokenizer, chat template and special tokens; empty without a tokenizer.
    pub(crate) fn tokenizer_digest(&self) -> String {
        self.tokenizer.as_ref().map_or_else(String::new, |tokenizer| format!("sha256:{}", tokenizer.digest()))
    }

    /// Tokens that end a text.
    pub(crate) fn eos(&self) -> &[u32] {
        &self.eos
    }

    pub(crate) fn is_eos(&self, id: u32) -> bool {
        self.eos.contains(&id)
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.decoder.config().vocab_size
    }

    /// Most tokens of prompt and answer together.
    pub(crate) fn context(&self) -> usize {
        self.decoder.config().max_position_embeddings
    }

    pub(crate) fn new_cache(&self, tokens: usize) -> Result<KvCache, Error> {
        Ok(KvCache::new(self.decoder.config(), self.decoder.format(), tokens, &Device::Cpu)?)
    }

    /// Bytes of the keys and values of [`KvCache::BLOCK`] tokens.
    pub(crate) fn cache_block_bytes(&self) -> u64 {
        KvCache::block_bytes(self.decoder.config(), self.decoder.format()) as u64
    }

    /// Turns generated ids into text.
    pub(crate) fn stream_decoder(&self) -> Option<StreamDecoder> {
        self.tokenizer.as_ref().map(|tokenizer| tokenizer.stream_decoder(true))
    }
}

/// The base models: loaded when first asked for, at most so many at once.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) residents: Residents<Model>,
    /// Counted by themselves.
    pub(crate) encoders: Residents<EncoderModel>,
    pub(crate) tasks: Tasks,
    pub(crate) dtype: WeightDtype,
}

impl Models {
    /// The base model of this name, which is no alias's. Whether there still is one only the store knows; while it doesn't answer, a
    /// digest in memory is taken at its word.
    pub(crate) async fn named(&self, name: &ArtifactName, field: &str) -> Result<Digest, Error> {
        let artifact = match (self.store.artifact(name).await, name) {
            (Err(error), ArtifactName::Digest(digest)) if error.is_transient() => {
                let known = self.residents.get(digest).is_some() || self.encoders.get(digest).is_some();
                return if known { Ok(*digest) } else { Err(error) };
            }
            (found, _) => found?,
        };
        check_kind(&artifact, field)?;
        Ok(artifact.digest)
    }

    /// The model, loaded if need be.
    pub(crate) async fn get(&self, digest: Digest) -> Result<Arc<Model>, Error> {
        let models = self.clone();
        self.residents.get_or_load(digest, || async move { models.load(digest).await }).await
    }

    /// The encoder, loaded if need be.
    pub(crate) async fn encoder(&self, digest: Digest) -> Result<Arc<EncoderModel>, Error> {
        let models = self.clone();
        self.encoders.get_or_load(digest, || async move { models.load_encoder(digest).await }).await
    }

    /// Loads it as what it is.
    pub(crate) async fn preload(&self, digest: Digest) -> Result<(), Error> {
        match self.fetch(&digest).await?.1 {
            AnyConfig::Decoder(_) => self.get(digest).await.map(drop),
            AnyConfig::Encoder(_) => self.encoder(digest).await.map(drop),
        }
    }

    async fn load(&self, digest: Digest) -> Result<Model, Error> {
        let (fetched, AnyConfig::Decoder(config)) = self.fetch(&digest).await? else {
            let message = format!("{digest} is an encoder, which doesn't generate; ask Classify or FillMask");
            return Err(Error::invalid("model", message));
        };
        let (reservation, dtype) = (self.residents.reserve(1)?, self.dtype);
        let load = move || load(fetched, config, dtype, reservation);
        self.tasks.spawn_blocking("inference-load-model", load).await?
    }

    async fn load_encoder(&self, digest: Digest) -> Result<EncoderModel, Error> {
        let (fetched, AnyConfig::Encoder(config)) = self.fetch(&digest).await? else {
            let message =
                format!("{digest} is a decoder, which neither classifies nor fills masks; ask Generate");
            return Err(Error::invalid("model", message));
        };
        let (reservation, dtype) = (self.encoders.reserve(1)?, self.dtype);
        let load = move || EncoderModel::load(fetched, config, dtype, reservation);
        self.tasks.spawn_blocking("inference-load-model", load).await?
    }

    /// The files of a base model, and its configuration.
    async fn fetch(&self, digest: &Digest) -> Result<(Fetched, AnyConfig), Error> {
        let fetched = self.store.fetch(digest).await?;
        check_kind(&fetched.artifact, "model")?;
        let read = move || {
            let config = AnyConfig::from_json(&fetched.read(CONFIG)?).map_err(ModelError::from)?;
            Ok((fetched, config))
        };
        self.tasks.spawn_blocking("inference-read-config", read).await?
    }
}

fn check_kind(artifact: &Artifact, field: &str) -> Result<(), Error> {
    let Artifact { digest, kind, .. } = artifact;
    if *kind == Kind::BaseModel {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{digest} is of kind {kind}, not a base model")))
}

/// Maps the weights and builds the tokenizer; blocks.
fn load(
    fetched: Fetched,
    config: ModelConfig,
    dtype: WeightDtype,
    reservation: Reservation,
) -> Result<Model, Error> {
    let weights = fetched.paths_ending(WEIGHTS);
    let tokenizer = load_tokenizer(&fetched)?;
    let decoder = Decoder::load(config, &weights, format(dtype, &weights)?, &Device::Cpu)?;
    if let Some(tokenizer) = &tokenizer {
        check_rows(tokenizer, decoder.config().vocab_size)?;
    }
    let model = Model::new(fetched.artifact.digest, decoder, tokenizer);
    Ok(Model { _reservation: Some(reservation), _files: Some(fetched), ..model })
}

/// In which format the matrices are multiplied.
fn format(dtype: WeightDtype, weights: &[PathBuf]) -> Result<Format, Error> {
    match dtype {
        WeightDtype::F32 => Ok(Format::F32),
        WeightDtype::Bf16 => Ok(Format::Bf16),
        WeightDtype::Int8 => Ok(Format::Int8),
        WeightDtype::Stored => stored_format(weights.first().map(PathBuf::as_path)),
    }
}

/// Refuses a tokenizer with tokens that the model has no row for.
fn check_rows(tokenizer: &TextTokenizer, rows: usize) -> Result<(), Error> {
    let tokens = tokenizer.vocab_size();
    if tokens <= rows {
        return Ok(());
    }
    let message = format!("{TOKENIZER} has {tokens} tokens, more than the {rows} rows of {CONFIG}");
    Err(Error::InvalidFile(message))
}

fn load_tokenizer(fetched: &Fetched) -> Result<Option<TextTokenizer>, Error> {
    if !fetched.has(TOKENIZER) {
        return Ok(None);
    }
    let optional = |name| if fetched.has(name) { fetched.read(name).map(Some) } else { Ok(None) };
    let (json, config, template) =
        (fetched.read(TOKENIZER)?, optional(TOKENIZER_CONFIG)?, optional(CHAT_TEMPLATE)?);
    let sources = TokenizerSources {
        tokenizer_json: &json,
        tokenizer_config: config.as_deref(),
        chat_template: template.as_deref(),
    };
    TextTokenizer::from_sources(&sources).map(Some).map_err(|error| Error::InvalidFile(error.to_string()))
}

/// What the weights are in their files: that of the first matrix stands for all.
fn stored_format(path: Option<&Path>) -> Result<Format, Error> {
    let Some(path) = path else { return Ok(Format::F32) };
    let read = || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok::<_, std::io::Error>((file, bytes))
    };
    let (file, bytes) = read().map_err(|error| Error::internal("a weight file can't be read", error))?;
    let header =
        Header::read(file, bytes).map_err(|error| Error::InvalidFile(format!("the weights: {error}")))?;
    let matrix = header.tensors.iter().find(|tensor| tensor.shape.len() > 1);
    Ok(if matrix.is_some_and(|tensor| tensor.dtype == Dtype::BF16) { Format::Bf16 } else { Format::F32 })
}
