//! Measures training speed on a 3.2M-parameter model: `cargo run -p rootstock-model --example train_speed [steps]`.

use std::{error::Error, time::Instant};

use candle_core::{Device, Tensor, Var};
use rootstock_kernels::{AdamW, AdamWOptions, Random, StepRates};
use rootstock_model::{
    Adapter, Batch, Config, Decoder, DropoutKey, KvCache, LoraPair, Projection, forward_backward,
};

const SHAPE: &str = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 4096,
    "hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 6, "num_attention_heads": 6,
    "num_key_value_heads": 3, "tie_word_embeddings": true}"#;
const ROWS: usize = 16;
const SEQ_LEN: usize = 128;
const RANK: usize = 32;
const DECODED: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let steps = std::env::args().nth(1).map_or(Ok(20), |steps| steps.parse())?;
    if std::env::var_os("PLAIN_ALLOCATOR").is_none() {
        rootstock_kernels::keep_freed_memory();
    }
    let config = Config::from_json(SHAPE.as_bytes())?;
    let device = Device::Cpu;

    let mut decoder = Decoder::init(config.clone(), 0, &device)?;
    let parameters = decoder.set_trainable(None)?;
    measure("full", &decoder, None, &parameters, steps)?;

    let decoder = Decoder::init(config.clone(), 0, &device)?;
    for dropout in [0.0, 0.1] {
        let adapter = Pairs::new(&config, dropout)?;
        let name = format!("lora rank {RANK} dropout {dropout}");
        measure(&name, &decoder, Some(&adapter), &adapter.parameters, steps)?;
    }
    decode(&decoder)
}

fn measure(
    name: &str,
    decoder: &Decoder,
    adapter: Option<&dyn Adapter>,
    parameters: &[(String, Var)],
    steps: u64,
) -> Result<(), Box<dyn Error>> {
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let random = Random::new(1, 1);
    let input_ids: Vec<u32> = (0..ROWS * SEQ_LEN).map(|i| random.below(i as u64, 4096) as u32).collect();
    let labels = input_ids.iter().map(|id| i64::from(*id)).collect();
    let batch = Batch { rows: ROWS, seq_len: SEQ_LEN, input_ids, labels };
    let tokens = batch.counted_tokens() as f64;
    let (mut times, mut losses) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let start = Instant::now();
        let key = DropoutKey { seed: 0, step, micro: 0 };
        let (loss, mut gradients) = forward_backward(decoder, adapter, parameters, &batch, tokens, key)?;
        gradients.clip(1.0)?;
        optimizer.step(parameters, &gradients.0, |_| StepRates { lr: 1e-3, weight_decay: 0.01 })?;
        times.push(start.elapsed().as_secs_f64());
        losses.push(loss.sum / tokens);
    }
    times.sort_by(f64::total_cmp);
    let speed = |seconds: f64| (ROWS * SEQ_LEN) as f64 / seconds;
    println!(
        "{name}: {:.0} tokens/s in the median step, {:.0} in the best; loss {:.4} -> {:.4}",
        speed(times[times.len() / 2]),
        speed(times[0]),
        losses[0],
        losses[losses.len() - 1]
    );
    Ok(())
}

fn decode(decoder: &Decoder) -> Result<(), Box<dyn Error>> {
    let mut cache = KvCache::new(decoder.config(), 2 * DECODED, &Device::Cpu)?;
    let prompt: Vec<u32> = (0..DECODED as u32).collect();
    let start = Instant::now();
    decoder.forward(&prompt, &mut cache, None)?;
    let prefilled = start.elapsed().as_secs_f64();
    for id in 0..DECODED as u32 {
        decoder.forward(&[id], &mut cache, None)?;
    }
    let decoded = start.elapsed().as_secs_f64() - prefilled;
    let speed = |seconds: f64| DECODED as f64 / seconds;
    println!("prefill {:.0} tokens/s, decode {:.0} tokens/s", speed(prefilled), speed(decoded));
    Ok(())
}

struct Pairs {
    pairs: Vec<LoraPair>,
    parameters: Vec<(String, Var)>,
}

impl Pairs {
    fn new(config: &Config, dropout: f64) -> candle_core::Result<Self> {
        let (mut pairs, mut parameters) = (Vec::new(), Vec::new());
        for layer in 0..config.num_hidden_layers {
            for projection in Projection::ALL {
                let (outputs, inputs) = projection.shape(config);
                let path = projection.module_path(layer);
                let a = Random::named(2, &path).normal_tensor((RANK, inputs), 0.0, 0.05, &Device::Cpu)?;
                let b = Tensor::zeros((outputs, RANK), candle_core::DType::F32, &Device::Cpu)?;
                let (a, b) = (Var::from_tensor(&a)?, Var::from_tensor(&b)?);
                let (scale, pair) = (1.0, (a.as_tensor().clone(), b.as_tensor().clone()));
                pairs.push(LoraPair { a: pair.0.into(), b: pair.1.into(), scale, dropout });
                parameters.extend([(format!("{path}.lora_A"), a), (format!("{path}.lora_B"), b)]);
            }
        }
        Ok(Self { pairs, parameters })
    }
}

impl Adapter for Pairs {
    fn lora(&self, layer: usize, projection: Projection) -> Option<&LoraPair> {
        self.pairs.get(layer * Projection::ALL.len() + projection as usize)
    }
}
