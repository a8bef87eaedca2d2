//! What a job trains, decoder or encoder, as the training loop sees it: variables, losses and gradients of rows.

use std::path::Path;

use candle_core::Var;
use rootstock_model::{Batch, Interrupt, LossSum, ModelError, Regularization, save_tensors};

use super::{
    encoder::EncoderLearner,
    fault::Fault,
    learner::{Learner, StepGradients, Tensors},
    result::MODEL_FILE,
    rows::{Example, batch},
};

/// A model in training.
pub(super) enum Trainee {
    Decoder(Box<Learner>),
    Encoder(Box<EncoderLearner>),
}

impl From<Learner> for Trainee {
    fn from(learner: Learner) -> Self {
        Self::Decoder(Box::new(learner))
    }
}

impl From<EncoderLearner> for Trainee {
    fn from(learner: EncoderLearner) -> Self {
        Self::Encoder(Box::new(learner))
    }
}

impl Trainee {
    pub(super) fn variables(&self) -> &[(String, Var)] {
        match self {
            Self::Decoder(learner) => learner.variables(),
            Self::Encoder(learner) => &learner.variables,
        }
    }

    /// Ends steps and evaluations, before the next layer, where this asks for it.
    pub(super) fn set_interrupt(&mut self, interrupt: Interrupt) {
        match self {
            Self::Decoder(learner) => learner.set_interrupt(interrupt),
            Self::Encoder(learner) => learner.encoder.set_interrupt(interrupt),
        }
    }

    /// Layers of the model.
    pub(super) fn layers(&self) -> usize {
        match self {
            Self::Decoder(learner) => learner.layers(),
            Self::Encoder(learner) => learner.encoder.config().num_hidden_layers,
        }
    }

    /// Numbers that are trained, and numbers in all.
    pub(super) fn parameters(&self) -> (usize, usize) {
        match self {
            Self::Decoder(learner) => learner.parameters(),
            Self::Encoder(learner) => {
                let trained = learner.variables.iter().map(|(_, variable)| variable.elem_count()).sum();
                (trained, learner.encoder.config().parameters())
            }
        }
    }

    /// Loss and gradients, for some of the variables, of the mean over all labels of all micro-batches, as if they were one batch. What
    /// gradients are made of is multiplied by `loss_scale` on the way.
    pub(super) fn step(
        &self,
        variables: &[(String, Var)],
        micro_batches: &[Vec<Example>],
        regularization: Regularization,
        loss_scale: f64,
    ) -> Result<StepGradients, ModelError> {
        match self {
            Self::Decoder(learner) => {
                let batches: Vec<Batch> = micro_batches.iter().map(|examples| batch(examples)).collect();
                learner.step(variables, &batches, regularization, loss_scale)
            }
            Self::Encoder(learner) => learner.step(variables, micro_batches, regularization.key, loss_scale),
        }
    }

    /// The loss of some rows, nothing dropped out.
    pub(super) fn evaluate(&self, examples: &[Example]) -> Result<LossSum, ModelError> {
        match self {
            Self::Decoder(learner) => learner.evaluate(&batch(examples)),
            Self::Encoder(learner) => learner.evaluate(examples),
        }
    }

    /// Copies of the trained weights, which later steps don't change.
    pub(super) fn weights(&self) -> Result<Tensors, candle_core::Error> {
        let variables = self.variables();
        let copies = rootstock_kernels::map_on_threads(variables.len(), |i| {
            let (name, variable) = &variables[i];
            Ok((name.clone(), variable.as_detached_tensor().copy()?))
        });
        copies.into_iter().collect()
    }

    /// Puts weights back that [`Trainee::weights`] gave.
    pub(super) fn set_weights(&self, weights: &Tensors) -> Result<(), Fault> {
        let unfit = |problem: String| Fault::Job(format!("the saved weights don't fit: {problem}"));
        let variables = self.variables();
        if weights.len() != variables.len() {
            return Err(unfit(format!("{} tensors instead of {}", weights.len(), variables.len())));
        }
        for ((name, variable), (stored, tensor)) in variables.iter().zip(weights) {
            if name != stored || variable.shape() != tensor.shape() {
                return Err(unfit(format!(
                    "{stored} {:?} for {name} {:?}",
                    tensor.shape(),
                    variable.shape()
                )));
            }
            variable.set(tensor).map_err(|error| unfit(error.to_string()))?;
        }
        Ok(())
    }

    /// Writes what was trained: an adapter's directory, or the weights of a Hugging Face directory; returns the files' names.
    pub(super) fn save(&self, dir: &Path) -> Result<Vec<&'static str>, Fault> {
        match self {
            Self::Decoder(learner) => learner.save(dir),
            Self::Encoder(learner) => {
                let metadata = [("format".to_owned(), "pt".to_owned())].into();
                let tensors = learner.encoder.named_tensors();
                let saved =
                    tensors.and_then(|tensors| save_tensors(&dir.join(MODEL_FILE), &tensors, &metadata));
                saved.map_err(|error| Fault::passing("the result can't be written", error))?;
                Ok(vec![MODEL_FILE])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use super::*;
    use crate::worker::learner::tests::{full, lora};

    #[test]
    fn weights_kept_are_not_changed_by_training_and_can_be_put_back() {
        let learner = Trainee::from(lora(0.0));
        let kept = learner.weights().unwrap();
        let (_, variable) = &learner.variables()[0];
        variable.set(&variable.as_detached_tensor().zeros_like().unwrap()).unwrap();
        let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_ne!(numbers(&kept[0].1), numbers(variable.as_tensor()));
        learner.set_weights(&kept).unwrap();
        assert_eq!(numbers(&kept[0].1), numbers(variable.as_tensor()));
        let other = Trainee::from(full()).weights().unwrap();
        assert!(matches!(learner.set_weights(&other), Err(Fault::Job(_))));
    }
}
