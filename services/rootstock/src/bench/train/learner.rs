//! What is trained in a measurement: a model of which all weights, or those of an adapter beside it, are variables.

use std::collections::HashSet;

use candle_core::{DType, Device, Var};
use rootstock_kernels::{LossSum, Random};
use rootstock_model::{
    Adapter, Batch, Config, Decoder, DropoutKey, Gradients, Projection, Recompute, evaluate, forward_backward,
};
use rootstock_peft::{Half, LoraAdapter, LoraConfig, TargetModules, tensor_name};

use crate::bench::BenchError;
use crate::bench::model_dir::ModelDir;
use crate::bench::tokens::SEED;

/// Alpha of the LoRA, in ranks.
const ALPHA_PER_RANK: f64 = 2.0;
/// Spread of the noise that B may begin as.
const NOISE: f64 = 0.02;

/// What is trained, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Rank of the LoRA; none trains all weights.
    pub(super) rank: Option<usize>,
    /// What the weights are loaded as.
    pub(super) dtype: DType,
    pub(super) recompute: Recompute,
    /// Whether B begins as noise: beside a B of zeros the gradient of every A is zero, and there is nothing to compare.
    pub(super) noisy: bool,
}

/// A model and the variables in it.
pub(super) struct Learner {
    decoder: Decoder,
    adapter: Option<LoraAdapter>,
    pub(super) variables: Vec<(String, Var)>,
}

impl Learner {
    /// Loads the model and makes what is trained variables; the same plan gives the same bits.
    pub(super) fn load(model: &ModelDir, plan: &Plan) -> Result<Self, BenchError> {
        let mut decoder = model.load(plan.dtype)?;
        decoder.set_recompute(plan.recompute);
        let Some(r) = plan.rank else {
            let variables = decoder.set_trainable(None)?;
            return Ok(Self { decoder, adapter: None, variables });
        };
        let adapter = LoraAdapter::init(&lora(r), &model.config, SEED, &Device::Cpu)?;
        let variables = adapter.parameters();
        if plan.noisy {
            make_noisy(&variables, &model.config)?;
        }
        Ok(Self { decoder, adapter: Some(adapter), variables })
    }

    /// Loss and gradients of a batch.
    pub(super) fn gradients(&self, batch: &Batch, step: u64) -> Result<(LossSum, Gradients), BenchError> {
        let adapter = self.adapter.as_ref().map(|adapter| adapter as &dyn Adapter);
        let tokens = batch.counted_tokens() as f64;
        let key = DropoutKey { seed: SEED, step, micro: 0 };
        Ok(forward_backward(&self.decoder, adapter, &self.variables, batch, tokens, key)?)
    }

    /// The loss of a batch as the model is.
    pub(super) fn loss(&self, batch: &Batch) -> Result<LossSum, BenchError> {
        let adapter = self.adapter.as_ref().map(|adapter| adapter as &dyn Adapter);
        Ok(evaluate(&self.decoder, adapter, batch)?)
    }
}

fn lora(r: usize) -> LoraConfig {
    let target_modules = TargetModules::from(&Projection::ALL[..]);
    LoraConfig { r, lora_alpha: ALPHA_PER_RANK * r as f64, target_modules, ..LoraConfig::default() }
}

fn make_noisy(variables: &[(String, Var)], config: &Config) -> Result<(), BenchError> {
    let b_of = |layer| Projection::ALL.map(|projection| tensor_name(layer, projection, Half::B));
    let names: HashSet<String> = (0..config.num_hidden_layers).flat_map(b_of).collect();
    for (name, variable) in variables.iter().filter(|(name, _)| names.contains(name)) {
        let noise = Random::named(SEED, name).normal_tensor(variable.shape(), 0.0, NOISE, &Device::Cpu)?;
        variable.set(&noise)?;
    }
    Ok(())
}
