//! An adapter in training: how it starts, and every tensor of it as a variable.

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::{Format, LinearWeight, LoraPair, Random, lora_norms};
use rootstock_model::{Config, Decoder, EmbeddingPair, Projection};

use super::{Dora, Embedding, Head, Linear, LoraAdapter, PROJECTIONS};
use crate::{
    Biases, Half, InitLoraWeights, LoraConfig, Module, PeftError, SavedModule, Target, TargetModules,
    config::unsupported,
    names::{Part, part_name},
};

impl LoraConfig {
    /// Refuses what can be served and not trained: dropout before a pair of the output projection, and biases where the base has none.
    ///
    /// # Errors
    /// As [`LoraConfig::targets`], and when that is asked for.
    pub fn check_trainable(&self, base: &Config) -> Result<(), PeftError> {
        let of_head = |target: &Target| target.module == Module::Head;
        self.refuse_absent_biases(base)?;
        self.refuse_dropout(self.targets(base)?.iter().any(of_head))
    }

    fn refuse_dropout(&self, adapts_head: bool) -> Result<(), PeftError> {
        if !adapts_head || self.lora_dropout == 0.0 {
            return Ok(());
        }
        let supported = "it must be 0 where lm_head carries a pair";
        Err(unsupported("lora_dropout", &self.lora_dropout.into(), supported))
    }
}

impl LoraAdapter {
    /// A trainable adapter that changes nothing yet, as PEFT starts one: A [r, in] drawn evenly from +-1/sqrt(in) (Kaiming,
    /// a = sqrt 5) or from N(0, 1/r^2) where `init_lora_weights` is gaussian, B [out, r] zero; of an embedding A is zero and B drawn
    /// from N(0, 1); f32. The same seed gives the same bits.
    ///
    /// # Errors
    /// When the configuration is out of range, chooses nothing in the base model, or takes numbers from it ([`LoraAdapter::start`]).
    pub fn init(config: &LoraConfig, base: &Config, seed: u64, device: &Device) -> Result<Self, PeftError> {
        if config.use_dora || !config.modules_to_save.is_empty() || config.bias != Biases::None {
            let problem =
                "DoRA's magnitudes, replaced modules and biases start from the base's weights".to_owned();
            return Err(PeftError::Base(problem));
        }
        Self::drawn(config, base, seed, device)?.into_trainable()
    }

    /// [`LoraAdapter::init`] for every configuration: magnitudes start as the norms of the base's rows, and replaced modules and biases
    /// as the base's own.
    ///
    /// # Errors
    /// When the configuration is out of range, or chooses nothing in the base model.
    pub fn start(config: &LoraConfig, base: &Decoder, seed: u64) -> Result<Self, PeftError> {
        let mut adapter = Self::drawn(config, base.config(), seed, base.device())?;
        if config.use_dora {
            for target in config.targets(base.config())? {
                let norms = adapter.norms(target.module, base)?;
                adapter.rescale(target.module, Tensor::new(norms, base.device())?, base)?;
            }
        }
        for module in &config.modules_to_save {
            let weight = match module {
                SavedModule::Embedding => base.embedding_weight(),
                SavedModule::Head => base.head_weight(),
            };
            adapter.replace(*module, weight.clone());
        }
        for own in config.own_biases(base.config())? {
            if let Some(bias) = base.projection_bias(own.layer, own.projection) {
                adapter.put_bias(own, bias.clone());
            }
        }
        adapter.into_trainable()
    }

    fn drawn(config: &LoraConfig, base: &Config, seed: u64, device: &Device) -> Result<Self, PeftError> {
        config.validate()?;
        let mut config = config.clone();
        if config.target_modules == TargetModules::AllLinear {
            // As PEFT does: readers of the file need not know the word.
            config.target_modules = TargetModules::from(&Projection::ALL[..]);
        }
        let mut adapter = Self::empty(&config, base)?;
        for target in config.targets(base)? {
            let (a, b) = halves(&target, config.init_lora_weights, base, seed, device)?;
            adapter.insert(&target, a.into(), b.into());
        }
        Ok(adapter)
    }

    /// The same adapter with every tensor an f32 variable. An embedding's A is one turned over, [V, r].
    ///
    /// # Errors
    /// When the device can't take the copies, or the adapter asks for what is not trained ([`LoraConfig::check_trainable`]).
    pub fn into_trainable(mut self) -> Result<Self, PeftError> {
        self.config.refuse_dropout(self.head.linear.is_some())?;
        let mut variables = Vec::new();
        let layers = self.slots.iter_mut().enumerate().filter_map(|(index, linear)| {
            Some((Module::Layer(index / PROJECTIONS, Projection::ALL[index % PROJECTIONS]), linear.as_mut()?))
        });
        for (module, linear) in layers.chain(self.head.linear.iter_mut().map(|head| (Module::Head, head))) {
            linear.train(module, &mut variables)?;
        }
        if let Some(EmbeddingPair { a, b, .. }) = &mut self.embedding.pair {
            for (half, weight) in [(Half::A, a), (Half::B, b)] {
                variables.push(variable(Module::Embedding, half.into(), weight)?);
            }
        }
        let names: Vec<String> = self.own_biases().map(|(own, _)| own.name()).collect();
        for (name, bias) in names.into_iter().zip(self.biases.iter_mut().flatten()) {
            let variable = Var::from_tensor(&bias.detach())?;
            *bias = variable.as_tensor().clone();
            variables.push((name, variable));
        }
        let whole = [(Module::Embedding, &mut self.embedding.table), (Module::Head, &mut self.head.weight)];
        for (module, weight) in whole {
            if let Some(weight) = weight {
                variables.push(variable(module, Part::Whole, weight)?);
            }
        }
        variables.sort_by(|(left, _), (right, _)| left.cmp(right));
        self.variables = variables;
        Ok(self)
    }

    /// A view of the same weights that records nothing for a backward pass: what evaluation during training runs with.
    /// It shares memory with `self`, so it follows every optimizer step.
    pub fn frozen(&self) -> Self {
        let Embedding { table, pair } = &self.embedding;
        let pair = pair.as_ref().map(|EmbeddingPair { a, b, scale }| EmbeddingPair {
            a: a.detach(),
            b: b.detach(),
            scale: *scale,
        });
        Self {
            config: self.config.clone(),
            beyond_lora: self.beyond_lora,
            slots: self.slots.iter().map(|linear| linear.as_ref().map(Linear::detach)).collect(),
            biases: self.biases.iter().map(|bias| bias.as_ref().map(Tensor::detach)).collect(),
            head: Head {
                weight: self.head.weight.as_ref().map(LinearWeight::detach),
                linear: self.head.linear.as_ref().map(Linear::detach),
            },
            embedding: Embedding { table: table.as_ref().map(LinearWeight::detach), pair },
            variables: Vec::new(),
        }
    }

    /// The norms of the rows of a module's weight with its pair added, [out].
    fn norms(&self, module: Module, base: &Decoder) -> Result<Vec<f32>, PeftError> {
        let (linear, weight) = self.linear_and_weight(module, base)?;
        Ok(lora_norms(weight, &linear.pair)?)
    }
}

impl Linear {
    fn train(&mut self, module: Module, variables: &mut Vec<(String, Var)>) -> Result<(), PeftError> {
        let LoraPair { a, b, .. } = &mut self.pair;
        variables.push(variable(module, Half::A.into(), a)?);
        variables.push(variable(module, Half::B.into(), b)?);
        if let Some(dora) = &mut self.dora {
            let magnitude = Var::from_tensor(&dora.magnitude.detach())?;
            *dora = Dora { magnitude: magnitude.as_tensor().clone(), factors: None };
            variables.push((part_name(module, Part::Magnitude), magnitude));
        }
        Ok(())
    }

    fn detach(&self) -> Self {
        let dora = self.dora.as_ref();
        let dora =
            dora.map(|dora| Dora { magnitude: dora.magnitude.detach(), factors: dora.factors.clone() });
        Self { pair: self.pair.detach(), dora }
    }
}

/// Makes a weight an f32 variable, multiplied as f32.
fn variable(module: Module, part: Part, weight: &mut LinearWeight) -> Result<(String, Var), PeftError> {
    let variable = Var::from_tensor(&weight.tensor()?.detach().to_dtype(DType::F32)?)?;
    *weight = LinearWeight::trained(variable.as_tensor().clone(), Format::F32);
    Ok((part_name(module, part), variable))
}

/// A and B of a fresh pair; an embedding's A is turned over, [V, r].
fn halves(
    target: &Target,
    init: InitLoraWeights,
    base: &Config,
    seed: u64,
    device: &Device,
) -> Result<(Tensor, Tensor), PeftError> {
    let (module, rank) = (target.module, target.rank);
    let (out, input) = module.shape(base);
    let random = |half| Random::named(seed, &part_name(module, Part::Half(half)));
    if module == Module::Embedding {
        let b = random(Half::B).normal_tensor((out, rank), 0.0, 1.0, device)?;
        return Ok((Tensor::zeros((input, rank), DType::F32, device)?, b));
    }
    let a = match init {
        InitLoraWeights::Kaiming => {
            let bound = 1.0 / (input as f64).sqrt();
            random(Half::A).uniform_tensor((rank, input), -bound, bound, device)?
        }
        InitLoraWeights::Gaussian => {
            random(Half::A).normal_tensor((rank, input), 0.0, 1.0 / rank as f64, device)?
        }
    };
    Ok((a, Tensor::zeros((out, rank), DType::F32, device)?))
}
