//! Fetches what a job is made of from the checkpoint service into the local cache.

use std::{collections::BTreeMap, path::PathBuf};

use rootstock_client::{Cache, Clients, FetchedArtifact, Progress};
use rootstock_text::{TextTokenizer, TokenizerSources};
use tokio::runtime::Handle;

use super::{
    args::WorkerArgs,
    fault::{Fault, of_job},
    stop::Stop,
};

/// The cache's folder in the data directory; all processes on the machine share it.
const CACHE_FOLDER: &str = "cache";

/// Where artifacts are fetched from and to.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    clients: Clients,
    cache: Cache,
    stop: Stop,
}

impl Fetcher {
    pub(super) async fn open(clients: &Clients, args: &WorkerArgs, stop: &Stop) -> Result<Self, Fault> {
        let (dir, bytes) = (args.data_dir.join(CACHE_FOLDER), args.cache_bytes);
        let cache = blocking(move || {
            Cache::open(dir, bytes).map_err(|error| Fault::passing("the local cache can't be opened", error))
        });
        Ok(Self { clients: clients.clone(), cache: cache.await?, stop: stop.clone() })
    }

    /// Fetches an artifact whole; as long as the result lives, its files stay.
    pub(super) async fn fetch(&self, what: &str, digest: &str) -> Result<FetchedArtifact, Fault> {
        tracing::info!(what, digest, "fetching");
        let (client, cache, digest) = (self.clients.checkpoint(), self.cache.clone(), digest.to_owned());
        let (runtime, span, stop) = (Handle::current(), tracing::Span::current(), self.stop.clone());
        // On a thread that may block: the client's future is bound to the borrows it is made with, and can't be sent.
        // It ends when the worker stops, because the process waits for such threads.
        let fetch = move || {
            let _entered = span.enter();
            let progress = Progress::none();
            runtime.block_on(async {
                tokio::select! {
                    fetched = client.fetch_artifact(digest, &cache, &progress) => Ok(fetched),
                    () = stop.rests() => Err(stop.fault()),
                }
            })
        };
        blocking(fetch).await?.map_err(|error| Fault::remote(what, &error))
    }
}

impl Fetcher {
    /// What ends the worker.
    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// What is said of a file of an artifact by its digest, with its name before it.
    pub(super) async fn with_file(&self, artifact: &str, problem: String) -> String {
        let blobs = self.clients.checkpoint().get_artifact(artifact).await.map(|artifact| artifact.blobs);
        let named = blobs.unwrap_or_default().into_iter().find(|blob| problem.contains(&blob.digest));
        named.map_or(problem.clone(), |blob| format!("{}: {problem}", blob.path))
    }
}

/// The files of an artifact by name, and where they lie.
pub(super) type Files = BTreeMap<String, PathBuf>;

/// Reads a file that must be there.
pub(super) fn read(files: &Files, name: &str) -> Result<Vec<u8>, Fault> {
    match read_optional(files, name)? {
        Some(bytes) => Ok(bytes),
        None => Err(Fault::Job(format!("the artifact has no file {name}"))),
    }
}

/// Reads a file that may be there.
pub(super) fn read_optional(files: &Files, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    let Some(path) = files.get(name) else { return Ok(None) };
    std::fs::read(path).map(Some).map_err(|error| Fault::passing(&format!("{name} can't be read"), error))
}

/// The weight files, in order of their names.
pub(super) fn weight_files(artifact: &FetchedArtifact) -> Vec<PathBuf> {
    artifact.paths_ending(".safetensors")
}

/// Builds the tokenizer that lies in an artifact.
pub(super) fn tokenizer(files: &Files) -> Result<TextTokenizer, Fault> {
    let json = read(files, "tokenizer.json")?;
    let config = read_optional(files, "tokenizer_config.json")?;
    let template = read_optional(files, "chat_template.jinja")?;
    let sources = TokenizerSources {
        tokenizer_json: &json,
        tokenizer_config: config.as_deref(),
        chat_template: template.as_deref(),
    };
    TextTokenizer::from_sources(&sources).map_err(|error| of_job("tokenizer")(&error))
}

/// Does blocking work beside the async runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Fault::passing("a blocking task ended", error)))
}
