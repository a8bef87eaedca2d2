//! A LoRA adapter in memory: one pair per chosen module, either frozen (serving) or made of variables (training); a frozen one may
//! also rescale outputs (DoRA), adapt both ends of the model, or bring ends of its own.

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::{LinearWeight, LoraPair, Random, lora_norms};
use rootstock_model::{
    Adapter, Config, Decoder, EmbeddingChange, EmbeddingPair, HeadChange, Projection, Update,
};

use crate::{
    Half, LoraConfig, Module, PeftError, SavedModule, Target, TargetModules,
    config::unsupported,
    names::{Part, part_name},
    tensor_name,
};

mod contents;

const PROJECTIONS: usize = Projection::ALL.len();

/// A LoRA (Hu et al., 2021) for one base model; the decoder asks it for what it changes through [`Adapter`].
#[derive(Debug)]
pub struct LoraAdapter {
    config: LoraConfig,
    /// What of the configuration goes beyond pairs on projections.
    beyond_lora: Option<&'static str>,
    /// A slot per layer and projection, in forward order.
    slots: Vec<Option<Linear>>,
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
    /// Magnitudes over the norms of the updated weight's rows, [out].
    factors: Vec<f32>,
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
        let factors = self.dora.as_ref().map(|dora| &dora.factors[..]);
        Update { factors, ..Update::from(Some(&self.pair)) }
    }

    fn bytes(&self) -> usize {
        let dora = self.dora.as_ref().map_or(0, |dora| 2 * dora.factors.len() * size_of::<f32>());
        self.pair.a.bytes() + self.pair.b.bytes() + dora
    }

    fn detach(&self) -> Self {
        Self { pair: self.pair.detach(), dora: self.dora.clone() }
    }
}

impl Adapter for LoraAdapter {
    fn update(&self, layer: usize, projection: Projection) -> Update<'_> {
        let linear = self.slots.get(slot(layer, projection)).and_then(Option::as_ref);
        linear.map(Linear::update).unwrap_or_default()
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
    /// A trainable adapter that changes nothing yet, as PEFT starts one: A [r, in] drawn evenly from
    /// +-1/sqrt(in) (Kaiming, a = sqrt 5), B [out, r] zero; f32. The same seed gives the same bits.
    ///
    /// # Errors
    /// When the configuration is out of range, chooses nothing in the base model, or asks for what is not trained here.
    pub fn init(config: &LoraConfig, base: &Config, seed: u64, device: &Device) -> Result<Self, PeftError> {
        config.validate()?;
        let mut config = config.clone();
        if config.target_modules == TargetModules::AllLinear {
            // As PEFT does: readers of the file need not know the word.
            config.target_modules = TargetModules::from(&Projection::ALL[..]);
        }
        let mut adapter = Self::empty(&config, base)?;
        for target in config.targets(base)? {
            let (out, input) = target.module.shape(base);
            let bound = 1.0 / (input as f64).sqrt();
            let random = Random::named(seed, &part_name(target.module, Part::Half(Half::A)));
            let a = random.uniform_tensor((target.rank, input), -bound, bound, device)?;
            let b = Tensor::zeros((out, target.rank), DType::F32, device)?;
            adapter.insert(&target, a.into(), b.into());
        }
        adapter.into_trainable()
    }

    pub(crate) fn empty(config: &LoraConfig, base: &Config) -> Result<Self, PeftError> {
        Ok(Self {
            config: config.clone(),
            beyond_lora: config.beyond_lora(base)?,
            slots: vec![None; base.num_hidden_layers * PROJECTIONS],
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
        let (linear, weight) = match module {
            Module::Layer(layer, projection) => {
                (self.slots[slot(layer, projection)].as_mut(), base.projection(layer, projection))
            }
            Module::Head => (self.head.linear.as_mut(), Some(base.head_weight())),
            Module::Embedding => (None, None),
        };
        let (Some(linear), Some(weight)) = (linear, weight) else {
            return Err(PeftError::Base(format!("nothing of {} can be rescaled", module.path())));
        };
        let norms = lora_norms(weight, &linear.pair)?;
        let magnitudes = magnitude.to_vec1::<f32>()?;
        let factors: Vec<f32> =
            magnitudes.iter().zip(&norms).map(|(magnitude, norm)| magnitude / norm).collect();
        if let Some(element) = factors.iter().position(|factor| !factor.is_finite()) {
            return Err(PeftError::NotFinite { name: part_name(module, Part::Magnitude), element });
        }
        linear.dora = Some(Dora { magnitude, factors });
        Ok(())
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
    /// served by itself, and not trained here.
    pub fn beyond_lora(&self) -> Option<&'static str> {
        self.beyond_lora
    }

    fn check_trainable(&self) -> Result<(), PeftError> {
        let Some(field) = self.beyond_lora else { return Ok(()) };
        let value = match field {
            "use_dora" => true.into(),
            "modules_to_save" => self.config.modules_to_save.iter().map(|module| module.name()).collect(),
            _ => self.config.target_modules.to_json(),
        };
        Err(unsupported(field, &value, "LoRA and rsLoRA on projections are what is trained here"))
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
    /// When the device can't take the copies, or the adapter has more than pairs on projections.
    pub fn into_trainable(mut self) -> Result<Self, PeftError> {
        self.check_trainable()?;
        self.variables.clear();
        for (index, linear) in self.slots.iter_mut().enumerate() {
            let Some(linear) = linear else { continue };
            for half in Half::ALL {
                let weight = half_of(&mut linear.pair, half);
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
        Self {
            config: self.config.clone(),
            beyond_lora: self.beyond_lora,
            slots: self.slots.iter().map(|linear| linear.as_ref().map(Linear::detach)).collect(),
            head: self.head.clone(),
            embedding: self.embedding.clone(),
            variables: Vec::new(),
        }
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
