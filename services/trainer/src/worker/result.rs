//! The artifact that a job makes, and the alias that is moved to it.

use std::{path::Path, sync::Arc};

use rootstock_client::{ArtifactDraft, Clients, Expect, FetchedArtifact, Kind, Source};

use super::{
    args::WorkerArgs, fault::Fault, fisher, inputs::blocking, prepare::Origin, train::Finished,
    upload::upload,
};
use crate::spec::Method;

/// The weights of a Hugging Face directory.
pub(super) const MODEL_FILE: &str = "model.safetensors";
const CONFIG_FILE: &str = "config.json";
/// What a base model's directory holds beside its weights and its configuration.
const TOKENIZER_FILES: [&str; 9] = [
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
];
/// The folder below the worker's own in which the result is written.
pub(super) const FOLDER: &str = "result";

/// Stores the result and returns its digest; the alias is moved to it, but for an adapter's.
pub(super) async fn publish(
    args: &WorkerArgs,
    clients: &Clients,
    origin: &Origin,
    finished: Arc<Finished>,
) -> Result<String, Fault> {
    let dir = args.scratch_dir.join(FOLDER);
    let mut draft = {
        let (origin, dir) = (origin.clone(), dir.clone());
        blocking(move || write(&origin, &finished, &dir)).await?
    };
    draft.parent = origin.spec.output.to_string();
    draft.tokenizer_digest.clone_from(&origin.tokenizer_digest);
    draft.annotations.insert("dataset_digest".to_owned(), origin.dataset_digest.clone());
    let (dropped, truncated) = origin.left_out;
    draft.annotations.insert("dropped_rows".to_owned(), dropped.to_string());
    draft.annotations.insert("truncated_rows".to_owned(), truncated.to_string());
    let digest = upload(&clients.checkpoint(), "the result", draft).await?;
    // What remains is removed with the worker's folder.
    let _ = tokio::fs::remove_dir_all(&dir).await;
    if origin.spec.output.kind() != Kind::Adapter {
        move_alias(clients, &origin.spec.output.to_string(), &digest).await?;
    }
    tracing::info!(digest, "result stored");
    Ok(digest)
}

/// Writes the result into `dir` and tells which files it has.
pub(super) fn write(origin: &Origin, finished: &Finished, dir: &Path) -> Result<ArtifactDraft, Fault> {
    let failed = |error| Fault::passing("the result can't be written", error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let (written, unit) = match &finished.fisher {
        Some(fisher) => (fisher::save(fisher, dir)?, "rows"),
        None => (finished.learner.save(dir)?, "steps"),
    };
    let mut draft = ArtifactDraft::new(origin.spec.output.kind());
    draft.annotations.insert(unit.to_owned(), finished.step.to_string());
    if let Some(left) = finished.retention {
        draft.annotations.insert("retention".to_owned(), left.to_string());
    }
    draft.files = written.into_iter().map(|name| (name.to_owned(), Source::Path(dir.join(name)))).collect();
    if matches!(origin.spec.method, Method::Full(_)) {
        let config = origin.config.stored_as("float32").to_json();
        draft.files.push((CONFIG_FILE.to_owned(), config.into()));
        draft.files.extend(tokenizer_files(&origin.tokenizer));
    } else {
        draft.base_digest.clone_from(&origin.base_digest);
    }
    Ok(draft)
}

/// The tokenizer's files, as they are.
pub(super) fn tokenizer_files(tokenizer: &FetchedArtifact) -> impl Iterator<Item = (String, Source)> {
    let path = |name: &str| tokenizer.path(name).map(|path| Source::Path(path.to_owned()));
    TOKENIZER_FILES.into_iter().filter_map(move |name| Some((name.to_owned(), path(name)?)))
}

/// Moves the alias, unless an earlier attempt has done so.
async fn move_alias(clients: &Clients, name: &str, digest: &str) -> Result<(), Fault> {
    let checkpoint = clients.checkpoint();
    if checkpoint.get_alias(name).await.is_ok_and(|alias| alias.digest == digest) {
        return Ok(());
    }
    let moved = checkpoint.set_alias(name, digest, Expect::Any).await;
    moved.map(|_| ()).map_err(|error| Fault::remote("spec.output", &error))
}
