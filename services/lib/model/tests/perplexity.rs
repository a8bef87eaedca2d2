//! What int8 costs a model that has learnt something: it is trained here, on text of the demo, and asked about other text.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{collections::BTreeMap, path::Path};

use candle_core::Device;
use rootstock_kernels::{AdamW, AdamWOptions, Random, StepRates};
use rootstock_model::{Batch, Config, Decoder, DropoutKey, Format, evaluate, forward_backward, save_tensors};

/// Text in bytes, in rows of so many.
const SEQ_LEN: usize = 96;
const ROWS: usize = 8;
const STEPS: u64 = 120;
/// Nats per byte that the letters' frequencies alone give this text; what has learnt more has learnt what letters follow others.
const FREQUENCIES: f64 = 2.9;
/// By how much int8 may raise the perplexity of bf16.
const MOST: f64 = 1.01;

/// Widths that are no multiples of a group of 64 numbers.
fn config() -> Config {
    let json = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128, "hidden_size": 144,
        "intermediate_size": 400, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
        "tie_word_embeddings": true, "initializer_range": 0.05, "eos_token_id": 0}"#;
    Config::from_json(json).unwrap()
}

fn text(names: &[&str]) -> Vec<u32> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rootstock/corpus/en");
    let read = |name: &&str| std::fs::read_to_string(corpus.join(name)).unwrap();
    names.iter().map(read).flat_map(String::into_bytes).filter(u8::is_ascii).map(u32::from).collect()
}

/// Rows that begin at these places of a text.
fn batch(text: &[u32], starts: impl Iterator<Item = usize>) -> Batch {
    let input_ids: Vec<u32> = starts.flat_map(|start| text[start..start + SEQ_LEN].to_vec()).collect();
    let labels = input_ids.iter().map(|id| i64::from(*id)).collect();
    Batch { rows: input_ids.len() / SEQ_LEN, seq_len: SEQ_LEN, input_ids, labels }
}

fn trained(text: &[u32]) -> Decoder {
    let mut decoder = Decoder::init(config(), 1, &Device::Cpu).unwrap();
    let parameters = decoder.set_trainable(Some(Format::Bf16)).unwrap();
    let (mut optimizer, random) = (AdamW::new(AdamWOptions::default()), Random::new(2, 0));
    for step in 0..STEPS {
        let start = |row| random.below(step * ROWS as u64 + row, (text.len() - SEQ_LEN) as u64) as usize;
        let batch = batch(text, (0..ROWS as u64).map(start));
        let tokens = batch.counted_tokens() as f64;
        let (_, mut gradients) =
            forward_backward(&decoder, None, &parameters, &batch, tokens, DropoutKey::default()).unwrap();
        gradients.clip(1.0).unwrap();
        let rates = StepRates { lr: 4e-3 * (1.0 - step as f64 / STEPS as f64), weight_decay: 0.0 };
        optimizer.step(&parameters, &gradients.0, |_| rates).unwrap();
    }
    decoder
}

#[test]
fn a_trained_model_is_hardly_more_surprised_as_int8_than_as_bf16() {
    let (learnt, other) = (text(&["animals.txt", "garden.txt", "kitchen.txt"]), text(&["weather.txt"]));
    let dir = tempfile::tempdir().unwrap();
    let files = [dir.path().join("model.safetensors")];
    save_tensors(&files[0], &trained(&learnt).named_tensors().unwrap(), &BTreeMap::new()).unwrap();
    let batch = batch(&other, (0..other.len() / SEQ_LEN).map(|row| row * SEQ_LEN));
    let loss = |format: Format| {
        let decoder = Decoder::load(config(), &files, format, &Device::Cpu).unwrap();
        let loss = evaluate(&decoder, None, &batch).unwrap();
        loss.sum / loss.tokens as f64
    };
    let (bf16, int8) = (loss(Format::Bf16), loss(Format::Int8));
    println!("nats per byte: {bf16:.4} as bf16, {int8:.4} as int8");
    assert!(bf16 < FREQUENCIES, "the model has learnt too little to lose any of it: {bf16}");
    assert_ne!(bf16, int8);
    assert!((int8 - bf16).exp() < MOST, "{int8} as int8, {bf16} as bf16");
}
