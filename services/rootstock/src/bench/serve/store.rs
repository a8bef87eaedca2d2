//! Fills the server's store: the model and the adapters are imported as the command line does it, and published.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rootstock_cli::{CliError, ConnectArgs, Context, import_adapter, import_model};
use rootstock_client::proto::checkpoint::v1::Artifact;
use rootstock_client::{AdapterClient, Clients};
use rootstock_model::{Format, LinearWeight};
use rootstock_peft::{CONFIG_FILE, WEIGHTS_FILE, read_header};

use crate::bench::BenchError;
use crate::bench::model_dir::{entries, file_bytes};
use crate::bench::output::Output;

/// What the model is called.
const MODEL: &str = "bench";
/// The first publishing loads the model.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(300);

/// The name under which requests ask for the model.
pub(super) fn model_alias() -> String {
    format!("baseModels/{MODEL}")
}

/// The PEFT directories directly below a directory, by name.
pub(super) fn adapter_dirs(dir: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut dirs = entries(dir)?;
    dirs.retain(|path| path.join(CONFIG_FILE).is_file());
    if dirs.is_empty() {
        let message = format!("{} has no directory with an {CONFIG_FILE} directly below it", dir.display());
        return Err(BenchError::Refused(message));
    }
    Ok(dirs)
}

/// Bytes of the adapters' weights on disk.
pub(super) fn bytes(dirs: &[PathBuf]) -> Result<u64, BenchError> {
    dirs.iter().map(|dir| file_bytes(&dir.join(WEIGHTS_FILE))).sum()
}

/// Bytes that the adapters take in the server's memory.
pub(super) fn memory_bytes(dirs: &[PathBuf], format: Format) -> Result<u64, BenchError> {
    let mut bytes = 0;
    for dir in dirs {
        let path = dir.join(WEIGHTS_FILE);
        let file = File::open(&path).map_err(BenchError::read(&path))?;
        let header = read_header(&mut BufReader::new(file), file_bytes(&path)?)
            .map_err(|error| BenchError::Refused(format!("{}: {error}", path.display())))?;
        for (_, shape, _) in header {
            if let [outputs, inputs] = shape[..] {
                bytes += LinearWeight::packed_bytes(outputs, inputs, format) as u64;
            }
        }
    }
    Ok(bytes)
}

/// What is in the store.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// The model.
    pub(super) base: Artifact,
    /// The adapters that are published.
    pub(super) adapters: Vec<StoredAdapter>,
}

/// An adapter in the store.
#[derive(Clone, Debug)]
pub(super) struct StoredAdapter {
    /// The alias.
    pub(super) name: String,
    /// The version that it points at.
    pub(super) digest: String,
}

impl Stored {
    /// The names under which requests ask for the adapters.
    pub(super) fn names(&self) -> Vec<String> {
        self.adapters.iter().map(|adapter| adapter.name.clone()).collect()
    }
}

/// How adapters are published; the first one loads the model.
pub(super) fn publisher(clients: &Clients) -> AdapterClient {
    clients.with_deadline(PUBLISH_DEADLINE).adapters()
}

/// Imports the model, and imports and publishes each adapter, which loads it.
pub(super) async fn fill(
    endpoint: &str,
    clients: &Clients,
    model: &Path,
    adapters: &[PathBuf],
    output: Output,
) -> Result<Stored, BenchError> {
    let begun = Instant::now();
    output.line(&format!("storing the model and {} adapters", adapters.len()));
    let context = Context::new(&ConnectArgs { endpoint: Some(endpoint.to_owned()) })?.quiet();
    let base = import_model(&context, MODEL, model).await?.artifact;
    let publisher = publisher(clients);
    let mut stored = Vec::with_capacity(adapters.len());
    for (index, dir) in adapters.iter().enumerate() {
        let adapter = publish(&context, &publisher, &format!("{MODEL}-{index}"), dir).await;
        stored.push(adapter.map_err(|error| BenchError::AdapterDir { dir: dir.clone(), error })?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    output.line(&format!("the model is stored and {} adapters are published, {seconds:.1} s", stored.len()));
    Ok(Stored { base, adapters: stored })
}

/// Imports and publishes one adapter.
async fn publish(
    context: &Context,
    publisher: &AdapterClient,
    id: &str,
    dir: &Path,
) -> Result<StoredAdapter, CliError> {
    let digest = import_adapter(context, id, MODEL, dir).await?.digest;
    let name = format!("adapters/{id}");
    publisher.publish_adapter(&name, &digest, None).await?;
    Ok(StoredAdapter { name, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_the_peft_directories_and_nothing_else() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
        let dirs = adapter_dirs(&golden).unwrap();
        assert_eq!(dirs, [golden.join("lora"), golden.join("rslora")]);
        assert!(bytes(&dirs).unwrap() > bytes(&dirs[..1]).unwrap());
        let error = adapter_dirs(&golden.join("tied")).unwrap_err().to_string();
        assert!(error.contains("has no directory with an adapter_config.json"), "{error}");
    }
}
