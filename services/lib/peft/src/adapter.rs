//! A LoRA adapter in memory: one pair per chosen module, either frozen (serving) or made of variables (training); it may also rescale
//! outputs (DoRA), adapt both ends of the model, or bring ends of its own.

use candle_core::{Tensor, Var};
use rootstock_kernels::{LinearWeight, LoraPair, lora_norms};
use rootstock_model::{
    Adapter, Config, Decoder, EmbeddingChange, EmbeddingPair, HeadChange, Projection, Update,
};

use crate::{
    LoraConfig, Module, PeftError, SavedModule, Target,
    biases::OwnBias,
    names::{Part, part_name},
};

mod contents;
mod trained;

const PROJECTIONS: usize = Projection::ALL.len();

/// A LoRA (Hu et al., 2021) for one base model; the decoder asks it for what it changes through [`Adapter`].
#[derive(Debug)]
pub struct LoraAdapter {
    config: LoraConfig,
    /// What of the configuration goes beyond pairs on projections.
    beyond_lora: Option<&'static str>,
    /// A slot per layer and projection, in forward order.
    slots: Vec<Option<Linear>>,
    /// Biases [out] f32 in the place of the base's, in the same order.
    biases: Vec<Option<Tensor>>,
    head: Head,
    embedding: Embedding,
    /// The variables behind the pairs, by PEFT name in order of names; empty when frozen.
    variables: Vec<(String, Var)>,
}

/// What is done to a linear map.
#[derive(Clone, Debug)]
struct Linear {
    pair: LoraPair,
    dora: Option<Dora>,
}

/// DoRA's rescaling of a linear map's outputs.
#[derive(Clone, Debug)]
struct Dora {
    /// [out] f32, as stored.
    magnitude: Tensor,
    /// Magnitudes over the norms of the updated weight's rows, [out]; absent in training, where both change.
    factors: Option<Vec<f32>>,
}

#[derive(Clone, Debug, Default)]
struct Head {
    /// [V, H]
    weight: Option<LinearWeight>,
    linear: Option<Linear>,
}

#[derive(Clone, Debug, Default)]
struct Embedding {
    /// [V, H]
    table: Option<LinearWeight>,
    pair: Option<EmbeddingPair>,
}

impl Linear {
    fn update(&self) -> Update<'_> {
        let factors = self.dora.as_ref().and_then(|dora| dora.factors.as_deref());
        let magnitude = self.dora.as_ref().map(|dora| &dora.magnitude).filter(|_| factors.is_none());
        Update { factors, magnitude, ..Update::from(Some(&self.pair)) }
    }

    fn bytes(&self) -> usize {
        let dora = self.dora.as_ref().map_or(0, |dora| 2 * dora.magnitude.elem_count() * size_of::<f32>());
        self.pair.a.bytes() + self.pair.b.bytes() + dora
    }
}

impl Adapter for LoraAdapter {
    fn update(&self, layer: usize, projection: Projection) -> Update<'_> {
        let linear = self.slots.get(slot(layer, projection)).and_then(Option::as_ref);
        linear.map(Linear::update).unwrap_or_default()
    }

    fn bias(&self, layer: usize, projection: Projection) -> Option<&Tensor> {
        self.biases.get(slot(layer, projection)).and_then(Option::as_ref)
    }

    fn head(&self) -> HeadChange<'_> {
        let update = self.head.linear.as_ref().map(Linear::update).unwrap_or_default();
        HeadChange { weight: self.head.weight.as_ref(), update }
    }

    fn embedding(&self) -> EmbeddingChange<'_> {
        EmbeddingChange { table: self.embedding.table.as_ref(), pair: self.embedding.pair.as_ref() }
    }
}

impl LoraAdapter {
    pub(crate) fn empty(config: &LoraConfig, base: &Config) -> Result<Self, PeftError> {
        Ok(Self {
            config: config.clone(),
            beyond_lora: config.beyond_lora(base)?,
            slots: vec![None; base.num_hidden_layers * PROJECTIONS],
            biases: vec![None; base.num_hidden_layers * PROJECTIONS],
            head: Head::default(),
            embedding: Embedding::default(),
            variables: Vec::new(),
        })
    }

    /// Puts a pair where it belongs; that of an embedding has its A turned over, [V, r].
    pub(crate) fn insert(&mut self, target: &Target, a: LinearWeight, b: LinearWeight) {
        let (scale, dropout) = (target.scale, self.config.lora_dropout);
        let linear = |a, b| Some(Linear { pair: LoraPair { a, b, scale, dropout }, dora: None });
        match target.module {
            Module::Layer(layer, projection) => self.slots[slot(layer, projection)] = linear(a, b),
            Module::Head => self.head.linear = linear(a, b),
            Module::Embedding => self.embedding.pair = Some(EmbeddingPair { a, b, scale }),
        }
    }

    /// Rescales a linear module's outputs to `magnitude` [out] f32, by the norms of the base's weight with the pair added.
    pub(crate) fn rescale(
        &mut self,
        module: Module,
        magnitude: Tensor,
        base: &Decoder,
    ) -> Result<(), PeftError> {
        let (linear, weight) = self.linear_and_weight(module, base)?;
        let norms = lora_norms(weight, &linear.pair)?;
        let magnitudes = magnitude.to_vec1::<f32>()?;
        let factors: Vec<f32> =
            magnitudes.iter().zip(&norms).map(|(magnitude, norm)| magnitude / norm).collect();
        if let Some(element) = factors.iter().position(|factor| !factor.is_finite()) {
            return Err(PeftError::NotFinite { name: part_name(module, Part::Magnitude), element });
        }
        let linear = match module {
            Module::Layer(layer, projection) => self.slots[slot(layer, projection)].as_mut(),
            _ => self.head.linear.as_mut(),
        };
        if let Some(linear) = linear {
            linear.dora = Some(Dora { magnitude, factors: Some(factors) });
        }
        Ok(())
    }

    /// What is done to a linear module, and the base's weight [out, in].
    fn linear_and_weight<'a>(
        &'a self,
        module: Module,
        base: &'a Decoder,
    ) -> Result<(&'a Linear, &'a LinearWeight), PeftError> {
        let found = match module {
            Module::Layer(layer, projection) => {
                self.slots[slot(layer, projection)].as_ref().zip(base.projection(layer, projection))
            }
            Module::Head => self.head.linear.as_ref().map(|linear| (linear, base.head_weight())),
            Module::Embedding => None,
        };
        found.ok_or_else(|| PeftError::Base(format!("nothing of {} can be rescaled", module.path())))
    }

    /// Puts a bias [out] f32 in the place of the base's.
    pub(crate) fn put_bias(&mut self, own: OwnBias, bias: Tensor) {
        self.biases[slot(own.layer, own.projection)] = Some(bias);
    }

    /// Puts a weight [V, H] in the place of the base's.
    pub(crate) fn replace(&mut self, module: SavedModule, weight: LinearWeight) {
        match module {
            SavedModule::Embedding => self.embedding.table = Some(weight),
            SavedModule::Head => self.head.weight = Some(weight),
        }
    }

    /// The low-rank pair added to a projection, or none where the adapter leaves it alone.
    pub fn lora(&self, layer: usize, projection: Projection) -> Option<&LoraPair> {
        self.slots.get(slot(layer, projection))?.as_ref().map(|linear| &linear.pair)
    }

    /// What the adapter has beyond LoRA pairs on projections, by the field of the configuration that asks for it. Such an adapter is
    /// served by itself.
    pub fn beyond_lora(&self) -> Option<&'static str> {
        self.beyond_lora
    }

    /// The settings the adapter was made with.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// Number of layers of the base model it was made for.
    pub fn num_layers(&self) -> usize {
        self.slots.len() / PROJECTIONS
    }

    /// The variables to train, by PEFT name in order of names; empty when the adapter is frozen.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        self.variables.clone()
    }
}

pub(crate) fn slot(layer: usize, projection: Projection) -> usize {
    // The enum's order is that of `Projection::ALL`, which a test holds.
    layer * PROJECTIONS + projection as usize
}

#[cfg(test)]
mod tests;
