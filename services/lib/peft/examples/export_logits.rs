//! Prints logits as JSON for `tests/golden/check_export.py`: `export_logits BASE_DIR ADAPTER_DIR [SEQUENCES] > logits.json`.

use std::{env, error::Error, fs, path::Path};

use candle_core::{DType, Device};
use rootstock_kernels::Random;
use rootstock_model::{Adapter, Config, Decoder};
use rootstock_peft::LoraAdapter;
use serde_json::json;

/// Tokens of a sequence.
const LENGTH: usize = 24;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [base, adapter, rest @ ..] = arguments.as_slice() else {
        return Err("usage: export_logits BASE_DIR ADAPTER_DIR [SEQUENCES]".into());
    };
    let sequences = rest.first().map_or(Ok(4), |count| count.parse::<u64>())?;
    let decoder = load(Path::new(base))?;
    let adapter = LoraAdapter::load(Path::new(adapter), &decoder, DType::F32, &Device::Cpu)?;

    let vocabulary = decoder.config().vocab_size as u64;
    let sequence = |stream| {
        let random = Random::new(SEED, stream);
        (0..LENGTH as u64).map(|position| random.below(position, vocabulary) as u32).collect()
    };
    let ids: Vec<Vec<u32>> = (0..sequences).map(sequence).collect();
    let logits = |adapter: Option<&dyn Adapter>| -> Result<Vec<Vec<Vec<f32>>>, Box<dyn Error>> {
        ids.iter().map(|ids| Ok(decoder.forward_all(ids, adapter)?.to_vec2()?)).collect()
    };
    println!("{}", json!({ "ids": ids, "base_logits": logits(None)?, "logits": logits(Some(&adapter))? }));
    Ok(())
}

fn load(dir: &Path) -> Result<Decoder, Box<dyn Error>> {
    let config = Config::from_json(&fs::read(dir.join("config.json"))?)?;
    let mut shards = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            shards.push(path);
        }
    }
    Ok(Decoder::load(config, &shards, DType::F32, &Device::Cpu)?)
}
