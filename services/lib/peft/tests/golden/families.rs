//! A model of each family against transformers: every number here was written by `tests/golden/make_families.py`.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use rootstock_model::{Adapter, Config, Decoder, save_tensors};
use serde::Deserialize;

use crate::{
    Outcome, Step,
    compare::Comparison,
    token_by_token,
    values::{Rows, Training, decoder, dir, lora, tensors},
};

const FAMILIES: [&str; 5] = ["llama", "mistral", "qwen2", "qwen3", "smollm3"];
/// Each adapter and its base.
pub(crate) const ADAPTERS: [(&str, &str); 3] =
    [("mistral_lora", "mistral"), ("qwen2_lora", "qwen2"), ("qwen3_lora", "qwen3")];

/// `families.json`.
#[derive(Deserialize)]
pub(crate) struct Values {
    pub(crate) ids: Vec<u32>,
    pub(crate) batch: Rows,
    loss: BTreeMap<String, f64>,
    pub(crate) training: BTreeMap<String, Training>,
}

impl Values {
    pub(crate) fn read() -> Outcome<Self> {
        Ok(serde_json::from_slice(&std::fs::read(dir("families.json"))?)?)
    }
}

pub(crate) fn family(name: &str) -> Outcome<Decoder> {
    decoder(&format!("families/{name}"), DType::F32)
}

/// The gradients of one model or adapter.
pub(crate) fn gradients(all: &HashMap<String, Tensor>, name: &str) -> HashMap<String, Tensor> {
    let own = |(key, tensor): (&String, &Tensor)| {
        Some((key.strip_prefix(&format!("{name}.gradients."))?.to_owned(), tensor.clone()))
    };
    all.iter().filter_map(own).collect()
}

#[test]
fn logits_of_every_family_agree_whole_and_token_by_token() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("families.safetensors")?);
    let mut comparison = Comparison::new("families");
    let mut compare = |name: &str, decoder: &Decoder, adapter: Option<&dyn Adapter>| -> Outcome {
        let expected = &expected[&format!("{name}.logits")];
        comparison.tensor(name, &decoder.forward_all(&values.ids, adapter)?, expected)?;
        let cached = token_by_token(decoder, &values.ids, adapter)?;
        comparison.tensor(&format!("{name}, cached"), &cached, expected)
    };
    for name in FAMILIES {
        compare(name, &family(name)?, None)?;
    }
    for (name, base) in ADAPTERS {
        let decoder = family(base)?;
        compare(name, &decoder, Some(&lora(&format!("families/{name}"), &decoder)?))?;
    }
    comparison.finish()
}

#[test]
fn loss_and_gradient_of_every_weight_of_every_family_agree() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("families.safetensors")?);
    let mut comparison = Comparison::new("gradients of families");
    let mut compare = |name: &str, step: &Step<'_>| -> Outcome {
        let (loss, found) = step.run(&values.batch.batch())?;
        comparison.number(&format!("loss of {name}"), loss, values.loss[name]);
        comparison.tensors(name, &found.0, &gradients(&expected, name))
    };
    for name in FAMILIES {
        let mut decoder = family(name)?;
        let parameters = decoder.set_trainable(None)?;
        compare(name, &Step { decoder: &decoder, adapter: None, parameters })?;
    }
    for (name, base) in ADAPTERS {
        let decoder = family(base)?;
        let adapter = lora(&format!("families/{name}"), &decoder)?.into_trainable()?;
        let parameters = adapter.parameters();
        compare(name, &Step { decoder: &decoder, adapter: Some(&adapter), parameters })?;
    }
    comparison.finish()
}

#[test]
fn what_is_written_of_a_family_is_the_same_model_again() -> Outcome {
    let values = Values::read()?;
    let folder = tempfile::tempdir()?;
    for name in FAMILIES {
        let (decoder, file) = (family(name)?, folder.path().join(name));
        save_tensors(&file, &decoder.named_tensors()?, &BTreeMap::new())?;
        let config = Config::from_json(decoder.config().to_json().as_bytes())?;
        assert_eq!(&config, decoder.config(), "{name}");
        let again = Decoder::load(config, &[file], DType::F32, &Device::Cpu)?;
        let rows = |decoder: &Decoder| -> Outcome<Vec<Vec<f32>>> {
            Ok(decoder.forward_all(&values.ids, None)?.to_vec2()?)
        };
        assert_eq!(rows(&again)?, rows(&decoder)?, "{name}");
    }
    Ok(())
}
