//! What is trained: a model of which all weights, or those of an adapter beside it, are variables.

use std::path::Path;

use candle_core::{Tensor, Var};
use rootstock_model::{
    Adapter, Batch, Decoder, DropoutKey, Format, Gradients, Interrupt, LossSum, ModelError, Regularization,
    evaluate, forward_backward,
};
use rootstock_peft::AnyAdapter;

use super::{
    fault::{Fault, of_job},
    result::MODEL_FILE,
    rows::loss_tokens,
};

/// Tensors by name, in order of names.
pub(super) type Tensors = Vec<(String, Tensor)>;

/// A model and the variables in it.
pub(super) struct Learner {
    decoder: Decoder,
    adapter: Option<AnyAdapter>,
    variables: Vec<(String, Var)>,
}

/// Loss and gradients of one optimizer step.
pub(super) struct StepGradients {
    pub(super) loss: LossSum,
    pub(super) gradients: Gradients,
}

impl Learner {
    /// The wanted weights are trained, as f32; their products are made in the format.
    pub(super) fn full(
        mut decoder: Decoder,
        format: Format,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Self, Fault> {
        let variables = decoder.set_trainable_where(Some(format), wanted);
        let mut variables = variables.map_err(|error| of_job("model")(&error))?;
        variables.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(Self { decoder, adapter: None, variables })
    }

    /// Only the adapter is trained.
    pub(super) fn adapter(decoder: Decoder, adapter: AnyAdapter) -> Self {
        let variables = adapter.parameters();
        Self { decoder, adapter: Some(adapter), variables }
    }

    pub(super) fn variables(&self) -> &[(String, Var)] {
        &self.variables
    }

    pub(super) fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.decoder.set_interrupt(interrupt);
    }

    /// Layers of the model.
    pub(super) fn layers(&self) -> usize {
        self.decoder.config().num_hidden_layers
    }

    /// Numbers that are trained, and numbers in all.
    pub(super) fn parameters(&self) -> (usize, usize) {
        let trained = self.variables.iter().map(|(_, variable)| variable.elem_count()).sum();
        let base = self.decoder.config().parameters();
        (trained, if self.adapter.is_some() { base + trained } else { base })
    }

    /// Loss and gradients, for some of the variables, of the mean over all tokens of all micro-batches, as if they were one batch. Its
    /// key counts them. What gradients are made of is multiplied by `loss_scale` on the way.
    pub(super) fn step(
        &self,
        variables: &[(String, Var)],
        micro_batches: &[Batch],
        regularization: Regularization,
        loss_scale: f64,
    ) -> Result<StepGradients, ModelError> {
        let adapter = self.adapter.as_ref().map(|adapter| adapter as &dyn Adapter);
        self.adapter.as_ref().map_or(Ok(()), AnyAdapter::refresh)?;
        let variables = self.differentiated(variables);
        let tokens: u64 = micro_batches.iter().map(counted).sum();
        let denominator = tokens.max(1) as f64 / loss_scale;
        let mut sum = StepGradients { loss: LossSum::default(), gradients: Gradients::default() };
        for (micro, batch) in micro_batches.iter().enumerate() {
            let key = DropoutKey { micro: micro as u64, ..regularization.key };
            let how = Regularization { key, ..regularization };
            let (loss, gradients) =
                forward_backward(&self.decoder, adapter, &variables, batch, denominator, how)?;
            sum.loss.sum += loss.sum;
            sum.loss.tokens += loss.tokens;
            match micro {
                0 => sum.gradients = gradients,
                _ => sum.gradients.accumulate(gradients)?,
            }
        }
        sum.gradients.scale(1.0 / loss_scale)?;
        if let Some(adapter) = &self.adapter {
            sum.gradients = adapter.pull_back(sum.gradients)?;
        }
        Ok(sum)
    }

    /// The variables whose gradients the model gives, for those of these; an adapter's are trained together.
    fn differentiated(&self, variables: &[(String, Var)]) -> Vec<(String, Var)> {
        self.adapter.as_ref().map_or_else(|| variables.to_vec(), AnyAdapter::differentiated)
    }

    /// The loss of a batch, nothing dropped out.
    pub(super) fn evaluate(&self, batch: &Batch) -> Result<LossSum, ModelError> {
        self.adapter.as_ref().map_or(Ok(()), AnyAdapter::refresh)?;
        let frozen = self.adapter.as_ref().map(AnyAdapter::frozen);
        evaluate(&self.decoder, frozen.as_ref().map(|adapter| adapter as &dyn Adapter), batch)
    }

    /// Writes what was trained: an adapter's directory, or the weights of a Hugging Face directory; returns the files' names.
    pub(super) fn save(&self, dir: &Path) -> Result<Vec<&'static str>, Fault> {
        let failed = |error: &dyn std::fmt::Display| Fault::passing("the result can't be written", error);
        match &self.adapter {
            Some(adapter) => adapter.save(dir).map(Vec::from).map_err(|error| failed(&error)),
            None => {
                let metadata = [("format".to_owned(), "pt".to_owned())].into();
                let tensors = self.decoder.named_tensors().map_err(|error| failed(&error))?;
                rootstock_model::save_tensors(&dir.join(MODEL_FILE), &tensors, &metadata)
                    .map_err(|error| failed(&error))?;
                Ok(vec![MODEL_FILE])
            }
        }
    }
}

/// Tokens of a batch that carry loss.
fn counted(batch: &Batch) -> u64 {
    batch.labels.chunks(batch.seq_len.max(1)).map(loss_tokens).sum()
}

#[cfg(test)]
pub(super) mod tests;
