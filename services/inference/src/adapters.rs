//! Adapter versions in memory, and the leases that bind a request to one of them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::File,
    io::BufReader,
    sync::Arc,
};

use candle_core::{DType, Device};
use parking_lot::Mutex;
use rootstock_artifacts::{AliasName, ArtifactName, Digest, Kind};
use rootstock_model::Format;
use rootstock_peft::{
    CONFIG_FILE, LoraAdapter, LoraConfig, WEIGHTS_FILE, check_tensors, read_header, resident_bytes,
};
use rootstock_runtime::Tasks;

use crate::{
    error::Error,
    models::Model,
    residents::{Reservation, Residents},
    store::{Artifact, Fetched, Store},
};

mod applied;

pub(crate) use applied::{Applied, Part};

/// One adapter version in memory; it never changes.
#[derive(Debug)]
pub(crate) struct Version {
    artifact: Artifact,
    weights: LoraAdapter,
    bytes: u64,
    _reservation: Reservation,
}

impl Version {
    /// Size of the weights.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The right to compute with one generation of an adapter: as long as it lives, the weights stay.
#[derive(Debug)]
pub(crate) struct AdapterLease {
    version: Arc<Version>,
    generation: i64,
    counted: Option<Counted>,
}

impl AdapterLease {
    pub(crate) fn digest(&self) -> &Digest {
        &self.version.artifact.digest
    }

    /// Of the alias that it was asked for by; 0 if it was asked for by its digest.
    pub(crate) fn generation(&self) -> i64 {
        self.generation
    }

    /// Another lease on the same generation.
    pub(crate) fn again(&self) -> Self {
        let counted = self.counted.as_ref().map(Counted::again);
        Self { version: Arc::clone(&self.version), generation: self.generation, counted }
    }
}

/// What a request's adapter stands for at admission; a move of the alias afterwards changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) digest: Digest,
    pub(crate) generation: i64,
    /// Whose leases it counts among.
    pub(crate) alias: Option<AliasName>,
    /// The base model it belongs to.
    pub(crate) base: Digest,
}

/// The adapters: loaded when first asked for, within a budget of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Adapters {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) residents: Residents<Version>,
    pub(crate) tasks: Tasks,
    pub(crate) leases: Leases,
}

impl Adapters {
    /// A lease on what was bound, loaded for `model` if need be.
    pub(crate) async fn lease(&self, binding: &Binding, model: &Arc<Model>) -> Result<AdapterLease, Error> {
        check_base(&binding.digest, &binding.base, model.digest())?;
        let version = self.load(binding.digest, model).await?;
        let counted = binding.alias.clone().map(|alias| self.leases.count(alias));
        Ok(AdapterLease { version, generation: binding.generation, counted })
    }

    /// The version in memory, if it is there.
    pub(crate) fn resident(&self, digest: &Digest) -> Option<Arc<Version>> {
        self.residents.peek(digest)
    }

    /// An adapter artifact's record.
    pub(crate) async fn describe(&self, name: &ArtifactName, field: &str) -> Result<Artifact, Error> {
        if let ArtifactName::Digest(digest) | ArtifactName::Version(_, digest) = name
            && let Some(version) = self.residents.get(digest)
        {
            return Ok(version.artifact.clone());
        }
        let artifact = self.store.artifact(name).await?;
        if artifact.kind == Kind::Adapter {
            return Ok(artifact);
        }
        Err(Error::invalid(field, format!("{name} is of kind {}, not an adapter", artifact.kind)))
    }

    async fn load(&self, digest: Digest, model: &Arc<Model>) -> Result<Arc<Version>, Error> {
        let (adapters, model) = (self.clone(), Arc::clone(model));
        let load = || async move {
            let fetched = adapters.store.fetch(&digest).await?;
            check_artifact(&fetched.artifact, &model)?;
            let residents = adapters.residents.clone();
            let work = move || load(fetched, &model, &residents);
            adapters.tasks.spawn_blocking("inference-load-adapter", work).await?
        };
        self.residents.get_or_load(digest, load).await
    }
}

/// The base model of an adapter artifact, which every adapter must name.
pub(crate) fn base_of(artifact: &Artifact) -> Result<Digest, Error> {
    let unnamed =
        || Error::BaseMismatch(format!("{} doesn't say which base model it was made for", artifact.digest));
    artifact.base.ok_or_else(unnamed)
}

/// Refuses an adapter for another base model than the one asked for.
pub(crate) fn check_base(adapter: &Digest, base: &Digest, model: &Digest) -> Result<(), Error> {
    if base == model {
        return Ok(());
    }
    Err(Error::BaseMismatch(format!(
        "adapter {adapter} was made for base model {base}, not for {model}; ask for that model, or leave it out"
    )))
}

fn check_artifact(artifact: &Artifact, model: &Model) -> Result<(), Error> {
    if artifact.kind != Kind::Adapter {
        return Err(Error::invalid(
            "adapter",
            format!("{} is of kind {}, not an adapter", artifact.digest, artifact.kind),
        ));
    }
    check_base(&artifact.digest, &base_of(artifact)?, model.digest())?;
    let (made_with, has) = (artifact.tokenizer.as_str(), model.tokenizer_digest());
    if made_with.is_empty() || hexadecimal(made_with) == hexadecimal(&has) {
        return Ok(());
    }
    Err(Error::TokenizerMismatch(format!(
        "adapter {} was made with tokenizer {made_with}, but its base model has {has}; train it again",
        artifact.digest
    )))
}

/// A digest without its prefix, which not everybody writes.
fn hexadecimal(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

/// Reads the weights, every tensor accounted for and finite, after reserving the room that follows from the configuration; blocks.
fn load(fetched: Fetched, model: &Model, residents: &Residents<Version>) -> Result<Version, Error> {
    let (config, weights) = (fetched.path(CONFIG_FILE)?, fetched.path(WEIGHTS_FILE)?);
    let settings = LoraConfig::from_json(&fetched.read(CONFIG_FILE)?)?;
    let open = || {
        let file = File::open(weights)?;
        let bytes = file.metadata()?.len();
        Ok::<_, std::io::Error>((file, bytes))
    };
    let (file, file_bytes) = open().map_err(|error| Error::internal(WEIGHTS_FILE, error))?;
    let headers = read_header(&mut BufReader::new(file), file_bytes)?;
    let (base, format) = (model.decoder(), model.decoder().format());
    check_tensors(&settings, base.config(), &headers)?;
    let reservation = residents.reserve(resident_bytes(&settings, base.config(), format)? as u64)?;
    // In the format of the base: an adapter is multiplied with the same inputs.
    let dtype = if format == Format::Bf16 { DType::BF16 } else { DType::F32 };
    let weights = LoraAdapter::load_files(config, weights, base, dtype, &Device::Cpu)?;
    let bytes = weights.bytes() as u64;
    Ok(Version { artifact: fetched.artifact.clone(), weights, bytes, _reservation: reservation })
}

/// How many leases each alias has; clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    counts: Arc<Mutex<BTreeMap<AliasName, i32>>>,
}

impl Leases {
    /// Leases on the generations of an alias.
    pub(crate) fn of(&self, alias: &AliasName) -> i32 {
        self.counts.lock().get(alias).copied().unwrap_or(0)
    }

    fn count(&self, alias: AliasName) -> Counted {
        *self.counts.lock().entry(alias.clone()).or_insert(0) += 1;
        Counted { leases: self.clone(), alias }
    }
}

/// One lease in the counts, taken out when dropped.
#[derive(Debug)]
struct Counted {
    leases: Leases,
    alias: AliasName,
}

impl Counted {
    fn again(&self) -> Self {
        self.leases.count(self.alias.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // The map holds only aliases with leases, so that it can't grow.
        if let Entry::Occupied(mut count) = self.leases.counts.lock().entry(self.alias.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests;
