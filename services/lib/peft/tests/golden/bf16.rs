//! Products in bf16 and f16 against transformers in f32: no further from it than twice torch's own.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use candle_core::{DType, Tensor};
use rootstock_model::{Adapter, Format};
use serde::Deserialize;

use crate::{
    Outcome, Step, token_by_token,
    values::{Values, decoder, dir, lora, tensors},
};

/// How much further from the f32 value than torch's own.
const FACTOR: f64 = 2.0;

/// Relative errors of torch in bf16 or f16, from `bf16.json` or `f16.json`.
#[derive(Deserialize)]
pub(crate) struct Errors {
    pub(crate) logits: f64,
    loss: f64,
    gradients: BTreeMap<String, f64>,
}

pub(crate) fn torch_errors(format: Format) -> Outcome<HashMap<String, Errors>> {
    Ok(serde_json::from_slice(&fs::read(dir(&format!("{}.json", format.name())))?)?)
}

/// The worst error found, as a share of torch's.
#[derive(Default)]
struct Worst {
    comparisons: usize,
    share: f64,
    name: String,
}

impl Worst {
    fn record(&mut self, name: &str, error: f64, torch: f64) {
        self.comparisons += 1;
        if error / torch > self.share {
            (self.share, self.name) = (error / torch, name.to_owned());
        }
        assert!(error <= FACTOR * torch, "{name}: relative error {error:e}, torch has {torch:e}");
    }
}

/// The Euclidean norm of the difference over that of the expected value.
pub(crate) fn error(found: &Tensor, expected: &Tensor) -> Outcome<f64> {
    let numbers = |t: &Tensor| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (found, expected) = (numbers(found)?, numbers(expected)?);
    let difference: f64 = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
    Ok((difference / expected.iter().map(|v| v * v).sum::<f64>()).sqrt())
}

#[test]
fn bf16_and_f16_are_no_further_from_f32_than_twice_torchs_own() -> Outcome {
    compare(Format::Bf16)?;
    compare(Format::F16)
}

fn compare(format: Format) -> Outcome {
    let values = Values::read()?;
    let torch = torch_errors(format)?;
    let expected = tensors("logits.safetensors")?;
    let mut worst = Worst::default();
    for (name, model, logits, ids) in [
        ("tied", "tied", "tied", &values.ids),
        ("untied", "untied", "untied.bf16", &values.long_ids),
        ("lora", "tied", "tied.lora", &values.ids),
        ("rslora", "tied", "tied.rslora", &values.ids),
    ] {
        // What is expected of it is computed of weights that were rounded to bf16.
        if (model, format) == ("untied", Format::F16) {
            continue;
        }
        let (mut decoder, torch) = (decoder(model, format)?, &torch[name]);
        let adapter = if model == name { None } else { Some(lora(name, &decoder)?.into_trainable()?) };
        let parameters = match &adapter {
            Some(adapter) => adapter.parameters(),
            None => decoder.set_trainable(None)?,
        };
        let adapter = adapter.as_ref().map(|adapter| adapter as &dyn Adapter);
        let found = [decoder.forward_all(ids, adapter)?, token_by_token(&decoder, ids, adapter)?];
        for found in found {
            worst.record(&format!("logits of {name}"), error(&found, &expected[logits])?, torch.logits);
        }
        let Some(loss) = values.loss.get(name).filter(|_| name != "untied") else { continue };
        let step = Step { decoder: &decoder, adapter, parameters };
        let (found, gradients) = step.run(&values.lora_batches[0].batch())?;
        worst.record(&format!("loss of {name}"), (found - loss).abs() / loss, torch.loss);
        let expected = tensors(&format!("gradients.{name}.safetensors"))?;
        for (tensor, gradient) in &gradients.0 {
            worst.record(tensor, error(&gradient.dense()?, &expected[tensor])?, torch.gradients[tensor]);
        }
    }
    let Worst { comparisons, share, name } = worst;
    println!(
        "golden: {}: {comparisons} comparisons, worst {share:.2} of torch's own error ({name})",
        format.name()
    );
    Ok(())
}
