//! Adapter versions in memory: loaded when first asked for, once they have proved that they can be computed with.

mod lease;
mod pace;
mod probe;
mod tenants;

use std::{fs::File, io::BufReader, sync::Arc};

use candle_core::{DType, Device};
pub(crate) use lease::{AdapterLease, Leases};
pub(crate) use pace::Pace;
use pace::{Queue, Slices};
pub(crate) use probe::Proved;
use rootstock_artifacts::{AliasName, ArtifactName, Digest, Kind};
use rootstock_kernels::with_threads;
use rootstock_model::{Format, KvCache};
use rootstock_peft::{AdapterConfig, AnyAdapter, CONFIG_FILE};
use rootstock_runtime::Tasks;
use tenants::Use;
pub(crate) use tenants::{Caps, Tenants};

use crate::{
    error::Error,
    follower::Follower,
    models::Model,
    residents::{Reservation, Residents, Weigh},
    store::{Artifact, Fetched, Store},
};

mod applied;

pub(crate) use applied::{Applied, Part};

/// One adapter version in memory; it never changes.
#[derive(Debug)]
pub(crate) struct Version {
    artifact: Artifact,
    weights: AnyAdapter,
    /// The keys and values of its virtual tokens, where it has some; sequences begin with them.
    start: Option<KvCache>,
    bytes: u64,
    _reservation: Reservation,
}

impl Version {
    pub(crate) fn digest(&self) -> &Digest {
        &self.artifact.digest
    }

    /// Whether a running sequence can go on with this version: what stands before its first token can't be changed any more.
    pub(crate) fn takes_over(&self, from: &Self) -> bool {
        self.start.is_none() && from.start.is_none()
    }

    /// Size of the weights, and of the keys and values of virtual tokens.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Weigh for Version {
    fn weight(&self) -> u64 {
        self.bytes
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

/// What an adapter is loaded for, until it is.
enum For {
    /// A publish, or whoever wants it in memory before requests ask.
    Publish,
    /// A request, whose tenant pays for it meanwhile.
    Request { _paid: Vec<Use> },
}

impl For {
    fn queue(&self) -> Queue {
        match self {
            Self::Publish => Queue::Publishes,
            Self::Request { .. } => Queue::Requests,
        }
    }
}

/// The adapters: loaded when first asked for, within a budget of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Adapters {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) residents: Residents<Version>,
    pub(crate) tasks: Tasks,
    pub(crate) pace: Pace,
    pub(crate) leases: Leases,
    pub(crate) proved: Proved,
    pub(crate) tenants: Tenants,
    /// The largest adapter that is loaded.
    pub(crate) max_bytes: u64,
}

impl Adapters {
    /// A lease on what was bound, loaded for `model` if need be.
    pub(crate) async fn lease(&self, binding: &Binding, model: &Arc<Model>) -> Result<AdapterLease, Error> {
        self.lease_of(binding, model, For::Publish).await
    }

    async fn lease_of(
        &self,
        binding: &Binding,
        model: &Arc<Model>,
        wanted: For,
    ) -> Result<AdapterLease, Error> {
        check_base(&binding.digest, &binding.base, model.digest())?;
        let version = self.load_of(binding.digest, model, wanted).await?;
        let counted = binding.alias.clone().map(|alias| self.leases.count(alias));
        let generation = binding.generation;
        Ok(AdapterLease {
            version,
            generation,
            counted,
            follower: None,
            earlier: Vec::new(),
            used: Vec::new(),
        })
    }

    /// The same for a tenant's request, within its caps, which may follow its alias.
    pub(crate) async fn lease_for(
        &self,
        binding: &Binding,
        follower: Option<Arc<Follower>>,
        model: &Arc<Model>,
        tenant: &Arc<str>,
    ) -> Result<AdapterLease, Error> {
        check_base(&binding.digest, &binding.base, model.digest())?;
        // Before the load, so that a tenant above its caps takes no room from others.
        let used = self.take_for(tenant, binding.digest, model).await?;
        let wanted = For::Request { _paid: used.iter().map(Use::again).collect() };
        Ok(AdapterLease { follower, used, ..self.lease_of(binding, model, wanted).await? })
    }

    async fn take_for(
        &self,
        tenant: &Arc<str>,
        digest: Digest,
        model: &Arc<Model>,
    ) -> Result<Vec<Use>, Error> {
        if !self.tenants.are_capped() {
            return Ok(Vec::new());
        }
        let bytes = self.bytes_of(digest, model).await?;
        Ok(vec![self.tenants.take(tenant, digest, bytes)?])
    }

    /// What a version takes in memory, by its settings if it isn't there.
    async fn bytes_of(&self, digest: Digest, model: &Arc<Model>) -> Result<u64, Error> {
        if let Some(version) = self.resident(&digest) {
            return Ok(version.bytes());
        }
        let (fetched, model) = (self.store.fetch(&digest).await?, Arc::clone(model));
        check_artifact(&fetched.artifact, &model)?;
        let read = move || foretell(&settings(&fetched)?, &model);
        self.tasks.spawn_blocking("inference-read-adapter", read).await?
    }

    fn reserve(&self, bytes: u64) -> Result<Reservation, Error> {
        if bytes <= self.max_bytes {
            return self.residents.reserve(bytes);
        }
        let max = self.max_bytes;
        Err(Error::ExceedsLimit(format!(
            "this adapter takes {bytes} bytes, more than the {max} of one; raise inference.max_adapter_bytes"
        )))
    }

    /// The version in memory, if it is there.
    pub(crate) fn resident(&self, digest: &Digest) -> Option<Arc<Version>> {
        self.residents.peek(digest)
    }

    /// An adapter artifact's record. Whether there still is one of this name only the store knows; while it doesn't answer, a digest
    /// in memory is told from there.
    pub(crate) async fn describe(&self, name: &ArtifactName, field: &str) -> Result<Artifact, Error> {
        let artifact = match (self.store.artifact(name).await, name) {
            (Err(error), ArtifactName::Digest(digest)) if error.is_transient() => {
                self.residents.get(digest).ok_or(error)?.artifact.clone()
            }
            (found, _) => found?,
        };
        if artifact.kind == Kind::Adapter {
            return Ok(artifact);
        }
        Err(Error::invalid(field, format!("{name} is of kind {}, not an adapter", artifact.kind)))
    }

    /// The version, loaded for `model` if need be.
    pub(crate) async fn load(&self, digest: Digest, model: &Arc<Model>) -> Result<Arc<Version>, Error> {
        self.load_of(digest, model, For::Publish).await
    }

    /// A load goes on when nobody waits for it any more, and so does its tenant's paying.
    async fn load_of(&self, digest: Digest, model: &Arc<Model>, wanted: For) -> Result<Arc<Version>, Error> {
        let (adapters, model) = (self.clone(), Arc::clone(model));
        let load = || async move {
            let fetched = adapters.store.fetch(&digest).await?;
            check_artifact(&fetched.artifact, &model)?;
            let (loading, pace) = (adapters.clone(), adapters.pace.clone());
            // The other threads are the steps': a load that held them, and was itself held up, would hold up every stream.
            let load = move |slices: &mut Slices| with_threads(1, || load(fetched, &model, &loading, slices));
            pace.run(wanted.queue(), load).await?
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

fn settings(fetched: &Fetched) -> Result<AdapterConfig, Error> {
    Ok(AdapterConfig::from_json(&fetched.read(CONFIG_FILE)?)?)
}

/// Bytes that an adapter of these settings takes in memory.
fn foretell(settings: &AdapterConfig, model: &Model) -> Result<u64, Error> {
    Ok(settings.resident_bytes(model.decoder().config(), adapter_format(model))? as u64)
}

/// That of the base, unless that is int8: an adapter is multiplied with the same inputs.
fn adapter_format(model: &Model) -> Format {
    model.decoder().format().of_adapters()
}

/// Reads the weights, every tensor accounted for and finite, after reserving the room that follows from the configuration, and
/// computes the probe, in slices; blocks.
fn load(fetched: Fetched, model: &Model, adapters: &Adapters, slices: &mut Slices) -> Result<Version, Error> {
    let settings = settings(&fetched)?;
    let name = settings.weights_file();
    let weights = fetched.path(name)?;
    let open = || {
        let file = File::open(weights)?;
        let bytes = file.metadata()?.len();
        Ok::<_, std::io::Error>((file, bytes))
    };
    let (file, file_bytes) = open().map_err(|error| Error::internal(name, error))?;
    let base = model.decoder();
    let admitted = settings.admit(BufReader::new(file), file_bytes, base.config())?;
    let reservation = adapters.reserve(foretell(admitted.config(), model)?)?;
    let dtype = if adapter_format(model) == Format::Bf16 { DType::BF16 } else { DType::F32 };
    let weights = admitted.load(base, dtype, &Device::Cpu)?;
    let start = base.begin(&weights, &mut || slices.rest())?;
    adapters.proved.prove(&fetched.artifact.digest, (&weights, start.as_ref()), (model, slices))?;
    let bytes = (weights.bytes() + start.as_ref().map_or(0, KvCache::bytes)) as u64;
    Ok(Version { artifact: fetched.artifact.clone(), weights, start, bytes, _reservation: reservation })
}

#[cfg(test)]
mod tests;
