//! Training of adapters of other kinds than plain LoRA against PEFT: every number here was written by `tests/golden/make_training.py`.

use std::collections::BTreeMap;

use candle_core::DType;
use rootstock_kernels::Gradient;
use rootstock_model::evaluate;
use serde::Deserialize;

use crate::{
    Outcome, Step,
    compare::Comparison,
    families::gradients,
    kinds::KINDS,
    train,
    values::{Training, Values, decoder, dir, lora, tensors},
};

/// What training an adapter does.
#[derive(Deserialize)]
pub(crate) struct Trained {
    pub(crate) loss: f64,
    pub(crate) training: Training,
}

#[test]
fn loss_gradients_and_ten_steps_of_every_kind_agree() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("training.safetensors")?);
    let trained: BTreeMap<String, Trained> = serde_json::from_slice(&std::fs::read(dir("training.json"))?)?;
    let mut comparison = Comparison::new("training of kinds of adapters");
    for (kind, base) in KINDS {
        let decoder = decoder(base, DType::F32)?;
        let batches = if base == "tied" { &values.lora_batches } else { &values.full_batches };
        let adapter = lora(&format!("kinds/{kind}"), &decoder)?.into_trainable()?;
        let step = Step { decoder: &decoder, adapter: Some(&adapter), parameters: adapter.parameters() };
        let Trained { loss, training } = &trained[kind];

        let (found, mut found_gradients) = step.run(&batches[0].batch())?;
        comparison.number(&format!("loss of {kind}"), found, *loss);
        let evaluated = evaluate(&decoder, Some(&adapter.frozen()), &batches[0].batch())?;
        comparison.number(
            &format!("evaluated loss of {kind}"),
            evaluated.sum / evaluated.tokens as f64,
            *loss,
        );
        for (name, gradient) in &mut found_gradients.0 {
            // In memory an embedding's A is turned over.
            if name.ends_with("lora_embedding_A") {
                *gradient = Gradient::from(gradient.dense()?.t()?.contiguous()?);
            }
        }
        comparison.tensors(kind, &found_gradients.0, &gradients(&expected, kind))?;
        train(&step, &values, batches, (training, kind), &mut comparison)?;
    }
    comparison.finish()
}
