//! The base model's biases that an adapter brings of its own: PEFT's `bias`.

use rootstock_model::{Config, Projection};

use crate::{
    LoraConfig, Module, PeftError,
    config::unsupported,
    names::{Part, part_name},
};

/// Which of the base's biases are trained with an adapter, saved with it, and take the base's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Biases {
    /// None.
    #[default]
    None,
    /// All of them.
    All,
    /// Those of modules that carry a pair.
    LoraOnly,
}

/// A bias [out] that an adapter brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnBias {
    pub(crate) layer: usize,
    pub(crate) projection: Projection,
    /// Whether its module carries a pair, which PEFT's names tell.
    pub(crate) adapted: bool,
}

impl Biases {
    /// PEFT's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::All => "all",
            Self::LoraOnly => "lora_only",
        }
    }

    /// Parses PEFT's word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::All, Self::LoraOnly].into_iter().find(|biases| biases.name() == name)
    }
}

impl OwnBias {
    pub(crate) fn part(self) -> Part {
        if self.adapted { Part::AdaptedBias } else { Part::Bias }
    }

    pub(crate) fn name(self) -> String {
        part_name(Module::Layer(self.layer, self.projection), self.part())
    }
}

impl LoraConfig {
    /// The biases that the adapter brings for a base model, layer after layer; as in PEFT none where the base has none.
    ///
    /// # Errors
    /// As [`LoraConfig::targets`].
    pub(crate) fn own_biases(&self, base: &Config) -> Result<Vec<OwnBias>, PeftError> {
        if self.bias == Biases::None {
            return Ok(Vec::new());
        }
        let adapted: Vec<Module> = self.targets(base)?.into_iter().map(|target| target.module).collect();
        let own = |module: Module| match module {
            Module::Layer(layer, projection) if base.has_bias(projection) => {
                Some(OwnBias { layer, projection, adapted: adapted.contains(&module) })
            }
            _ => None,
        };
        let brought = |own: &OwnBias| own.adapted || self.bias == Biases::All;
        Ok(Module::all(base).filter_map(own).filter(brought).collect())
    }

    /// Refuses biases to train where there are none.
    pub(crate) fn refuse_absent_biases(&self, base: &Config) -> Result<(), PeftError> {
        if self.bias == Biases::None || !self.own_biases(base)?.is_empty() {
            return Ok(());
        }
        let advice = "the base model has no biases there; leave it at none";
        Err(unsupported("bias", &self.bias.name().into(), advice))
    }
}
