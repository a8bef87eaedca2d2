//! What training has come to: the model, and the state after its last step.

use candle_core::{CpuStorage, Storage};
use rootstock_kernels::{Optimizer, Rule};

use crate::worker::{
    fault::Fault,
    learner::Tensors,
    snapshot::{Snapshot, TrainerState},
    trainee::Trainee,
};

/// A trained model.
pub(in crate::worker) struct Finished {
    pub(in crate::worker) learner: Trainee,
    /// Steps in the weights: fewer than were made where an earlier state was better.
    pub(in crate::worker) step: u64,
    /// What is left of earlier data, where that was asked for.
    pub(in crate::worker) retention: Option<f64>,
    /// What was measured in place of training; its rows are the steps.
    pub(in crate::worker) fisher: Option<Tensors>,
    /// The state after the last step, where that isn't saved.
    pub(super) unsaved: Option<Unsaved>,
}

/// What a saved state holds beside the weights.
pub(super) struct Unsaved {
    pub(super) optimizer: Stepper,
    /// The last weights, where the best ones have taken their place.
    pub(super) weights: Option<Tensors>,
    pub(super) best: Option<Tensors>,
    pub(super) state: TrainerState,
}

pub(super) type Stepper = Optimizer<Box<dyn Rule + Send + Sync>>;

impl Finished {
    /// The end of a measurement.
    pub(in crate::worker) fn measured(learner: Trainee, rows: u64, fisher: Tensors) -> Self {
        Self { learner, step: rows, retention: None, fisher: Some(fisher), unsaved: None }
    }

    /// The state to go on from if what follows training is put off; nothing where it is saved.
    pub(in crate::worker) fn unsaved(&self) -> Option<Result<Snapshot, Fault>> {
        let Unsaved { optimizer, weights, best, state } = self.unsaved.as_ref()?;
        let weights = weights.clone().map_or_else(|| self.learner.weights(), Ok);
        Some(snapshot(weights, optimizer, best.clone(), state.clone()))
    }
}

/// A state to be saved. Weights that are not finite make none: whoever goes back to a state wants a good one.
pub(super) fn snapshot(
    weights: Result<Tensors, candle_core::Error>,
    optimizer: &Stepper,
    best: Option<Tensors>,
    state: TrainerState,
) -> Result<Snapshot, Fault> {
    let failed = |error| Fault::passing("the state can't be copied", error);
    let weights = weights.map_err(failed)?;
    if let Some((name, _)) = weights.iter().find(|(_, tensor)| !is_finite(tensor)) {
        let step = state.step;
        return Err(Fault::NotFinite(format!(
            "step {step}: the weight {name} is not finite after its update; lower learning_rate or raise warmup_steps"
        )));
    }
    Ok(Snapshot { weights, moments: optimizer.state().map_err(failed)?, best, state })
}

/// Whether all numbers of an F32 tensor are finite, which are looked at where they lie.
pub(super) fn is_finite(tensor: &candle_core::Tensor) -> bool {
    let Ok(tensor) = tensor.contiguous() else { return false };
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(numbers)) = &*storage else { return false };
    let numbers = &numbers[layout.start_offset()..][..tensor.elem_count()];
    // Without an end in the middle of a part, many numbers are looked at together.
    numbers.chunks(1 << 12).all(|part| part.iter().fold(true, |all, number| all & number.is_finite()))
}
