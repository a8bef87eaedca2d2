//! Tokenizers by name: resolved in the checkpoint store, built once, and kept in memory by digest while in use.

use std::sync::Arc;

use parking_lot::Mutex;
use rootstock_artifacts::ArtifactName;
use rootstock_client::{Cache, Clients, FetchedArtifact, Progress};
use rootstock_proto::checkpoint::v1::{Artifact, ArtifactKind};
use rootstock_runtime::Tasks;
use rootstock_text::{TextTokenizer, TokenizerSources};
use tokio::sync::OnceCell;

use crate::metrics::TokenizerMetrics;
use crate::{Config, Error};

/// The files of a tokenizer, in a TOKENIZER artifact or beside a base model.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const CHAT_TEMPLATE: &str = "chat_template.jinja";

/// The largest file of a tokenizer.
const MAX_FILE_BYTES: usize = 64 << 20;

/// A tokenizer in memory.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Digest of the artifact it lies in.
    pub(crate) artifact_digest: String,
    pub(crate) tokenizer: TextTokenizer,
}

impl Loaded {
    /// The digest of tokenizer, chat template and special tokens, in the form that the contract gives all digests.
    pub(crate) fn tokenizer_digest(&self) -> String {
        format!("sha256:{}", self.tokenizer.digest())
    }
}

type Slot = Arc<OnceCell<Arc<Loaded>>>;

/// Finds and keeps tokenizers; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) clients: Clients,
    pub(crate) cache: Cache,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: TokenizerMetrics,
    pub(crate) max_training_bytes: u64,
    max_tokenizers: usize,
    /// By artifact digest, the one used last at the end.
    slots: Arc<Mutex<Vec<(String, Slot)>>>,
}

impl Registry {
    pub(crate) fn new(
        config: &Config,
        clients: Clients,
        cache: Cache,
        tasks: Tasks,
        metrics: TokenizerMetrics,
    ) -> Self {
        Self {
            clients,
            cache,
            tasks,
            metrics,
            max_training_bytes: config.max_training_bytes,
            max_tokenizers: config.max_tokenizers,
            slots: Arc::default(),
        }
    }

    /// The tokenizer that a request's field names: alias or digest of a tokenizer or a base model.
    pub(crate) async fn get(&self, field: &str, name: &str) -> Result<Arc<Loaded>, Error> {
        let parsed: ArtifactName = name.parse().map_err(|error| Error::invalid(field, format!("{error}")))?;
        if let ArtifactName::Digest(digest) = &parsed
            && let Some(slot) = self.present(&digest.to_string())
            && let Some(loaded) = slot.get()
        {
            return Ok(Arc::clone(loaded));
        }
        let found = self.clients.checkpoint().get_artifact(name).await;
        let artifact = found.map_err(|error| Error::remote(error, field))?;
        if !matches!(artifact.kind(), ArtifactKind::Tokenizer | ArtifactKind::BaseModel) {
            let kind = artifact.kind().as_str_name();
            return Err(Error::invalid(
                field,
                format!("{name} is of kind {kind}; name a tokenizer or a base model"),
            ));
        }
        let slot = self.slot(&artifact.digest);
        let loaded = slot.get_or_try_init(|| self.load(name, artifact)).await?;
        Ok(Arc::clone(loaded))
    }

    fn present(&self, digest: &str) -> Option<Slot> {
        let mut slots = self.slots.lock();
        let at = slots.iter().position(|(key, _)| key == digest)?;
        let used = slots.remove(at);
        let slot = Arc::clone(&used.1);
        slots.push(used);
        Some(slot)
    }

    /// The slot of a digest, made if need be; the one used longest ago gives way.
    fn slot(&self, digest: &str) -> Slot {
        if let Some(slot) = self.present(digest) {
            return slot;
        }
        let mut slots = self.slots.lock();
        if slots.len() >= self.max_tokenizers {
            slots.remove(0);
        }
        let slot = Slot::default();
        slots.push((digest.to_owned(), Arc::clone(&slot)));
        self.metrics.resident.set(i64::try_from(slots.len()).unwrap_or(i64::MAX));
        slot
    }

    /// Fetches the tokenizer's files, and not the weights beside them, and builds it.
    async fn load(&self, name: &str, artifact: Artifact) -> Result<Arc<Loaded>, Error> {
        let file = |path: &str| artifact.blobs.iter().find(|blob| blob.path == path);
        let Some(json) = file(TOKENIZER) else {
            return Err(Error::File {
                name: name.to_owned(),
                problem: format!("there is no {TOKENIZER} in it"),
            });
        };
        let checkpoint = self.clients.checkpoint();
        let mut contents = [None, None, None];
        for (blob, content) in
            [Some(json), file(TOKENIZER_CONFIG), file(CHAT_TEMPLATE)].into_iter().zip(&mut contents)
        {
            if let Some(blob) = blob {
                let digest = blob
                    .digest
                    .parse()
                    .map_err(|error| Error::File { name: name.to_owned(), problem: format!("{error}") })?;
                let bytes = checkpoint.read_blob(&digest, MAX_FILE_BYTES).await;
                *content = Some(bytes.map_err(|error| Error::remote(error, "tokenizer"))?);
            }
        }
        let built = self.tasks.spawn_blocking("tokenizer-build", move || {
            let [json, config, template] = &contents;
            TextTokenizer::from_sources(&TokenizerSources {
                tokenizer_json: json.as_deref().unwrap_or_default(),
                tokenizer_config: config.as_deref(),
                chat_template: template.as_deref(),
            })
        });
        let refused = |error: rootstock_text::TokenizerError| Error::File {
            name: name.to_owned(),
            problem: error.to_string(),
        };
        let tokenizer = built.await?.map_err(refused)?;
        self.metrics.loads.inc();
        Ok(Arc::new(Loaded { artifact_digest: artifact.digest, tokenizer }))
    }

    /// Fetches a data set into the local cache.
    pub(crate) async fn dataset(&self, name: &str) -> Result<FetchedArtifact, Error> {
        let checkpoint = self.clients.checkpoint();
        let artifact =
            checkpoint.get_artifact(name).await.map_err(|error| Error::remote(error, "dataset"))?;
        if artifact.kind() != ArtifactKind::Dataset {
            return Err(Error::invalid("dataset", format!("{name} is not a data set")));
        }
        if artifact.size_bytes.unsigned_abs() > self.max_training_bytes {
            let (size, most) = (artifact.size_bytes, self.max_training_bytes);
            return Err(Error::invalid(
                "dataset",
                format!("{name} has {size} bytes; at most {most} are allowed"),
            ));
        }
        let fetched = checkpoint.fetch_artifact(artifact.digest, &self.cache, &Progress::none()).await;
        fetched.map_err(|error| Error::remote(error, "dataset"))
    }
}
