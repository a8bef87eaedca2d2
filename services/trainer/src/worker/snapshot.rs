//! A training state as files: what was trained, its moments, the best weights where they matter, and where training stood.
//!
//! Equal states give equal bytes: nothing in them knows the time, the machine or the name of the job.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use candle_core::{Device, safetensors::load};
use prost::Message;
use rootstock_client::{Made, Source};
use rootstock_model::TensorFile;
use rootstock_proto::training::v1 as proto;
use serde::{Deserialize, Serialize};

use super::{
    chain::Chain,
    fault::Fault,
    gather::data_digests,
    inputs::{Files, read},
    learner::Tensors,
    patience::Patience,
    scaler::LossScaler,
    stage::Place,
};

pub(super) const STATE_FILE: &str = "trainer_state.json";
pub(super) const WEIGHTS_FILE: &str = "weights.safetensors";
pub(super) const MOMENTS_FILE: &str = "moments.safetensors";
pub(super) const BEST_FILE: &str = "best.safetensors";
/// The format written, and the only one read.
const FORMAT: u32 = 1;

/// Where training stood. Everything random is drawn from seed, stage and step, so these are the generator's whole state,
/// and they give the place in the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrainerState {
    pub(super) format: u32,
    pub(super) spec_digest: String,
    pub(super) step: u64,
    pub(super) epoch: u64,
    pub(super) step_in_epoch: u64,
    pub(super) total_steps: u64,
    pub(super) seed: u64,
    pub(super) patience: Patience,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scaler: Option<LossScaler>,
    pub(super) validated: bool,
    pub(super) stopped: bool,
    /// Over all steps so far; states of versions that had none begin one.
    #[serde(default)]
    pub(super) chain: Chain,
    /// Whether the job goes on in F32 after numbers that were not finite.
    #[serde(default)]
    pub(super) in_f32: bool,
    #[serde(default)]
    pub(super) place: Place,
    /// After how many of its steps the optimizer made a weight's first, where it wasn't after none; states of versions before didn't
    /// tell, and had none but of gradual unfreezing.
    #[serde(default)]
    pub(super) begun: Option<BTreeMap<String, u64>>,
    /// Steps that the optimizer had made for earlier jobs.
    #[serde(default)]
    pub(super) carried: u64,
}

impl TrainerState {
    /// Steps that changed the weights.
    pub(super) fn updates(&self) -> u64 {
        self.step - self.scaler.map_or(0, |scaler| scaler.skipped_steps())
    }
}

impl Default for TrainerState {
    fn default() -> Self {
        Self {
            format: FORMAT,
            spec_digest: String::new(),
            step: 0,
            epoch: 0,
            step_in_epoch: 0,
            total_steps: 0,
            seed: 0,
            patience: Patience::default(),
            scaler: None,
            validated: false,
            stopped: false,
            chain: Chain::default(),
            in_f32: false,
            place: Place::default(),
            begun: None,
            carried: 0,
        }
    }
}

/// A state to be saved, of copies that training doesn't change.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) weights: Tensors,
    pub(super) moments: Tensors,
    pub(super) best: Option<Tensors>,
    pub(super) state: TrainerState,
}

/// A state to go on from.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) digest: String,
    pub(super) weights: Tensors,
    pub(super) moments: Tensors,
    pub(super) best: Option<Tensors>,
    pub(super) state: TrainerState,
}

impl Snapshot {
    /// The files that it is stored as, which are made of it while they are sent.
    pub(super) fn files(&self) -> Result<Vec<(String, Source)>, Fault> {
        let failed = |error: &dyn std::fmt::Display| Fault::passing("the state can't be written", error);
        let mut files = vec![(WEIGHTS_FILE, &self.weights), (MOMENTS_FILE, &self.moments)];
        files.extend(self.best.as_ref().map(|best| (BEST_FILE, best)));
        let made = files.into_iter().map(|(name, tensors)| {
            let file = TensorFile::new(tensors, &[].into()).map_err(|error| failed(&error))?;
            Ok((name.to_owned(), Source::Made(Arc::new(OfTensors(file)))))
        });
        let json = serde_json::to_vec_pretty(&self.state).map_err(|error| failed(&error))?;
        made.chain([Ok((STATE_FILE.to_owned(), json.into()))]).collect()
    }
}

/// A file that was never written: a state is as large as its model three times over.
#[derive(Debug)]
struct OfTensors(TensorFile);

impl Made for OfTensors {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, into).map_err(io::Error::other)
    }
}

impl Saved {
    /// Reads a state that was saved for the same specification.
    pub(super) fn read(digest: &str, files: &Files, spec_digest: &str) -> Result<Self, Fault> {
        let saved = Self::read_any(digest, files)?;
        if saved.state.spec_digest == spec_digest {
            return Ok(saved);
        }
        Err(Fault::Job(format!("saved state {digest}: was saved for another specification")))
    }

    /// Reads a state, whatever it was saved for.
    pub(super) fn read_any(digest: &str, files: &Files) -> Result<Self, Fault> {
        let unfit = |problem: String| Fault::Job(format!("saved state {digest}: {problem}"));
        let json = read(files, STATE_FILE)?;
        let state: TrainerState =
            serde_json::from_slice(&json).map_err(|error| unfit(format!("{STATE_FILE}: {error}")))?;
        if state.format != FORMAT {
            return Err(unfit(format!("has format {}, but {FORMAT} is read", state.format)));
        }
        let tensors = |file: &str| match files.get(file) {
            None => Ok(None),
            Some(path) => tensors(path).map(Some).map_err(|error| unfit(format!("{file}: {error}"))),
        };
        let needed = |file: &str| tensors(file)?.ok_or_else(|| unfit(format!("{file} is missing")));
        Ok(Self {
            digest: digest.to_owned(),
            weights: needed(WEIGHTS_FILE)?,
            moments: needed(MOMENTS_FILE)?,
            best: tensors(BEST_FILE)?,
            state,
        })
    }
}

pub(super) fn tensors(path: &Path) -> Result<Tensors, candle_core::Error> {
    let mut tensors: Tensors = load(path, &Device::Cpu)?.into_iter().collect();
    tensors.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(tensors)
}

/// The names of all data sets that are trained on, in the order in which a lease has their digests.
fn datasets(spec: &mut proto::TrainingSpec) -> Vec<&mut String> {
    let mut datasets = Vec::new();
    let stages = spec.stages.iter_mut().map(|stage| (&mut stage.dataset, &mut stage.mix));
    for (dataset, mix) in std::iter::once((&mut spec.dataset, &mut spec.mix)).chain(stages) {
        datasets.extend(Some(dataset).filter(|name| !name.is_empty()));
        datasets.extend(mix.iter_mut().flat_map(|mix| &mut mix.datasets).map(|mixed| &mut mixed.dataset));
    }
    datasets
}

/// Digest of everything that decides a job's result: its specification with names replaced by what they stand for.
/// The name of the result and the job's place in the queue decide nothing.
pub(super) fn spec_digest(spec: &proto::TrainingSpec, lease: &proto::LeaseJobResponse) -> String {
    let mut spec = spec.clone();
    spec.output.clear();
    spec.priority = 0;
    for (dataset, digest) in datasets(&mut spec).into_iter().zip(data_digests(lease)) {
        dataset.clone_from(digest);
    }
    spec.validation_dataset.clone_from(&lease.validation_dataset_digest);
    if let Some(ewc) = &mut spec.ewc {
        ewc.fisher.clone_from(&lease.fisher_digest);
    }
    if let Some(replay) = &mut spec.replay {
        replay.dataset.clone_from(&lease.replay_digest);
    }
    if let Some(retention) = &mut spec.retention {
        retention.dataset.clone_from(&lease.retention_digest);
    }
    match &mut spec.start {
        Some(proto::training_spec::Start::BaseModel(base)) => base.clone_from(&lease.base_digest),
        Some(proto::training_spec::Start::BaseAdapter(adapter)) => adapter.clone_from(&lease.adapter_digest),
        Some(proto::training_spec::Start::NewModel(model)) => {
            model.tokenizer.clone_from(&lease.tokenizer_artifact_digest);
        }
        Some(proto::training_spec::Start::NewEncoder(model)) => {
            model.tokenizer.clone_from(&lease.tokenizer_artifact_digest);
        }
        None => {}
    }
    let mut decides = spec.encode_to_vec();
    decides.extend(lease.optimizer_digest.as_bytes());
    rootstock_artifacts::Digest::of(&decides).to_string()
}
