//! An encoder in training: its weights are variables, or those of its head alone.

use candle_core::{DType, Device, Var};
use rootstock_client::FetchedArtifact;
use rootstock_model::{
    DropoutKey, Encoder, EncoderBatch, EncoderConfig, EncoderRow, Format, Gradients, LossSum, ModelError,
};
use rootstock_text::IGNORE_INDEX;

use super::{
    fault::{Fault, of_job},
    inputs::{read, weight_files},
    learner::StepGradients,
    rows::Example,
};

/// An encoder and the variables in it.
pub(super) struct EncoderLearner {
    pub(super) encoder: Encoder,
    pub(super) variables: Vec<(String, Var)>,
}

impl EncoderLearner {
    /// All weights are trained, as f32; their products are made in the format.
    pub(super) fn full(mut encoder: Encoder, format: Format) -> Result<Self, Fault> {
        let mut variables = encoder.set_trainable(Some(format)).map_err(|error| of_job("model")(&error))?;
        variables.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(Self { encoder, variables })
    }

    /// Only the head is trained.
    pub(super) fn head(mut encoder: Encoder, format: Format) -> Result<Self, Fault> {
        let variables = encoder.set_head_trainable(Some(format));
        let mut variables = variables.map_err(|error| of_job("model")(&error))?;
        variables.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(Self { encoder, variables })
    }

    /// Loss and gradients, for some of the variables, of the mean over all labels of all micro-batches, as if they were one batch. The
    /// key counts them. What gradients are made of is multiplied by `loss_scale` on the way.
    pub(super) fn step(
        &self,
        variables: &[(String, Var)],
        micro_batches: &[Vec<Example>],
        key: DropoutKey,
        loss_scale: f64,
    ) -> Result<StepGradients, ModelError> {
        let batches: Vec<EncoderBatch> = micro_batches.iter().map(|examples| batch(examples)).collect();
        let denominator = batches.iter().map(counted).sum::<u64>().max(1) as f64 / loss_scale;
        let mut sum = StepGradients { loss: LossSum::default(), gradients: Gradients::default() };
        for (micro, batch) in batches.iter().enumerate() {
            let key = DropoutKey { micro: micro as u64, ..key };
            let (loss, gradients) = self.encoder.forward_backward(variables, batch, denominator, key)?;
            sum.loss += loss;
            sum.gradients.accumulate(gradients)?;
        }
        sum.gradients.scale(1.0 / loss_scale)?;
        Ok(sum)
    }

    /// The loss of some rows, nothing dropped out.
    pub(super) fn evaluate(&self, examples: &[Example]) -> Result<LossSum, ModelError> {
        self.encoder.evaluate(&batch(examples))
    }
}

/// A base model's encoder with the head of the configuration, or one of random weights.
pub(super) fn load(
    config: EncoderConfig,
    base: Option<&FetchedArtifact>,
    seed: u64,
) -> Result<Encoder, Fault> {
    let encoder = match base {
        None => Encoder::init(config, seed, &Device::Cpu),
        Some(base) => {
            let json = read(&base.files, "config.json")?;
            let stored =
                EncoderConfig::from_json(&json).map_err(|error| of_job("spec.base_model")(&error))?;
            let files = weight_files(base);
            if stored.task == config.task {
                Encoder::load(config, &files, DType::F32, &Device::Cpu)
            } else {
                Encoder::load_for(config, &stored, &files, seed, &Device::Cpu)
            }
        }
    };
    encoder.map_err(|error| of_job("model")(&error))
}

/// Rows one after the other; each is one text, so its tokens are all of the first kind.
fn batch(examples: &[Example]) -> EncoderBatch {
    let row = |example: &Example| EncoderRow {
        types: vec![0; example.input_ids.len()],
        ids: example.input_ids.clone(),
    };
    let labels = examples.iter().flat_map(|example| example.labels.iter().copied());
    EncoderBatch { rows: examples.iter().map(row).collect(), labels: labels.collect() }
}

fn counted(batch: &EncoderBatch) -> u64 {
    batch.labels.iter().filter(|label| **label != IGNORE_INDEX).count() as u64
}
