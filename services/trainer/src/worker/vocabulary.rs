//! The tokens that a job adds: a tokenizer of its own in the store, by which its rows are encoded.

use std::sync::Arc;

use rootstock_artifacts::{AliasName, Kind};
use rootstock_client::{ArtifactDraft, Clients, FetchedArtifact};
use rootstock_model::{AnyConfig, Config, Decoder};
use rootstock_proto::training::v1 as proto;
use rootstock_text::TextTokenizer;

use super::{
    fault::{Fault, of_job},
    inputs::{Fetcher, blocking, read, tokenizer},
    result::tokenizer_files,
    upload::upload,
};
use crate::spec::Spec;

const TOKENIZER: &str = "tokenizer.json";

/// Stores the base model's tokenizer with the tokens that are added, and lets the lease name it in the place of the base's. Equal jobs
/// store equal files, so that a job that begins again finds it.
pub(super) async fn extend(
    clients: &Clients,
    fetcher: &Fetcher,
    (spec, lease): (&Spec, &mut proto::LeaseJobResponse),
    base: Arc<FetchedArtifact>,
) -> Result<Arc<FetchedArtifact>, Fault> {
    let mut draft = ArtifactDraft::new(Kind::Tokenizer);
    draft.parent = AliasName::new(Kind::Tokenizer, spec.output.id().clone()).to_string();
    draft.files = tokenizer_files(&base).filter(|(name, _)| name != TOKENIZER).collect();
    let tokens = spec.added_tokens.clone();
    let json = blocking(move || {
        let extended = tokenizer(&base.files)?.extended(&read(&base.files, TOKENIZER)?, &tokens);
        extended.map_err(|error| of_job("spec.added_tokens")(&error))
    });
    draft.files.push((TOKENIZER.to_owned(), json.await?.into()));
    lease.tokenizer_artifact_digest = upload(&clients.checkpoint(), "the tokenizer", draft).await?;
    let stored = clients.tokenization().get_tokenizer(&lease.tokenizer_artifact_digest).await;
    lease.tokenizer_digest = stored.map_err(|error| Fault::remote("the tokenizer", &error))?.tokenizer_digest;
    fetcher.fetch("tokenizer", &lease.tokenizer_artifact_digest).await.map(Arc::new)
}

/// The configuration of the model with rows for all of a tokenizer's tokens.
pub(super) fn enlarged(mut config: AnyConfig, spec: &Spec, tokenizer: &TextTokenizer) -> AnyConfig {
    if let (AnyConfig::Decoder(config), false) = (&mut config, spec.added_tokens.is_empty()) {
        config.vocab_size = config.vocab_size.max(tokenizer.vocab_size());
    }
    config
}

/// The configuration of the base model as it is stored.
pub(super) fn stored(config: Config, spec: &Spec, base: &FetchedArtifact) -> Result<Config, Fault> {
    if spec.added_tokens.is_empty() {
        return Ok(config);
    }
    Config::from_json(&read(&base.files, "config.json")?).map_err(|error| of_job("spec.base_model")(&error))
}

/// Gives the added tokens rows of their own.
pub(super) fn add_rows(decoder: &mut Decoder, spec: &Spec, tokenizer: &TextTokenizer) -> Result<(), Fault> {
    if spec.added_tokens.is_empty() {
        return Ok(());
    }
    let all = tokenizer.vocab_size();
    let extended = decoder.extend_vocabulary(all - spec.added_tokens.len(), all);
    extended.map_err(|error| of_job("spec.added_tokens")(&error))
}
