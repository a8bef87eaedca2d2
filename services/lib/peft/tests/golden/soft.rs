//! Virtual tokens against PEFT: every number here was written by `tests/golden/make_soft.py`.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use candle_core::{DType, Device, Tensor};
use rootstock_kernels::{AdamW, AdamWOptions, StepRates};
use rootstock_model::{Adapter, Batch, Decoder, DropoutKey, Gradients, evaluate, forward_backward};
use rootstock_peft::{
    AdapterConfig, AnyAdapter, CONFIG_FILE, VirtualTokens, VirtualTokensConfig, WEIGHTS_FILE,
};
use serde::Deserialize;

use crate::{
    Outcome,
    compare::Comparison,
    token_by_token,
    values::{Training, Values, adapter, decoder, dir, tensors},
};

const ADAPTERS: [&str; 3] = ["prompt", "prefix", "projected"];

/// What training an adapter led to.
#[derive(Deserialize)]
pub(crate) struct Found {
    parameters: usize,
    loss: f64,
    pub(crate) training: Training,
}

pub(crate) fn found(file: &str) -> Outcome<BTreeMap<String, Found>> {
    Ok(serde_json::from_slice(&fs::read(dir(file))?)?)
}

impl Found {
    /// Compares the number of what is trained, the loss, gradients by name, and ten steps.
    pub(crate) fn compare(
        &self,
        name: &str,
        (decoder, adapter): (&Decoder, &AnyAdapter),
        expected: &HashMap<String, Tensor>,
        comparison: &mut Comparison,
    ) -> Outcome {
        let Self { parameters, loss, training } = self;
        let (values, trained) = (Values::read()?, adapter.parameters());
        assert_eq!(trained.iter().map(|(_, variable)| variable.elem_count()).sum::<usize>(), *parameters);
        let (found, gradients) = step(decoder, adapter, &values.lora_batches[0].batch())?;
        comparison.number(&format!("{name}: loss"), found, *loss);
        let of = |key: &String| key.strip_prefix(&format!("{name}.gradient.")).map(str::to_owned);
        let named = expected.iter().filter_map(|(key, tensor)| Some((of(key)?, tensor.clone())));
        comparison.tensors(name, &gradients.0, &named.collect())?;

        let settings = &values.optimizer;
        let options = AdamWOptions { beta1: settings.beta1, beta2: settings.beta2, eps: settings.eps };
        let mut optimizer = AdamW::new(options);
        let rates = |name: &str| {
            let weight_decay = if name.ends_with("bias") { 0.0 } else { settings.weight_decay };
            StepRates { lr: training.lr, weight_decay }
        };
        for index in 0..settings.steps {
            let batch = values.lora_batches[index % values.lora_batches.len()].batch();
            let (loss, mut gradients) = step(decoder, adapter, &batch)?;
            let norm = gradients.clip(settings.clip_norm)?;
            comparison.number(&format!("{name}: loss at step {index}"), loss, training.losses[index]);
            comparison.number(&format!("{name}: norm at step {index}"), norm, training.gradient_norms[index]);
            optimizer.step(&trained, &gradients.0, rates)?;
        }
        for (parameter, variable) in &trained {
            let norm = f64::from(variable.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?);
            let expected = training.parameter_norms[parameter];
            comparison.number(&format!("{name}: norm of {parameter}"), norm, expected);
        }
        Ok(())
    }
}

fn config(name: &str) -> Outcome<VirtualTokensConfig> {
    match AdapterConfig::from_json(&fs::read(dir(&format!("soft/{name}")).join(CONFIG_FILE))?)? {
        AdapterConfig::VirtualTokens(config) => Ok(config),
        other => Err(format!("{other:?}").into()),
    }
}

/// What training begins with: the tensor of the file, or what the projection was begun with.
pub(crate) fn trainable(
    name: &str,
    decoder: &Decoder,
    tensors: &HashMap<String, Tensor>,
) -> Outcome<AnyAdapter> {
    let adapter = VirtualTokens::init(&config(name)?, decoder, &[], 1, &Device::Cpu)?;
    let file = candle_core::safetensors::load(dir(&format!("soft/{name}")).join(WEIGHTS_FILE), &Device::Cpu)?;
    for (parameter, variable) in adapter.parameters() {
        let start = tensors.get(&format!("{name}.start.{parameter}"));
        variable.set(start.or(file.get(&parameter)).ok_or(parameter)?)?;
    }
    adapter.refresh()?;
    Ok(adapter.into())
}

/// The mean loss of a batch and the gradients of what is trained.
pub(crate) fn step(decoder: &Decoder, adapter: &AnyAdapter, batch: &Batch) -> Outcome<(f64, Gradients)> {
    adapter.refresh()?;
    let tokens = evaluate(decoder, Some(adapter), batch)?.tokens as f64;
    let (variables, key) = (adapter.differentiated(), DropoutKey::default());
    let (loss, gradients) = forward_backward(decoder, Some(adapter), &variables, batch, tokens, key)?;
    Ok((loss.sum / tokens, adapter.pull_back(gradients)?))
}

#[test]
fn logits_after_virtual_tokens_agree_whole_and_token_by_token() -> Outcome {
    let (values, expected, decoder) =
        (Values::read()?, tensors("soft.safetensors")?, decoder("tied", DType::F32)?);
    let mut comparison = Comparison::new("logits after virtual tokens");
    for name in ADAPTERS {
        let loaded = adapter(&format!("soft/{name}"), &decoder)?;
        let trained = trainable(name, &decoder, &expected)?;
        for (how, adapter) in [("loaded", &loaded), ("trainable", &trained), ("frozen", &trained.frozen())] {
            let adapter: Option<&dyn Adapter> = Some(adapter);
            let whole = decoder.forward_all(&values.ids, adapter)?;
            comparison.tensor(&format!("{name}, {how}"), &whole, &expected[name])?;
            let cached = token_by_token(&decoder, &values.ids, adapter)?;
            comparison.tensor(&format!("{name}, {how}, cached"), &cached, &expected[name])?;
        }
    }
    comparison.finish()
}

#[test]
fn loss_gradients_and_ten_steps_of_virtual_tokens_agree() -> Outcome {
    let (expected, decoder) = (tensors("soft.safetensors")?, decoder("tied", DType::F32)?);
    let mut comparison = Comparison::new("training of virtual tokens");
    for (name, found) in found("soft.json")? {
        found.compare(
            &name,
            (&decoder, &trainable(&name, &decoder, &expected)?),
            &expected,
            &mut comparison,
        )?;
    }
    comparison.finish()
}

#[test]
fn what_is_trained_is_saved_as_peft_saves_it() -> Outcome {
    let (expected, decoder) = (tensors("soft.safetensors")?, decoder("tied", DType::F32)?);
    for name in ADAPTERS {
        let folder = tempfile::tempdir()?;
        trainable(name, &decoder, &expected)?.save(folder.path())?;
        let read = |file: std::path::PathBuf| -> Outcome<serde_json::Value> {
            Ok(serde_json::from_slice(&fs::read(file)?)?)
        };
        let (written, of_peft) =
            (read(folder.path().join(CONFIG_FILE))?, read(dir(&format!("soft/{name}")).join(CONFIG_FILE))?);
        for (field, value) in of_peft.as_object().ok_or("no object")? {
            assert_eq!(&written[field], value, "{name}: {field}");
        }
        let load = |file| candle_core::safetensors::load(file, &Device::Cpu);
        let (written, of_peft) =
            (load(folder.path().join(WEIGHTS_FILE))?, load(dir(&format!("soft/{name}")).join(WEIGHTS_FILE))?);
        let mut comparison = Comparison::new("saved virtual tokens");
        comparison.tensor(name, &written["prompt_embeddings"], &of_peft["prompt_embeddings"])?;
    }
    Ok(())
}
