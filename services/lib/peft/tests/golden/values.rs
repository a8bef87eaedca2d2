//! The files that `tests/golden/make.py` wrote, as types.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use rootstock_model::{Batch, Config, Decoder, Format};
use rootstock_peft::{AdapterConfig, AnyAdapter, CONFIG_FILE, LoraAdapter};
use serde::Deserialize;

use crate::Outcome;

/// `values.json`.
#[derive(Deserialize)]
pub(crate) struct Values {
    pub(crate) ids: Vec<u32>,
    pub(crate) long_ids: Vec<u32>,
    pub(crate) lora_batches: Vec<Rows>,
    pub(crate) full_batches: Vec<Rows>,
    pub(crate) base_loss: f64,
    pub(crate) loss: BTreeMap<String, f64>,
    pub(crate) optimizer: Optimizer,
    pub(crate) train_lora: Training,
    pub(crate) train_tied: Training,
    pub(crate) train_untied: Training,
    pub(crate) greedy: BTreeMap<String, Vec<u32>>,
}

#[derive(Deserialize)]
pub(crate) struct Optimizer {
    pub(crate) steps: usize,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    pub(crate) weight_decay: f64,
    pub(crate) clip_norm: f64,
}

/// What ten steps did.
#[derive(Deserialize)]
pub(crate) struct Training {
    pub(crate) lr: f64,
    pub(crate) losses: Vec<f64>,
    pub(crate) gradient_norms: Vec<f64>,
    pub(crate) parameter_norms: BTreeMap<String, f64>,
}

/// A batch, row by row.
#[derive(Deserialize)]
pub(crate) struct Rows {
    input_ids: Vec<Vec<u32>>,
    labels: Vec<Vec<i64>>,
}

impl Rows {
    pub(crate) fn batch(&self) -> Batch {
        Batch {
            rows: self.input_ids.len(),
            seq_len: self.input_ids[0].len(),
            input_ids: self.input_ids.concat(),
            labels: self.labels.concat(),
        }
    }
}

impl Values {
    pub(crate) fn read() -> Outcome<Self> {
        Ok(serde_json::from_slice(&fs::read(dir("values.json"))?)?)
    }
}

/// A file or directory beside `make.py`.
pub(crate) fn dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden").join(name)
}

pub(crate) fn tensors(file: &str) -> Outcome<HashMap<String, Tensor>> {
    Ok(candle_core::safetensors::load(dir(file), &Device::Cpu)?)
}

pub(crate) fn decoder(name: &str, format: impl Into<Format>) -> Outcome<Decoder> {
    let config = Config::from_json(&fs::read(dir(name).join("config.json"))?)?;
    let mut shards = Vec::new();
    for entry in fs::read_dir(dir(name))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            shards.push(path);
        }
    }
    Ok(Decoder::load(config, &shards, format, &Device::Cpu)?)
}

pub(crate) fn adapter(name: &str, decoder: &Decoder) -> Outcome<AnyAdapter> {
    let config = dir(name).join(CONFIG_FILE);
    let weights = dir(name).join(AdapterConfig::from_json(&fs::read(&config)?)?.weights_file());
    Ok(AnyAdapter::load_files(&config, &weights, decoder, DType::F32, &Device::Cpu)?)
}

pub(crate) fn lora(name: &str, decoder: &Decoder) -> Outcome<LoraAdapter> {
    Ok(LoraAdapter::load(&dir(name), decoder, DType::F32, &Device::Cpu)?)
}
