//! What the tests share: a tiny model of odd shape and an adapter for it.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use rootstock_kernels::{ARENA_BLOCK_BYTES, LinearWeight, LoraPair, Random, WeightArena};

use crate::{
    Adapter, Batch, Config, Decoder, EmbeddingChange, Family, HeadChange, Layers, ModelError, Projection,
    RopeScaling, Update, load::Take, weight::Loaded,
};

/// Two layers, two query heads per key head, a head wider than `hidden_size / heads`.
pub(crate) fn tiny() -> Config {
    let json = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 61, "hidden_size": 24,
        "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 10,
        "tie_word_embeddings": true, "initializer_range": 0.2, "eos_token_id": 0}"#;
    Config::from_json(json).unwrap()
}

pub(crate) fn untied() -> Config {
    Config { tie_word_embeddings: false, ..tiny() }
}

/// One of each family, with all that sets it apart.
pub(crate) fn families() -> [Config; 5] {
    let windowed = |full| Layers { sliding_window: Some(3), full, unrotated: vec![] };
    let yarn = RopeScaling::Yarn {
        factor: 4.0,
        original_max_position_embeddings: 64,
        beta_fast: 8.0,
        beta_slow: 0.5,
        attention_factor: 1.2,
        truncate: true,
    };
    [
        Config { attention_bias: true, mlp_bias: true, ..tiny() },
        Config { family: Family::Mistral, layers: windowed(vec![]), ..untied() },
        Config { family: Family::Qwen2, layers: windowed(vec![0]), ..tiny() },
        Config { family: Family::Qwen3, rope_scaling: yarn, ..untied() },
        Config {
            family: Family::SmolLm3,
            layers: Layers { unrotated: vec![1], ..Layers::default() },
            ..tiny()
        },
    ]
}

impl Decoder {
    /// A model of these tensors, whose shapes have been checked.
    pub(crate) fn from_tensors(
        config: Config,
        tensors: BTreeMap<String, Tensor>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let mut arena = WeightArena::new(ARENA_BLOCK_BYTES);
        let mut new = |tensor: Tensor| {
            let format = tensor.dtype().into();
            Loaded::new(tensor, format, &mut arena)
        };
        let loaded = tensors.into_iter().map(|(name, tensor)| Ok((name, new(tensor)?)));
        Self::from_loaded(config, Take(loaded.collect::<Result<_, ModelError>>()?), device)
    }
}

/// Rows of different lengths, some of whose labels are ignored.
pub(crate) fn batch(seed: u64) -> Batch {
    let (rows, seq_len) = (3, 9);
    let random = Random::new(seed, 0);
    let input_ids: Vec<u32> = (0..rows * seq_len).map(|i| random.below(i as u64, 61) as u32).collect();
    let kept = |i: usize| i % seq_len < 4 + 2 * (i / seq_len) && i % 5 != 3;
    let labels =
        input_ids.iter().enumerate().map(|(i, id)| if kept(i) { i64::from(*id) } else { -100 }).collect();
    Batch { rows, seq_len, input_ids, labels }
}

/// Pairs on all projections but one, with B not zero.
pub(crate) struct Pairs {
    pub(crate) pairs: BTreeMap<(usize, Projection), LoraPair>,
    pub(crate) parameters: Vec<(String, Var)>,
}

impl Pairs {
    pub(crate) fn new(config: &Config, rank: usize, dropout: f64) -> Self {
        let (mut pairs, mut parameters) = (BTreeMap::new(), Vec::new());
        for layer in 0..config.num_hidden_layers {
            for projection in Projection::ALL.into_iter().filter(|p| *p != Projection::Up) {
                let (outputs, inputs) = projection.shape(config);
                let mut variable = |half: &str, shape: (usize, usize)| {
                    let name = format!("{}.{half}", projection.module_path(layer));
                    let values = Random::named(7, &name).normal_tensor(shape, 0.0, 0.3, &Device::Cpu);
                    let variable = Var::from_tensor(&values.unwrap()).unwrap();
                    parameters.push((name, variable.clone()));
                    variable.as_tensor().clone()
                };
                let (a, b) = (variable("lora_A", (rank, inputs)), variable("lora_B", (outputs, rank)));
                pairs.insert((layer, projection), LoraPair { a: a.into(), b: b.into(), scale: 0.7, dropout });
            }
        }
        Self { pairs, parameters }
    }
}

impl Adapter for Pairs {
    fn update(&self, layer: usize, projection: Projection) -> Update<'_> {
        self.pairs.get(&(layer, projection)).into()
    }
}

/// An adapted head and an embedding of its own, over layers that are left alone.
pub(crate) struct Ends {
    pub(crate) pair: LoraPair,
    pub(crate) factors: Vec<f32>,
    pub(crate) table: LinearWeight,
}

impl Ends {
    pub(crate) fn new(config: &Config) -> Self {
        let draw = |name: &str, shape: (usize, usize)| {
            let tensor = Random::named(9, name).normal_tensor(shape, 0.0, 0.3, &Device::Cpu).unwrap();
            LinearWeight::frozen(&tensor).unwrap()
        };
        let (vocab, width) = (config.vocab_size, config.hidden_size);
        let (a, b) = (draw("a", (3, width)), draw("b", (vocab, 3)));
        let factors = (0..vocab).map(|i| 1.0 + i as f32 / vocab as f32).collect();
        let pair = LoraPair { a, b, scale: 0.7, dropout: 0.0 };
        Self { pair, factors, table: draw("table", (vocab, width)) }
    }
}

impl Adapter for Ends {
    fn update(&self, _: usize, _: Projection) -> Update<'_> {
        Update::default()
    }

    fn head(&self) -> HeadChange<'_> {
        let update = Update { factors: Some(&self.factors), ..Some(&self.pair).into() };
        HeadChange { weight: None, update }
    }

    fn embedding(&self) -> EmbeddingChange<'_> {
        EmbeddingChange { table: Some(&self.table), pair: None }
    }
}

pub(crate) fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
pub(crate) fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (flat(found), flat(expected));
    let scale = expected.iter().fold(1e-6_f32, |max, value| max.max(value.abs()));
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}[{i}] is {a}, expected {b} (scale {scale})");
    }
}
