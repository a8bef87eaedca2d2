//! The decoder and its adapters against transformers and PEFT: every number here was written by `tests/golden/make.py`.

use std::{collections::BTreeMap, error::Error, path::PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::{AdamW, AdamWOptions, StepRates};
use rootstock_model::{
    Adapter, Batch, Decoder, DropoutKey, Gradients, KvCache, evaluate, forward_backward, save_tensors,
};
use rootstock_peft::{LoraAdapter, merge};

use crate::{
    compare::Comparison,
    values::{Training, Values, decoder, dir, lora, tensors},
};

#[path = "golden/bert.rs"]
mod bert;
#[path = "golden/bf16.rs"]
mod bf16;
#[path = "golden/bias.rs"]
mod bias;
#[path = "golden/bottleneck.rs"]
mod bottleneck;
#[path = "golden/compare.rs"]
mod compare;
#[path = "golden/families.rs"]
mod families;
#[path = "golden/infilling.rs"]
mod infilling;
#[path = "golden/int8.rs"]
mod int8;
#[path = "golden/kinds.rs"]
mod kinds;
#[path = "golden/soft.rs"]
mod soft;
#[path = "golden/table.rs"]
mod table;
#[path = "golden/training.rs"]
mod training;
#[path = "golden/values.rs"]
mod values;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[test]
fn logits_of_the_base_agree() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("logits.safetensors")?);
    let mut comparison = Comparison::new("base logits");
    let cases =
        [("tied", DType::F32, "tied", &values.ids), ("untied", DType::F32, "untied", &values.long_ids)];
    for (model, dtype, name, ids) in cases {
        let decoder = decoder(model, dtype)?;
        comparison.tensor(name, &decoder.forward_all(ids, None)?, &expected[name])?;
        comparison.tensor(
            &format!("{name}, cached"),
            &token_by_token(&decoder, ids, None)?,
            &expected[name],
        )?;
    }
    comparison.finish()
}

#[test]
fn logits_with_an_adapter_agree() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("logits.safetensors")?);
    let mut comparison = Comparison::new("adapter logits");
    let decoder = decoder("tied", DType::F32)?;
    for adapter in ["lora", "rslora"] {
        let name = format!("tied.{adapter}");
        let adapter = lora(adapter, &decoder)?;
        let logits = decoder.forward_all(&values.ids, Some(&adapter))?;
        comparison.tensor(&name, &logits, &expected[&name])?;
        let logits = token_by_token(&decoder, &values.ids, Some(&adapter))?;
        comparison.tensor(&format!("{name}, cached"), &logits, &expected[&name])?;
        let trainable = adapter.into_trainable()?;
        let logits = decoder.forward_all(&values.ids, Some(&trainable))?;
        comparison.tensor(&format!("{name}, trainable"), &logits, &expected[&name])?;
    }
    comparison.finish()
}

#[test]
fn a_merged_base_has_the_logits_of_base_and_adapter() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("logits.safetensors")?);
    let mut comparison = Comparison::new("merged logits");
    let decoder = decoder("tied", DType::F32)?;
    let folder = tempfile::tempdir()?;
    for name in ["lora", "rslora"] {
        let file = folder.path().join(format!("{name}.safetensors"));
        save_tensors(&file, &merge(&decoder, &lora(name, &decoder)?)?, &BTreeMap::new())?;
        let merged = Decoder::load(decoder.config().clone(), &[file], DType::F32, &Device::Cpu)?;
        comparison.tensor(
            name,
            &merged.forward_all(&values.ids, None)?,
            &expected[&format!("tied.{name}")],
        )?;
    }
    comparison.finish()
}

#[test]
fn loss_and_gradient_of_every_lora_tensor_agree() -> Outcome {
    let values = Values::read()?;
    let mut comparison = Comparison::new("adapter gradients");
    let decoder = decoder("tied", DType::F32)?;
    let batch = values.lora_batches[0].batch();
    let base = evaluate(&decoder, None, &batch)?;
    comparison.number("loss of the base", base.sum / base.tokens as f64, values.base_loss);
    for name in ["lora", "rslora"] {
        let adapter = lora(name, &decoder)?.into_trainable()?;
        let step = Step { decoder: &decoder, adapter: Some(&adapter), parameters: adapter.parameters() };
        step.compare(&mut comparison, name, &batch, values.loss[name])?;
    }
    comparison.finish()
}

#[test]
fn loss_and_gradient_of_every_weight_agree() -> Outcome {
    let values = Values::read()?;
    let mut comparison = Comparison::new("full gradients");
    for (name, batches) in [("tied", &values.lora_batches), ("untied", &values.full_batches)] {
        let mut decoder = decoder(name, DType::F32)?;
        let parameters = decoder.set_trainable(None)?;
        let step = Step { decoder: &decoder, adapter: None, parameters };
        step.compare(&mut comparison, name, &batches[0].batch(), values.loss[name])?;
    }
    comparison.finish()
}

#[test]
fn ten_optimizer_steps_agree() -> Outcome {
    let values = Values::read()?;
    let mut comparison = Comparison::new("ten steps");
    let base = decoder("tied", DType::F32)?;
    let adapter = lora("lora", &base)?.into_trainable()?;
    let step = Step { decoder: &base, adapter: Some(&adapter), parameters: adapter.parameters() };
    train(&step, &values, &values.lora_batches, (&values.train_lora, "lora"), &mut comparison)?;
    for (name, batches, training) in [
        ("tied", &values.lora_batches, &values.train_tied),
        ("untied", &values.full_batches, &values.train_untied),
    ] {
        let mut decoder = decoder(name, DType::F32)?;
        let parameters = decoder.set_trainable(None)?;
        let step = Step { decoder: &decoder, adapter: None, parameters };
        train(&step, &values, batches, (training, name), &mut comparison)?;
    }
    comparison.finish()
}

#[test]
fn greedy_tokens_are_equal() -> Outcome {
    let values = Values::read()?;
    let (tied, untied) = (decoder("tied", DType::F32)?, decoder("untied", DType::F32)?);
    let (lora, rslora) = (lora("lora", &tied)?, lora("rslora", &tied)?);
    let mut tokens = 0;
    let mut compare = |name: &str, decoder, prompt: &[u32], adapter: Option<&dyn Adapter>| -> Outcome {
        let expected = &values.greedy[name];
        assert_eq!(&greedy(decoder, prompt, adapter, expected.len())?, expected, "{name}");
        tokens += expected.len();
        Ok(())
    };
    compare("tied", &tied, &values.ids, None)?;
    compare("lora", &tied, &values.ids, Some(&lora))?;
    compare("rslora", &tied, &values.ids, Some(&rslora))?;
    compare("untied", &untied, &values.long_ids[..16], None)?;
    println!("golden: greedy tokens: {tokens} comparisons, all equal");
    Ok(())
}

#[test]
fn an_adapter_from_peft_is_written_back_with_identical_bits() -> Outcome {
    let folder = tempfile::tempdir()?;
    let decoder = decoder("tied", DType::F32)?;
    for (name, stored) in [("lora", DType::F32), ("rslora", DType::BF16)] {
        let load = |from: PathBuf| LoraAdapter::load(&from, &decoder, stored, &Device::Cpu);
        let original = load(dir(name))?;
        let copy = folder.path().join(name);
        original.save(&copy)?;
        let loaded = load(copy.clone())?;
        assert_eq!(loaded.config(), original.config());
        assert_eq!(loaded.weights_bytes()?, original.weights_bytes()?);
        let bits = |file: PathBuf| -> Outcome<Vec<(String, Vec<u8>)>> {
            let bytes = std::fs::read(file)?;
            let file = safetensors::SafeTensors::deserialize(&bytes)?;
            let mut bits: Vec<_> =
                file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
            bits.sort();
            Ok(bits)
        };
        let file = rootstock_peft::WEIGHTS_FILE;
        assert_eq!(bits(copy.join(file))?, bits(dir(name).join(file))?);
    }
    Ok(())
}

/// What is trained, and on what.
struct Step<'a> {
    decoder: &'a Decoder,
    adapter: Option<&'a dyn Adapter>,
    parameters: Vec<(String, Var)>,
}

impl Step<'_> {
    /// The mean loss over the counted tokens and its gradients.
    fn run(&self, batch: &Batch) -> Outcome<(f64, Gradients)> {
        let tokens = evaluate(self.decoder, self.adapter, batch)?.tokens as f64;
        let (loss, gradients) = self.backward(batch, tokens)?;
        Ok((loss / tokens, gradients))
    }

    fn backward(&self, batch: &Batch, denominator: f64) -> Outcome<(f64, Gradients)> {
        let (parameters, dropout) = (&self.parameters, DropoutKey::default());
        let (loss, gradients) =
            forward_backward(self.decoder, self.adapter, parameters, batch, denominator, dropout)?;
        Ok((loss.sum, gradients))
    }

    /// Compares loss and gradients, of the batch as a whole and accumulated row by row.
    fn compare(&self, comparison: &mut Comparison, name: &str, batch: &Batch, loss: f64) -> Outcome {
        let expected = tensors(&format!("gradients.{name}.safetensors"))?;
        let (actual, gradients) = self.run(batch)?;
        comparison.number(&format!("loss of {name}"), actual, loss);
        let evaluated = evaluate(self.decoder, self.adapter, batch)?;
        comparison.number(
            &format!("evaluated loss of {name}"),
            evaluated.sum / evaluated.tokens as f64,
            loss,
        );
        comparison.tensors(name, &gradients.0, &expected)?;

        let mut rows = Gradients::default();
        for row in 0..batch.rows {
            rows.accumulate(self.backward(&row_of(batch, row), evaluated.tokens as f64)?.1)?;
        }
        comparison.tensors(&format!("{name}, row by row"), &rows.0, &expected)
    }
}

fn row_of(batch: &Batch, row: usize) -> Batch {
    let range = row * batch.seq_len..(row + 1) * batch.seq_len;
    let (input_ids, labels) = (batch.input_ids[range.clone()].to_vec(), batch.labels[range].to_vec());
    Batch { rows: 1, seq_len: batch.seq_len, input_ids, labels }
}

/// Losses, gradient norms, and the norm of each parameter in the end.
fn train(
    step: &Step<'_>,
    values: &Values,
    batches: &[values::Rows],
    (training, name): (&Training, &str),
    comparison: &mut Comparison,
) -> Outcome {
    let settings = &values.optimizer;
    let mut optimizer =
        AdamW::new(AdamWOptions { beta1: settings.beta1, beta2: settings.beta2, eps: settings.eps });
    let rates = |name: &str| {
        let vector = ["norm", "magnitude"].iter().any(|word| name.contains(word));
        let weight_decay = if vector { 0.0 } else { settings.weight_decay };
        StepRates { lr: training.lr, weight_decay }
    };
    for index in 0..settings.steps {
        let (loss, mut gradients) = step.run(&batches[index % batches.len()].batch())?;
        let norm = gradients.clip(settings.clip_norm)?;
        comparison.number(&format!("{name}: loss at step {index}"), loss, training.losses[index]);
        comparison.number(&format!("{name}: norm at step {index}"), norm, training.gradient_norms[index]);
        optimizer.step(&step.parameters, &gradients.0, rates)?;
    }
    assert_eq!(training.parameter_norms.len(), step.parameters.len(), "{name}");
    for (parameter, variable) in &step.parameters {
        let norm = f64::from(variable.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?);
        comparison.number(&format!("{name}: norm of {parameter}"), norm, training.parameter_norms[parameter]);
    }
    Ok(())
}

/// The logits of every position, each computed from the cache and one new token; the first three come together.
fn token_by_token(decoder: &Decoder, ids: &[u32], adapter: Option<&dyn Adapter>) -> Outcome<Tensor> {
    const FIRST: usize = 3;
    let mut logits = Vec::new();
    let begun = adapter.map_or(Ok(None), |adapter| decoder.begin(adapter, &mut || ()))?;
    let new = || match &begun {
        Some(begun) => Ok(begun.fork(begun.len() + ids.len())),
        None => KvCache::new(decoder.config(), decoder.format(), ids.len(), &Device::Cpu),
    };
    for last in 0..FIRST - 1 {
        logits.push(decoder.forward(&ids[..=last], &mut new()?, adapter)?);
    }
    let mut cache = new()?;
    logits.push(decoder.forward(&ids[..FIRST], &mut cache, adapter)?);
    for id in &ids[FIRST..] {
        logits.push(decoder.forward(&[*id], &mut cache, adapter)?);
    }
    Ok(Tensor::stack(&logits, 0)?)
}

fn greedy(
    decoder: &Decoder,
    prompt: &[u32],
    adapter: Option<&dyn Adapter>,
    tokens: usize,
) -> Outcome<Vec<u32>> {
    let mut cache = KvCache::new(decoder.config(), decoder.format(), prompt.len() + tokens, &Device::Cpu)?;
    let mut logits = decoder.forward(prompt, &mut cache, adapter)?;
    let mut generated = Vec::new();
    loop {
        let token = logits.argmax(0)?.to_scalar::<u32>()?;
        generated.push(token);
        if generated.len() == tokens {
            return Ok(generated);
        }
        logits = decoder.forward(&[token], &mut cache, adapter)?;
    }
}
