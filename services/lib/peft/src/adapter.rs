//! A LoRA adapter in memory: one pair per chosen projection, either frozen (serving) or made of variables (training).

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::{LinearWeight, LoraPair, Random};
use rootstock_model::{Adapter, Config, Projection, Update};

use crate::{Half, LoraConfig, PeftError, TargetModules, tensor_name};

const PROJECTIONS: usize = Projection::ALL.len();

/// A LoRA (Hu et al., 2021) for one base model; the decoder asks it for its pairs through [`Adapter`].
#[derive(Debug)]
pub struct LoraAdapter {
    config: LoraConfig,
    /// A slot per layer and projection, in forward order.
    slots: Vec<Option<LoraPair>>,
    /// The variables behind the pairs, by PEFT name in order of names; empty when frozen.
    variables: Vec<(String, Var)>,
}

impl Adapter for LoraAdapter {
    fn update(&self, layer: usize, projection: Projection) -> Update<'_> {
        self.lora(layer, projection).into()
    }
}

impl LoraAdapter {
    /// A trainable adapter that changes nothing yet, as PEFT starts one: A [r, in] drawn evenly from
    /// +-1/sqrt(in) (Kaiming, a = sqrt 5), B [out, r] zero; f32. The same seed gives the same bits.
    ///
    /// # Errors
    /// When the configuration is out of range or chooses nothing in the base model.
    pub fn init(config: &LoraConfig, base: &Config, seed: u64, device: &Device) -> Result<Self, PeftError> {
        config.validate()?;
        let mut config = config.clone();
        if config.target_modules == TargetModules::AllLinear {
            // As PEFT does: readers of the file need not know the word.
            config.target_modules = TargetModules::from(&Projection::ALL[..]);
        }
        let mut adapter = Self::empty(&config, base);
        for (layer, projection) in config.target_modules.select(base)? {
            let (out, input) = projection.shape(base);
            let bound = 1.0 / (input as f64).sqrt();
            let random = Random::named(seed, &tensor_name(layer, projection, Half::A));
            let a = random.uniform_tensor((config.r, input), -bound, bound, device)?;
            let b = Tensor::zeros((out, config.r), DType::F32, device)?;
            adapter.insert(layer, projection, a.into(), b.into());
        }
        adapter.into_trainable()
    }

    pub(crate) fn empty(config: &LoraConfig, base: &Config) -> Self {
        let slots = vec![None; base.num_hidden_layers * PROJECTIONS];
        Self { config: config.clone(), slots, variables: Vec::new() }
    }

    pub(crate) fn insert(&mut self, layer: usize, projection: Projection, a: LinearWeight, b: LinearWeight) {
        let pair = LoraPair { a, b, scale: self.config.scale(), dropout: self.config.lora_dropout };
        self.slots[slot(layer, projection)] = Some(pair);
    }

    /// The low-rank pair added to a projection, or none where the adapter leaves it alone.
    pub fn lora(&self, layer: usize, projection: Projection) -> Option<&LoraPair> {
        self.slots.get(slot(layer, projection))?.as_ref()
    }

    /// The settings the adapter was made with.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// Number of layers of the base model it was made for.
    pub fn num_layers(&self) -> usize {
        self.slots.len() / PROJECTIONS
    }

    /// The same adapter with every tensor an f32 variable.
    ///
    /// # Errors
    /// When the device can't take the copies.
    pub fn into_trainable(mut self) -> Result<Self, PeftError> {
        self.variables.clear();
        for (index, pair) in self.slots.iter_mut().enumerate() {
            let Some(pair) = pair else { continue };
            for half in Half::ALL {
                let weight = half_of(pair, half);
                let variable = Var::from_tensor(&weight.tensor()?.detach().to_dtype(DType::F32)?)?;
                *weight = variable.as_tensor().clone().into();
                self.variables.push((name_of(index, half), variable));
            }
        }
        self.variables.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(self)
    }

    /// A view of the same weights that records nothing for a backward pass: what evaluation during training runs with.
    /// It shares memory with `self`, so it follows every optimizer step.
    pub fn frozen(&self) -> Self {
        let slots = self.slots.iter().map(|pair| pair.as_ref().map(LoraPair::detach)).collect();
        Self { config: self.config.clone(), slots, variables: Vec::new() }
    }

    /// The variables to train, by PEFT name in order of names; empty when the adapter is frozen.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        self.variables.clone()
    }

    /// Every tensor by PEFT name, in order of names: A [r, in] and B [out, r].
    ///
    /// # Errors
    /// When memory for copies of packed ones is not to be had.
    pub fn named_tensors(&self) -> Result<Vec<(String, Tensor)>, PeftError> {
        let mut tensors = Vec::new();
        for (index, pair) in self.slots.iter().enumerate() {
            let Some(pair) = pair else { continue };
            tensors.push((name_of(index, Half::A), pair.a.tensor()?.detach()));
            tensors.push((name_of(index, Half::B), pair.b.tensor()?.detach()));
        }
        tensors.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(tensors)
    }

    /// Bytes the weights take in memory.
    pub fn bytes(&self) -> usize {
        self.slots.iter().flatten().map(|pair| pair.a.bytes() + pair.b.bytes()).sum()
    }

    /// Number of weights.
    pub fn num_parameters(&self) -> usize {
        let count = |half: &LinearWeight| half.dims().map_or(0, |(rows, columns)| rows * columns);
        self.slots.iter().flatten().map(|pair| count(&pair.a) + count(&pair.b)).sum()
    }
}

fn slot(layer: usize, projection: Projection) -> usize {
    // The enum's order is that of `Projection::ALL`, which a test holds.
    layer * PROJECTIONS + projection as usize
}

fn name_of(index: usize, half: Half) -> String {
    tensor_name(index / PROJECTIONS, Projection::ALL[index % PROJECTIONS], half)
}

fn half_of(pair: &mut LoraPair, half: Half) -> &mut LinearWeight {
    match half {
        Half::A => &mut pair.a,
        Half::B => &mut pair.b,
    }
}

#[cfg(test)]
mod tests;
