//! The promise on which answers rest: a row's bits depend on its own tokens and adapter, and on nothing it is computed with. Held for
//! each dispatch path of this processor, on one thread and on two, in every format. Alone in its binary, because it switches the path
//! of the whole process.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use rootstock_kernels::{Dispatch, Random, with_dispatch, with_threads};
use rootstock_model::{
    Adapter, Beginning, Bottleneck, Config, Continued, Decoder, EmbeddingChange, EmbeddingPair, Format,
    HeadChange, KvCache, LinearWeight, LoraPair, NonLinearity, Place, Projection, ReadLogits, Reads, Update,
    Wanted, save_tensors,
};

/// One more than there are kinds of adapters: two neighbours have the same one.
const SEQUENCES: usize = 14;
const KINDS: usize = SEQUENCES - 1;
const LONGEST: usize = 150;
const BATCHES: usize = 50;

fn config() -> Config {
    let json = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 131, "hidden_size": 72,
        "intermediate_size": 100, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 18,
        "tie_word_embeddings": true, "initializer_range": 0.2, "eos_token_id": 0}"#;
    Config::from_json(json).unwrap()
}

/// The same sizes, with all that a family may add: biases, normed heads, a window on one layer.
fn qwen() -> Config {
    let json = br#"{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 131, "hidden_size": 72,
        "intermediate_size": 100, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 18,
        "attention_bias": true, "use_sliding_window": true, "sliding_window": 41, "max_window_layers": 1,
        "tie_word_embeddings": true, "initializer_range": 0.2, "eos_token_id": 0}"#;
    Config::from_json(json).unwrap()
}

/// An adapter of any kind.
#[derive(Default)]
struct Kind {
    /// Pairs of each layer and projection, in the order in which they are added.
    pairs: BTreeMap<(usize, usize), Vec<LoraPair>>,
    /// DoRA's factors.
    factors: BTreeMap<(usize, usize), Vec<f32>>,
    head: Option<LinearWeight>,
    head_pairs: Vec<LoraPair>,
    head_factors: Option<Vec<f32>>,
    table: Option<LinearWeight>,
    embedding: Option<EmbeddingPair>,
    /// Virtual tokens as rows, or as keys and values of both layers.
    rows: Option<Tensor>,
    states: Option<Tensor>,
    bottlenecks: BTreeMap<(usize, Place), Bottleneck>,
}

/// Random numbers that depend on their name.
fn draw(name: &str, shape: (usize, usize), dtype: DType) -> Tensor {
    let tensor = Random::named(7, name).normal_tensor(shape, 0.0, 0.1, &Device::Cpu);
    tensor.unwrap().to_dtype(dtype).unwrap()
}

fn frozen(name: &str, shape: (usize, usize), dtype: DType) -> LinearWeight {
    LinearWeight::frozen(&draw(name, shape, dtype)).unwrap()
}

fn pair(name: &str, (outputs, inputs): (usize, usize), rank: usize, dtype: DType) -> LoraPair {
    let a = frozen(&format!("{name}.a.{rank}"), (rank, inputs), dtype);
    let b = frozen(&format!("{name}.b.{rank}"), (outputs, rank), dtype);
    LoraPair { a, b, scale: 0.7, dropout: 0.0 }
}

fn factors(name: &str, outputs: usize) -> Vec<f32> {
    draw(&format!("{name}.factors"), (1, outputs), DType::F32).get(0).unwrap().to_vec1().unwrap()
}

impl Kind {
    /// Pairs of these ranks on every projection; with DoRA, factors too.
    fn lora(ranks: &[usize], scale: f64, dora: bool, dtype: DType) -> Self {
        let mut kind = Self::default();
        for layer in 0..config().num_hidden_layers {
            for projection in Projection::ALL {
                let (place, name) = ((layer, projection as usize), projection.module_path(layer));
                let shape = projection.shape(&config());
                let pairs = ranks.iter().map(|rank| LoraPair { scale, ..pair(&name, shape, *rank, dtype) });
                kind.pairs.insert(place, pairs.collect());
                if dora {
                    kind.factors.insert(place, factors(&name, shape.0));
                }
            }
        }
        kind
    }

    /// Base, LoRA of four ranks, rsLoRA, DoRA, ends of its own, adapted ends, an embedding of its own with a weighted sum, more virtual
    /// tokens than a block of keys has, and fewer, bottlenecks.
    fn all(dtype: DType) -> [Option<Self>; KINDS] {
        let (vocab, width) = (config().vocab_size, config().hidden_size);
        let lora = |ranks: &[usize]| Some(Self::lora(ranks, 0.7, false, dtype));
        let (head, table) = (frozen("head", (vocab, width), dtype), frozen("table", (vocab, width), dtype));
        let own_head = Self { head: Some(head), ..Self::lora(&[1], 0.7, false, dtype) };
        let adapted = Self {
            head_pairs: vec![pair("head", (vocab, width), 5, dtype)],
            head_factors: Some(factors("head", vocab)),
            embedding: Some(EmbeddingPair {
                a: draw("embedding.a", (vocab, 3), dtype).into(),
                b: frozen("embedding.b", (width, 3), dtype),
                scale: 1.5,
            }),
            ..Self::default()
        };
        let mut sum = Self { table: Some(table), ..Self::lora(&[4, 1, 16], 0.4, false, dtype) };
        for pairs in sum.pairs.values_mut() {
            pairs[1].scale = -1.3;
        }
        let rslora = Some(Self::lora(&[4], 1.4, false, dtype));
        let dora = Some(Self::lora(&[4], 0.7, true, dtype));
        let loras = [lora(&[1]), lora(&[4]), lora(&[16]), lora(&[64])];
        let [one, four, sixteen, many] = loras;
        let prompt = Self { rows: Some(draw("rows", (70, width), DType::F32)), ..Self::default() };
        let states = draw("states", (9, 2 * 2 * 2 * 18), DType::F32);
        let prefix = Self { states: Some(states), ..Self::default() };
        let bottleneck = |(layer, place): (usize, Place)| {
            let name = format!("bottleneck.{layer}.{place:?}");
            let bias = |name: String, n| draw(&name, (1, n), DType::F32).get(0).unwrap();
            let bottleneck = Bottleneck {
                down: frozen(&format!("{name}.down"), (5, width), dtype),
                down_bias: bias(format!("{name}.d"), 5),
                up: frozen(&format!("{name}.up"), (width, 5), dtype),
                up_bias: bias(format!("{name}.u"), width),
                non_linearity: [NonLinearity::Gelu, NonLinearity::Swish][layer],
                scale: 1.5,
                reads: [Reads::After, Reads::Output][layer],
            };
            ((layer, place), bottleneck)
        };
        let places = (0..2).flat_map(|layer| Place::ALL.map(|place| (layer, place)));
        let narrow = Self { bottlenecks: places.map(bottleneck).collect(), ..Self::default() };
        let [prompt, prefix, narrow] = [prompt, prefix, narrow].map(Some);
        let [own_head, adapted, sum] = [own_head, adapted, sum].map(Some);
        [None, one, four, sixteen, many, rslora, dora, own_head, adapted, sum, prompt, prefix, narrow]
    }
}

impl Adapter for Kind {
    fn update(&self, layer: usize, projection: Projection) -> Update<'_> {
        let place = (layer, projection as usize);
        let pairs = self.pairs.get(&place).map_or(&[][..], Vec::as_slice);
        let factors = self.factors.get(&place).map(Vec::as_slice);
        Update { pairs, factors, magnitude: None }
    }

    fn head(&self) -> HeadChange<'_> {
        let update =
            Update { pairs: &self.head_pairs, factors: self.head_factors.as_deref(), magnitude: None };
        HeadChange { weight: self.head.as_ref(), update }
    }

    fn embedding(&self) -> EmbeddingChange<'_> {
        EmbeddingChange { table: self.table.as_ref(), pair: self.embedding.as_ref() }
    }

    fn bottleneck(&self, layer: usize, place: Place) -> Option<&Bottleneck> {
        self.bottlenecks.get(&(layer, place))
    }

    fn beginning(&self) -> Option<Beginning<'_>> {
        let rows = self.rows.as_ref().map(Beginning::Rows);
        rows.or(self.states.as_ref().map(Beginning::States))
    }
}

fn bits(logits: &Tensor) -> Vec<u32> {
    logits.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// The bits of the rows that a sequence was shown.
#[derive(Default)]
struct Shown(Vec<Vec<u32>>);

impl ReadLogits for Shown {
    fn read(&mut self, logits: &Tensor) {
        self.0.extend((0..logits.dim(0).unwrap()).map(|row| bits(&logits.get(row).unwrap())));
    }
}

/// What is computed: tokens, and which adapter they are computed with.
struct World {
    decoder: Decoder,
    adapters: [Option<Kind>; KINDS],
    ids: Vec<Vec<u32>>,
}

impl World {
    fn new(config: Config, format: Format) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("model.safetensors");
        let mut tensors = Decoder::init(config.clone(), 1, &Device::Cpu).unwrap().named_tensors().unwrap();
        for (name, bias) in tensors.iter_mut().filter(|(name, _)| name.ends_with(".bias")) {
            *bias = draw(name, (1, bias.elem_count()), DType::F32).get(0).unwrap();
        }
        save_tensors(&file, &tensors, &BTreeMap::new()).unwrap();
        let decoder = Decoder::load(config, &[file], format, &Device::Cpu).unwrap();
        let dtype = if format == Format::F32 { DType::F32 } else { DType::BF16 };
        let adapters = Kind::all(dtype);
        let random = Random::new(3, 0);
        let id = |s: usize, i: usize| random.below((s * LONGEST + i) as u64, 131) as u32;
        let ids = (0..SEQUENCES).map(|s| (0..LONGEST - 10 * s).map(|i| id(s, i)).collect()).collect();
        Self { decoder, adapters, ids }
    }

    fn adapter(&self, sequence: usize) -> Option<&dyn Adapter> {
        let kind = if sequence < 8 { sequence } else { sequence - 1 };
        self.adapters[kind].as_ref().map(|kind| kind as &dyn Adapter)
    }

    /// A cache for a sequence, with what its adapter puts before it.
    fn cache(&self, sequence: usize) -> KvCache {
        let begun =
            self.adapter(sequence).and_then(|adapter| self.decoder.begin(adapter, &mut || ()).unwrap());
        let new =
            || KvCache::new(self.decoder.config(), self.decoder.format(), LONGEST, &Device::Cpu).unwrap();
        begun.map_or_else(new, |begun| begun.fork(begun.len() + LONGEST))
    }

    /// The logits after each token of each sequence, computed alone: all at once where keys and values are f32, as in training; one
    /// by one where a cache rounds them.
    fn alone(&self) -> Vec<Vec<Vec<u32>>> {
        let whole = |s: usize| {
            let logits = self.decoder.forward_all(&self.ids[s], self.adapter(s)).unwrap();
            (0..logits.dim(0).unwrap()).map(|i| bits(&logits.get(i).unwrap())).collect()
        };
        let one_by_one = |s: usize| {
            let mut cache = self.cache(s);
            let next = |id: &u32| {
                bits(&self.decoder.forward(std::slice::from_ref(id), &mut cache, self.adapter(s)).unwrap())
            };
            self.ids[s].iter().map(next).collect()
        };
        let f32 = self.decoder.format() == Format::F32;
        (0..SEQUENCES).map(|s| if f32 { whole(s) } else { one_by_one(s) }).collect()
    }

    /// Random batches: each takes some sequences on by a chunk or by a token, and asks for the logits of the last, of some, or of none.
    fn in_batches(&self, expected: &[Vec<Vec<u32>>], seed: u64, told: &str) {
        let random = Random::new(seed, 1);
        let mut caches: Vec<KvCache> = (0..SEQUENCES).map(|s| self.cache(s)).collect();
        let virtuals: Vec<usize> = caches.iter().map(KvCache::len).collect();
        for batch in 0..BATCHES {
            let draw = |s: usize, what: u64, below: u64| {
                random.below((batch * SEQUENCES + s) as u64 * 6 + what, below) as usize
            };
            let mut shown: Vec<Shown> = (0..SEQUENCES).map(|_| Shown::default()).collect();
            let mut sequences = Vec::new();
            let (mut last, mut each) = (Vec::new(), Vec::new());
            for ((s, cache), shown) in caches.iter_mut().enumerate().zip(&mut shown) {
                if cache.len() == virtuals[s] + self.ids[s].len() {
                    cache.truncate(virtuals[s] + draw(s, 0, 20));
                }
                let start = cache.len() - virtuals[s];
                if draw(s, 1, 3) == 0 {
                    continue;
                }
                let most = if draw(s, 2, 2) == 0 { 1 } else { 70 };
                let n = (1 + draw(s, 3, most)).min(self.ids[s].len() - start);
                let ids = &self.ids[s][start..start + n];
                let wants = match draw(s, 4, 4) {
                    0 => Wanted::Nothing,
                    1 => {
                        let from = draw(s, 5, n as u64);
                        each.push((s, start + from..start + n));
                        Wanted::Each(from, shown)
                    }
                    _ => {
                        last.push((s, start + n - 1));
                        Wanted::Last
                    }
                };
                sequences.push(Continued { ids, cache, adapter: self.adapter(s), wants });
            }
            if sequences.is_empty() {
                continue;
            }
            let logits = self.decoder.forward_batch(&mut sequences).unwrap();
            assert_eq!(logits.dim(0).unwrap(), last.len());
            for (row, (s, position)) in last.into_iter().enumerate() {
                let found = bits(&logits.get(row).unwrap());
                assert!(found == expected[s][position], "{told}: sequence {s} at {position}, batch {batch}");
            }
            for (s, positions) in each {
                assert!(shown[s].0 == expected[s][positions], "{told}: sequence {s} is shown, batch {batch}");
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_fifty_random_batches_on_every_path() {
    for format in [Format::F32, Format::Bf16, Format::Int8] {
        hold("llama", &World::new(config(), format));
    }
    for format in [Format::F32, Format::Bf16] {
        hold("qwen3", &World::new(qwen(), format));
    }
}

fn hold(family: &str, world: &World) {
    let format = world.decoder.format();
    for path in Dispatch::ALL.into_iter().filter(|path| path.is_present()) {
        with_dispatch(path, || {
            let expected = with_threads(1, || world.alone());
            let told = format!("{family} {path} {format:?}");
            assert!(with_threads(2, || world.alone()) == expected, "{told}: threads matter");
            for threads in [1, 2] {
                let told = format!("{told} {threads} threads");
                with_threads(threads, || world.in_batches(&expected, threads as u64, &told));
            }
        })
        .unwrap();
    }
}
