//! Bottleneck adapters in the format of the `adapters` library (Poth et al., 2023): settings, tensors, and both in memory.

use std::{collections::BTreeMap, io::Read};

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::{Format, LinearWeight, Random, WeightArena};
use rootstock_model::{Adapter, Bottleneck, Config, Place, Projection, Update};

use crate::{
    PeftError,
    files::{Stored, packed_bytes, tensor_file},
};
pub use config::{BottleneckConfig, MAX_REDUCTION_FACTOR, MAX_SCALING, MIN_REDUCTION_FACTOR};

mod config;

/// Standard deviation of the numbers that training begins with, as BERT's.
const INITIAL: f64 = 0.02;
/// The four tensors of a bottleneck, in the order in which they are listed.
const PARTS: [&str; 4] =
    ["adapter_down.0.bias", "adapter_down.0.weight", "adapter_up.bias", "adapter_up.weight"];

/// Bottlenecks for one base model, either frozen (serving) or made of variables (training).
#[derive(Debug)]
pub struct BottleneckAdapter {
    config: BottleneckConfig,
    base: Config,
    bottlenecks: BTreeMap<(usize, Place), Bottleneck>,
    /// Empty when frozen.
    variables: Vec<(String, Var)>,
}

impl BottleneckAdapter {
    /// Trainable bottlenecks, as the library starts them: all matrices from N(0, 0.02^2) and biases 0; beside a block (parallel), D
    /// evenly from +-1/sqrt(H) and the rest 0; f32. The same seed gives the same bits.
    ///
    /// # Errors
    /// When the settings are out of range.
    pub fn init(
        config: &BottleneckConfig,
        base: &Config,
        seed: u64,
        device: &Device,
    ) -> Result<Self, PeftError> {
        config.validate()?;
        let mut variables = Vec::new();
        for (name, shape) in config.expected_shapes(base) {
            let random = Random::named(seed, &name);
            let bound = 1.0 / (base.hidden_size as f64).sqrt();
            let start = match (shape.len(), config.is_parallel, name.ends_with("adapter_down.0.weight")) {
                (2, false, _) => random.normal_tensor(shape, 0.0, INITIAL, device)?,
                (2, true, true) => random.uniform_tensor(shape, -bound, bound, device)?,
                _ => Tensor::zeros(shape, DType::F32, device)?,
            };
            variables.push((name, Var::from_tensor(&start)?));
        }
        let tensors = variables.iter().map(|(name, variable)| (name.clone(), variable.as_tensor().clone()));
        let bottlenecks = Tensors(tensors.collect()).bottlenecks(config, base, |tensor| Ok(tensor.into()))?;
        Ok(Self { config: config.clone(), base: base.clone(), bottlenecks, variables })
    }

    pub(crate) fn read(
        config: &BottleneckConfig,
        stored: &mut Stored<impl Read>,
        (base, dtype, device): (&Config, DType, &Device),
    ) -> Result<Self, PeftError> {
        // Biases are f32, whatever the matrices are.
        let dtype_of = |_: &str, shape: &[usize]| if shape.len() == 1 { DType::F32 } else { dtype };
        let mut tensors = BTreeMap::new();
        while let Some((name, tensor)) = stored.read_next(dtype_of, device)? {
            tensors.insert(name, tensor);
        }
        // In one block, since they are read together for every token.
        let mut arena = WeightArena::new(packed_bytes(tensors.values()));
        let pack = |tensor: Tensor| Ok(LinearWeight::frozen_in(&tensor, &mut arena)?);
        let bottlenecks = Tensors(tensors).bottlenecks(config, base, pack)?;
        Ok(Self { config: config.clone(), base: base.clone(), bottlenecks, variables: Vec::new() })
    }

    /// The settings they were made with.
    pub fn config(&self) -> &BottleneckConfig {
        &self.config
    }

    /// The variables to train, by the library's names in order of names; empty when frozen.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        self.variables.clone()
    }

    /// The same weights with nothing to train; they follow every step.
    pub fn frozen(&self) -> Self {
        let (config, base) = (self.config.clone(), self.base.clone());
        let detached = |bottleneck: &Bottleneck| Bottleneck {
            down: bottleneck.down.detach(),
            down_bias: bottleneck.down_bias.detach(),
            up: bottleneck.up.detach(),
            up_bias: bottleneck.up_bias.detach(),
            ..*bottleneck
        };
        let bottlenecks = self.bottlenecks.iter().map(|(place, bottleneck)| (*place, detached(bottleneck)));
        Self { config, base, bottlenecks: bottlenecks.collect(), variables: Vec::new() }
    }

    /// Bytes the weights take in memory.
    pub fn bytes(&self) -> usize {
        let biases = |bottleneck: &Bottleneck| {
            (bottleneck.down_bias.elem_count() + bottleneck.up_bias.elem_count()) * size_of::<f32>()
        };
        let all = self.bottlenecks.values();
        all.map(|bottleneck| bottleneck.down.bytes() + bottleneck.up.bytes() + biases(bottleneck)).sum()
    }

    /// The contents of `adapter_config.json`.
    pub(crate) fn config_json(&self) -> String {
        self.config.to_json(&self.base)
    }

    /// The contents of the safetensors file.
    pub(crate) fn weights_bytes(&self) -> Result<Vec<u8>, PeftError> {
        let mut tensors = Vec::new();
        for ((layer, place), bottleneck) in &self.bottlenecks {
            let Bottleneck { down, down_bias, up, up_bias, .. } = bottleneck;
            let parts =
                [down_bias.detach(), down.tensor()?.detach(), up_bias.detach(), up.tensor()?.detach()];
            let names = PARTS.map(|part| self.config.tensor_name(*layer, *place, part));
            tensors.extend(names.into_iter().zip(parts));
        }
        tensor_file(tensors)
    }
}

impl Adapter for BottleneckAdapter {
    fn update(&self, _: usize, _: Projection) -> Update<'_> {
        Update::default()
    }

    fn bottleneck(&self, layer: usize, place: Place) -> Option<&Bottleneck> {
        self.bottlenecks.get(&(layer, place))
    }
}

/// The tensors of all bottlenecks, by name, until each has found its place.
struct Tensors(BTreeMap<String, Tensor>);

impl Tensors {
    fn bottlenecks(
        mut self,
        config: &BottleneckConfig,
        base: &Config,
        mut weight: impl FnMut(Tensor) -> Result<LinearWeight, PeftError>,
    ) -> Result<BTreeMap<(usize, Place), Bottleneck>, PeftError> {
        let mut bottlenecks = BTreeMap::new();
        for (layer, place) in config.places(base) {
            let mut take = |part| {
                let name = config.tensor_name(layer, place, part);
                self.0.remove(&name).ok_or(PeftError::MissingTensor(name))
            };
            let [down_bias, down, up_bias, up] = PARTS.map(&mut take);
            let bottleneck = Bottleneck {
                down: weight(down?)?,
                down_bias: down_bias?,
                up: weight(up?)?,
                up_bias: up_bias?,
                non_linearity: config.non_linearity,
                scale: config.scaling,
                reads: config.reads(),
            };
            bottlenecks.insert((layer, place), bottleneck);
        }
        Ok(bottlenecks)
    }
}

/// Bytes that bottlenecks of these shapes take when they are packed for serving.
fn packed_size<'a>(shapes: impl Iterator<Item = &'a Vec<usize>>, format: Format) -> usize {
    let bytes = |shape: &Vec<usize>| match shape[..] {
        [outputs, inputs] => LinearWeight::packed_bytes(outputs, inputs, format),
        _ => shape.iter().product::<usize>() * size_of::<f32>(),
    };
    shapes.map(bytes).sum()
}
