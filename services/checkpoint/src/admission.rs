//! Admission: what the files of an artifact must be before it becomes visible. All of it runs on a thread for compute,
//! and reads weights by their headers alone.
mod adapter;
mod base_model;
mod dataset;
mod error;
mod fisher;
mod json;
mod source;
mod tokenizer;
mod utf8;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use error::AdmissionError;
use rootstock_artifacts::check::{TensorInfo, missing_file};
use rootstock_artifacts::{BlobStore, Digest, Header, Kind, Manifest};
use rootstock_model::AnyConfig;
use rootstock_text::DataFormat;
use source::{CancelOnDrop, Source};

use crate::{Artifact, Error};

/// Largest `config.json` or `adapter_config.json`, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// Largest `tokenizer.json`, in bytes.
const MAX_TOKENIZER_BYTES: u64 = 128 << 20;
/// Most tensors over all files of an artifact.
const MAX_TENSORS: usize = 1_000_000;

/// What is known about the base model that an artifact belongs to.
#[derive(Debug)]
pub(crate) struct Base {
    digest: Digest,
    config: AnyConfig,
    tokenizer_digest: Option<Digest>,
}

impl Base {
    /// Reads what is known from the base model's artifact.
    pub(crate) async fn read(blobs: &BlobStore, artifact: &Artifact) -> Result<Self, Error> {
        let config = artifact.manifest.blob(base_model::CONFIG).ok_or(Error::Damaged("base model"))?;
        let bytes = blobs.read_all(config.digest, MAX_CONFIG_BYTES).await?;
        let config = AnyConfig::from_json(&bytes).map_err(|_| Error::Damaged("base model"))?;
        let tokenizer_digest = artifact.manifest.tokenizer_digest;
        Ok(Self { digest: artifact.digest, config, tokenizer_digest })
    }
}

/// The files of an artifact, open to be looked at. Dropping the guard that [`open`](Self::open) puts aside stops it.
#[derive(Debug)]
pub(crate) struct Inspection {
    kind: Kind,
    files: BTreeMap<String, Source>,
    base: Option<Base>,
    tokenizer_digest: Option<Digest>,
}

impl Inspection {
    /// Opens the files; what is read of them later is what their digests name. The guard belongs to the caller: once it
    /// is dropped, reading fails.
    pub(crate) async fn open(
        blobs: &BlobStore,
        manifest: &Manifest,
        base: Option<Base>,
    ) -> Result<(Self, CancelOnDrop), Error> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let mut files = BTreeMap::new();
        for blob in &manifest.blobs {
            let reader = blobs.reader(blob.digest).await?;
            files.insert(blob.path.clone(), Source::new(blob.path.clone(), reader, cancelled.clone()));
        }
        let inspection =
            Self { kind: manifest.kind, files, base, tokenizer_digest: manifest.tokenizer_digest };
        Ok((inspection, CancelOnDrop(cancelled)))
    }

    /// Checks everything; returns the digest of the tokenizer, which is found out where it was not given.
    pub(crate) fn run(mut self) -> Result<Option<Digest>, AdmissionError> {
        for source in self.files.values_mut() {
            if source.is_pickle()? {
                return Err(AdmissionError::Pickle { file: source.name.clone() });
            }
        }
        if let Some(missing) = missing_file(self.kind, self.files.keys().map(String::as_str)) {
            return Err(AdmissionError::MissingFile { kind: self.kind, file: missing.to_owned() });
        }
        let tensors = self.tensors()?;
        match self.kind {
            Kind::BaseModel => self.base_model(&tensors),
            Kind::Adapter => self.adapter(&tensors),
            Kind::Tokenizer => self.own_tokenizer(),
            Kind::Dataset => {
                if !self.files.keys().any(|name| DataFormat::from_name(name).is_some()) {
                    let file = DataFormat::endings();
                    return Err(AdmissionError::MissingFile { kind: self.kind, file });
                }
                for source in self.files.into_values() {
                    dataset::check(source)?;
                }
                Ok(self.tokenizer_digest)
            }
            Kind::TrainingState => self.json_file("trainer_state.json"),
            Kind::Evaluation => self.json_file("evaluation.json"),
            Kind::Fisher => self.fisher(&tensors),
        }
    }

    /// The tensors of all safetensors files, by file.
    fn tensors(&mut self) -> Result<BTreeMap<String, Vec<TensorInfo>>, AdmissionError> {
        let mut tensors = BTreeMap::new();
        let mut count = 0;
        let weights = self.files.values_mut().filter(|source| source.name.ends_with(".safetensors"));
        for source in weights {
            let size = source.size();
            let header = Header::read(&mut *source, size).map_err(|error| source.header_error(error))?;
            count += header.tensors.len();
            if count > MAX_TENSORS {
                return Err(AdmissionError::file(&source.name, format!("more than {MAX_TENSORS} tensors")));
            }
            tensors.insert(source.name.clone(), header.tensors);
        }
        Ok(tensors)
    }

    /// Takes a small file out and reads it whole.
    fn small(&mut self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, AdmissionError> {
        self.files.remove(name).map(|source| source.read_all(max_bytes)).transpose()
    }

    /// A file that must be one JSON object.
    fn json_file(mut self, name: &str) -> Result<Option<Digest>, AdmissionError> {
        if let Some(source) = self.files.remove(name) {
            json::check_object(source)?;
        }
        Ok(self.tokenizer_digest)
    }
}
