//! Names to digests: asked once, when the job is created, so that an alias that moves later doesn't change the job.

mod publication;

use rootstock_artifacts::ArtifactName;
use rootstock_client::{ClientError, Clients};
use rootstock_model::{AnyConfig, Config as ModelConfig};
use rootstock_peft::PeftError;
use rootstock_proto::{
    checkpoint::v1::{Artifact, ArtifactKind},
    tokenization::v1::Tokenizer,
};
use rootstock_runtime::{ErrorReason, Failure};
use rootstock_text::RecordFormat;

use crate::{
    convert::lora_config,
    error::Error,
    memory,
    spec::{Data, MIN_ROW_TOKENS, Method, Objective, Spec, Start, Validation},
    store::Resolved,
};

/// A base model's configuration.
const CONFIG: &str = "config.json";
/// The largest one read; the store admits no larger one.
const MAX_CONFIG_BYTES: usize = 1 << 20;

/// What a job starts from.
struct Started {
    /// The base model, where there is one.
    base: Option<Artifact>,
    /// The adapter that is gone on with, or nothing.
    adapter_digest: String,
    tokenizer: Tokenizer,
}

/// Finds what a specification's names stand for.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    pub(crate) clients: Clients,
    /// Memory that a job may take; 0 is all that the machine has.
    pub(crate) memory_bytes: u64,
}

impl Resolver {
    /// Looks everything up and checks that it belongs together.
    pub(crate) async fn resolve(&self, spec: &Spec) -> Result<Resolved, Error> {
        let mut datasets = Vec::new();
        for (field, name) in spec.datasets() {
            let dataset = self.artifact(&field, name, &[ArtifactKind::Dataset]).await?;
            datasets.push((field, dataset));
        }
        let validation = match &spec.validation {
            Validation::Dataset(name) => {
                Some(self.artifact("spec.validation_dataset", name, &[ArtifactKind::Dataset]).await?)
            }
            Validation::None | Validation::Split(_) => None,
        };
        let replayed = spec.replay.as_ref().map(|replay| ("spec.replay.dataset", &replay.dataset));
        let replayed = self.dataset(replayed).await?;
        let kept = spec.retention.as_ref().map(|retention| ("spec.retention.dataset", &retention.dataset));
        let kept = self.dataset(kept).await?;
        let Started { base, adapter_digest, tokenizer } = self.start(&spec.start).await?;
        let publication_digest = self.publication(spec).await?;
        let fisher_digest = self.fisher(spec, base.as_ref()).await?;
        let config = self.check_model(spec, base.as_ref()).await?;
        check_template(spec, &tokenizer)?;
        let named = datasets.iter().map(|(field, dataset)| (field.as_str(), dataset));
        let all: Vec<_> =
            named.chain(validation.iter().map(|dataset| ("spec.validation_dataset", dataset))).collect();
        for (field, dataset) in &all {
            check_files(field, spec, dataset)?;
        }
        for (field, earlier) in [("spec.replay.dataset", &replayed), ("spec.retention.dataset", &kept)] {
            let Some(earlier) = earlier else { continue };
            check_files(field, spec, earlier)?;
            same_tokenizer(field, earlier, &tokenizer.tokenizer_digest)?;
        }
        memory::check(spec, config.as_ref(), &tokenizer, self.memory_bytes)?;
        for (field, dataset) in all {
            same_tokenizer(field, dataset, &tokenizer.tokenizer_digest)?;
        }
        let digests: Vec<String> = datasets.into_iter().map(|(_, dataset)| dataset.digest).collect();
        let (dataset_digest, mix_digests) = match spec.data {
            Data::Dataset(_) if spec.stages.is_empty() => (digests.concat(), Vec::new()),
            _ => (String::new(), digests),
        };
        Ok(Resolved {
            dataset_digest,
            mix_digests,
            validation_dataset_digest: validation.map(|artifact| artifact.digest).unwrap_or_default(),
            base_digest: base.map(|artifact| artifact.digest).unwrap_or_default(),
            adapter_digest,
            fisher_digest,
            replay_digest: replayed.map(|artifact| artifact.digest).unwrap_or_default(),
            retention_digest: kept.map(|artifact| artifact.digest).unwrap_or_default(),
            optimizer_digest: String::new(),
            publication_digest,
            tokenizer_artifact_digest: tokenizer.artifact_digest,
            tokenizer_digest: tokenizer.tokenizer_digest,
        })
    }

    async fn start(&self, start: &Start) -> Result<Started, Error> {
        match start {
            Start::Base(name) => {
                let base = self.artifact("spec.base_model", name, &[ArtifactKind::BaseModel]).await?;
                self.on_base("spec.base_model", base, String::new()).await
            }
            Start::Adapter(name) => {
                let field = "spec.base_adapter";
                let adapter = self.artifact(field, name, &[ArtifactKind::Adapter]).await?;
                let base =
                    adapter.base_digest.parse().map_err(|_| Error::invalid(field, "names no base model"))?;
                let base = self.artifact(field, &base, &[ArtifactKind::BaseModel]).await?;
                self.on_base(field, base, adapter.digest).await
            }
            Start::New(model) => {
                let tokenizer = self.own_tokenizer("spec.new_model.tokenizer", &model.tokenizer).await?;
                Ok(Started { base: None, adapter_digest: String::new(), tokenizer })
            }
            Start::NewEncoder(model) => {
                let tokenizer = self.own_tokenizer("spec.new_encoder.tokenizer", &model.tokenizer).await?;
                Ok(Started { base: None, adapter_digest: String::new(), tokenizer })
            }
        }
    }

    /// A data set beside the one that is trained on, where one is named, and by which field.
    async fn dataset(&self, named: Option<(&str, &ArtifactName)>) -> Result<Option<Artifact>, Error> {
        match named {
            Some((field, name)) => self.artifact(field, name, &[ArtifactKind::Dataset]).await.map(Some),
            None => Ok(None),
        }
    }

    /// The Fisher information that weights are held by, or nothing; it must be the base model's.
    async fn fisher(&self, spec: &Spec, base: Option<&Artifact>) -> Result<String, Error> {
        let Some(elastic) = &spec.elastic else { return Ok(String::new()) };
        let field = "spec.ewc.fisher";
        let fisher = self.artifact(field, &elastic.fisher, &[ArtifactKind::Fisher]).await?;
        match base {
            Some(base) if base.digest == fisher.base_digest => Ok(fisher.digest),
            _ => {
                let message = format!(
                    "was measured on {}, which is not the base model that training starts from; measure it on that one",
                    fisher.base_digest
                );
                Err(Error::invalid(field, message))
            }
        }
    }

    /// The tokenizer that is named for a new model.
    async fn own_tokenizer(&self, field: &str, name: &ArtifactName) -> Result<Tokenizer, Error> {
        let kinds = [ArtifactKind::Tokenizer, ArtifactKind::BaseModel];
        let artifact = self.artifact(field, name, &kinds).await?;
        self.tokenizer(field, &artifact.digest).await
    }

    /// A base model's tokenizer is its own.
    async fn on_base(&self, field: &str, base: Artifact, adapter_digest: String) -> Result<Started, Error> {
        let tokenizer = self.tokenizer(field, &base.digest).await?;
        same_tokenizer(field, &base, &tokenizer.tokenizer_digest)?;
        Ok(Started { base: Some(base), adapter_digest, tokenizer })
    }

    /// Whether the base model can learn what it shall and has the modules that are to be trained, and rows of the length asked for fit its
    /// context; a default gives way to it. Gives the configuration.
    async fn check_model(&self, spec: &Spec, base: Option<&Artifact>) -> Result<Option<AnyConfig>, Error> {
        let (Some(base), field) = (base, spec.start.field()) else { return Ok(None) };
        let Some(config) = self.config(field, base).await? else { return Ok(None) };
        if let Some(refusal) = spec.objective.refusal(&config) {
            return Err(Error::invalid(field, refusal));
        }
        // An adapter that is gone on with was checked against this model when it was stored.
        if let AnyConfig::Decoder(config) = &config
            && !matches!(spec.start, Start::Adapter(_))
        {
            let (spec, config) = (spec.clone(), config.clone());
            // Expressions are compiled and matched with every weight.
            let checked = tokio::task::spawn_blocking(move || check_method(&spec, &config)).await;
            let failed = |error| Error::Io {
                what: "the method can't be checked",
                source: std::io::Error::other(error),
            };
            checked.map_err(failed)??;
        }
        let virtual_tokens = spec.method.virtual_tokens();
        if virtual_tokens > 0 && virtual_tokens + MIN_ROW_TOKENS > config.max_position_embeddings() {
            let message =
                format!("is {virtual_tokens}, which leaves the base model's context no room for rows");
            return Err(Error::invalid(spec.method.virtual_tokens_field(), message));
        }
        if !spec.default_length {
            let checked = spec.check_length(config.max_position_embeddings());
            checked.map_err(|(field, problem)| Error::invalid(field, problem))?;
        }
        Ok(Some(config))
    }

    /// The configuration of a base model, where it has one.
    pub(crate) async fn config(&self, field: &str, base: &Artifact) -> Result<Option<AnyConfig>, Error> {
        let Some(entry) = base.blobs.iter().find(|blob| blob.path == CONFIG) else { return Ok(None) };
        let Ok(digest) = entry.digest.parse() else { return Ok(None) };
        let read = self.clients.checkpoint().read_blob(&digest, MAX_CONFIG_BYTES).await;
        let json = read.map_err(|error| Error::remote(error, "checkpoint", field))?;
        let config = AnyConfig::from_json(&json);
        config.map(Some).map_err(|error| Error::invalid(field, error.to_string()))
    }

    /// The first of these artifacts that is not in the store any more.
    pub(crate) async fn missing(&self, needed: &[(&str, &str)]) -> Result<Option<String>, Error> {
        for (what, digest) in needed {
            match self.clients.checkpoint().get_artifact(*digest).await {
                Ok(_) => {}
                Err(error) if error.reason == Some(ErrorReason::NotFound) => {
                    return Ok(Some(format!("{what} {digest}")));
                }
                Err(error) => return Err(Error::remote(error, "checkpoint", "name")),
            }
        }
        Ok(None)
    }

    /// An artifact of one of these kinds.
    pub(crate) async fn artifact(
        &self,
        field: &str,
        name: &ArtifactName,
        kinds: &[ArtifactKind],
    ) -> Result<Artifact, Error> {
        let found = self.clients.checkpoint().get_artifact(&name.to_string()).await;
        let artifact = found.map_err(|error| Error::remote(error, "checkpoint", field))?;
        if kinds.contains(&artifact.kind()) {
            return Ok(artifact);
        }
        let message = format!("{name} is of kind {}, which doesn't fit here", artifact.kind().as_str_name());
        Err(Error::invalid(field, message))
    }

    async fn tokenizer(&self, field: &str, digest: &str) -> Result<Tokenizer, Error> {
        let found = self.clients.tokenization().get_tokenizer(digest).await;
        found.map_err(|error| Error::remote(error, "tokenization", field))
    }
}

/// Whether the model has what is to be trained.
fn check_method(spec: &Spec, config: &ModelConfig) -> Result<(), Error> {
    match &spec.method {
        Method::Full(_) => spec.trained(config).map(|_| ()),
        Method::Bottleneck(_) | Method::VirtualTokens(_) | Method::Fisher(_) => Ok(()),
        Method::Lora(lora) => {
            let adapter = lora_config(lora, "");
            let checked =
                adapter.check_trainable(config).and_then(|()| adapter.refuse_unclear_patterns(config));
            checked.map_err(|error| match error {
                PeftError::Field { field, problem } => Error::invalid(format!("spec.lora.{field}"), problem),
                PeftError::Unsupported { field, value, supported } => {
                    let message = format!("is {value}, which is not supported; {supported}");
                    Error::invalid(format!("spec.lora.{field}"), message)
                }
                other => Error::invalid("spec.lora", other.to_string()),
            })
        }
    }
}

/// An artifact that was made with a tokenizer must have been made with this one.
fn same_tokenizer(field: &str, artifact: &Artifact, digest: &str) -> Result<(), Error> {
    if artifact.tokenizer_digest.is_empty() || artifact.tokenizer_digest == digest {
        return Ok(());
    }
    let made = &artifact.tokenizer_digest;
    Err(Error::TokenizerMismatch(format!(
        "{field} was made with tokenizer {made}, but the job uses {digest}"
    )))
}

/// Whether the tokenizer has the chat template that the job wants to use.
fn check_template(spec: &Spec, tokenizer: &Tokenizer) -> Result<(), Error> {
    if tokenizer.has_chat_template {
        return Ok(());
    }
    match spec.chat_field() {
        Some(field) => {
            let message = "is chat, but the base model's tokenizer has no chat template; choose another one";
            Err(Error::invalid(field, message))
        }
        None => Ok(()),
    }
}

/// Whether a data set can hold the rows that supervised training and classification need: text has none.
fn check_files(field: &str, spec: &Spec, dataset: &Artifact) -> Result<(), Error> {
    let holds_rows = |path: &str| RecordFormat::from_name(path).is_some();
    let needs_rows = matches!(spec.objective, Objective::Supervised { .. } | Objective::Classification(_));
    if !needs_rows || dataset.blobs.iter().any(|blob| holds_rows(&blob.path)) {
        return Ok(());
    }
    let (objective, endings) = (spec.objective.name(), RecordFormat::endings());
    let message =
        format!("holds no {endings} file, and {objective} needs rows; use causal or masked for text");
    Err(Error::invalid(field, message))
}

/// What a failed call to another service means for the call that needed it.
pub(crate) fn failure_of(error: ClientError, dependency: &str) -> Failure {
    match error.reason {
        Some(reason) if reason != ErrorReason::Internal && reason != ErrorReason::ShuttingDown => {
            let failure = Failure::new(reason, error.message);
            let failure = error.retry_after.into_iter().fold(failure, Failure::retry_after);
            error.field.into_iter().fold(failure, Failure::with_field)
        }
        Some(ErrorReason::Internal) => {
            Failure::internal(format!("the {dependency} service failed: {}", error.message))
        }
        _ => Failure::new(
            ErrorReason::DependencyUnavailable,
            format!("the {dependency} service doesn't answer; retry"),
        ),
    }
}
