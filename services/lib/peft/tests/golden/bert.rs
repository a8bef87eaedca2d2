//! Two BERTs against transformers: every number here was written by `tests/golden/make_bert.py`.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use rootstock_kernels::Gradient;
use rootstock_model::{DropoutKey, Encoder, EncoderBatch, EncoderConfig, EncoderRow};
use serde::Deserialize;

use crate::{
    Outcome,
    compare::Comparison,
    families::gradients,
    values::{Training, dir, tensors},
};

/// `bert.json`.
#[derive(Deserialize)]
pub(crate) struct Values {
    ids: Vec<Vec<u32>>,
    types: Vec<Vec<u32>>,
    labels: Labels,
    loss: BTreeMap<String, f64>,
    pub(crate) training: BTreeMap<String, Training>,
}

#[derive(Deserialize)]
struct Labels {
    masked_lm: Vec<Vec<i64>>,
    classification: Vec<i64>,
}

impl Values {
    pub(crate) fn read() -> Outcome<Self> {
        Ok(serde_json::from_slice(&std::fs::read(dir("bert.json"))?)?)
    }

    /// Each model's name and batch.
    pub(crate) fn batches(&self) -> [(&'static str, EncoderBatch); 2] {
        let row =
            |(ids, types): (&Vec<u32>, &Vec<u32>)| EncoderRow { ids: ids.clone(), types: types.clone() };
        let rows: Vec<EncoderRow> = self.ids.iter().zip(&self.types).map(row).collect();
        [
            ("masked_lm", self.labels.masked_lm.concat()),
            ("classification", self.labels.classification.clone()),
        ]
        .map(|(name, labels)| (name, EncoderBatch { rows: rows.clone(), labels }))
    }
}

pub(crate) fn encoder(name: &str) -> Outcome<Encoder> {
    let folder = dir("bert").join(name);
    let config = EncoderConfig::from_json(&std::fs::read(folder.join("config.json"))?)?;
    Ok(Encoder::load(config, &[folder.join("model.safetensors")], DType::F32, &Device::Cpu)?)
}

#[test]
fn logits_and_losses_of_bert_agree() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("bert.safetensors")?);
    let mut comparison = Comparison::new("bert");
    for (name, batch) in values.batches() {
        let encoder = encoder(name)?;
        comparison.tensor(name, &encoder.logits(&batch.rows)?, &expected[&format!("{name}.logits")])?;
        let loss = encoder.evaluate(&batch)?;
        comparison.number(&format!("loss of {name}"), loss.sum / loss.tokens as f64, values.loss[name]);
    }
    comparison.finish()
}

#[test]
fn loss_and_gradient_of_every_weight_of_bert_agree() -> Outcome {
    let (values, all) = (Values::read()?, tensors("bert.safetensors")?);
    let mut comparison = Comparison::new("gradients of bert");
    for (name, batch) in values.batches() {
        let mut encoder = encoder(name)?;
        let parameters = encoder.set_trainable(None)?;
        let tokens = encoder.evaluate(&batch)?.tokens as f64;
        let (loss, found) = encoder.forward_backward(&parameters, &batch, tokens, DropoutKey::default())?;
        comparison.number(&format!("loss of {name}"), loss.sum / tokens, values.loss[name]);
        let (mut found, mut expected) = (found.0, gradients(&all, name));
        check_key_biases(&mut found, &mut expected)?;
        comparison.tensors(name, &found, &expected)?;
    }
    comparison.finish()
}

/// A bias of keys moves all scores of a query alike, and so changes nothing: what both sides have of its gradient is rounding.
fn check_key_biases(
    found: &mut BTreeMap<String, Gradient>,
    expected: &mut HashMap<String, Tensor>,
) -> Outcome {
    let names: Vec<String> = found.keys().filter(|name| name.ends_with(".key.bias")).cloned().collect();
    assert_eq!(names.len(), 2);
    let largest = |tensor: &Tensor| -> Outcome<f32> { Ok(tensor.abs()?.flatten_all()?.max(0)?.to_scalar()?) };
    for name in names {
        let weight = largest(&expected[&name.replace(".bias", ".weight")])?;
        let here = found.remove(&name).map(|gradient| gradient.dense()).transpose()?;
        for gradient in [here, expected.remove(&name)] {
            let noise = largest(&gradient.ok_or("a gradient of that name")?)?;
            assert!(noise < 1e-5 * weight, "{name}: {noise} beside {weight}");
        }
    }
    Ok(())
}
