//! Every method, objective and family that was trained for ten steps here and by its reference (transformers, PEFT, the layers of the
//! `adapters` library), as one table: `cargo test -p rootstock-peft --test golden table -- --nocapture` prints it.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Var};
use rootstock_kernels::{AdamW, AdamWOptions, StepRates};
use rootstock_model::{Batch, Decoder, DropoutKey, Gradients};
use rootstock_peft::AnyAdapter;

use crate::{
    Outcome, Step, bert, bottleneck, families,
    kinds::KINDS,
    soft,
    training::Trained,
    values::{Rows, Training, Values, decoder, dir, lora, tensors},
};

/// Largest relative difference of the tenth step's loss.
const TOLERANCE: f64 = 1e-4;

/// The lines, each of one method on one objective and family.
struct Table {
    values: Values,
    lines: Vec<String>,
}

impl Table {
    /// Trains the variables for ten steps; `step` gives loss and gradients at the step of a number.
    fn row(
        &mut self,
        [method, objective, family]: [&str; 3],
        variables: &[(String, Var)],
        reference: &Training,
        step: impl FnMut(usize) -> Outcome<(f64, Gradients)>,
    ) -> Outcome {
        let trained: usize = variables.iter().map(|(_, variable)| variable.elem_count()).sum();
        let here = self.tenth_loss(variables, reference.lr, step)?;
        let there = *reference.losses.last().ok_or("no loss")?;
        let difference = (here - there).abs() / there;
        let what = format!("{method:<16} {objective:<14} {family:<8}");
        assert!(difference <= TOLERANCE, "{what}: {here} here, {there} in the reference");
        self.lines.push(format!("{what} {trained:>7} {here:>9.6} {there:>9.6}   {difference:.1e}"));
        Ok(())
    }

    fn tenth_loss(
        &self,
        variables: &[(String, Var)],
        lr: f64,
        mut step: impl FnMut(usize) -> Outcome<(f64, Gradients)>,
    ) -> Outcome<f64> {
        let settings = &self.values.optimizer;
        let options = AdamWOptions { beta1: settings.beta1, beta2: settings.beta2, eps: settings.eps };
        let mut optimizer = AdamW::new(options);
        let vectors = variables.iter().filter(|(_, variable)| variable.rank() < 2);
        let vectors: BTreeSet<&str> = vectors.map(|(name, _)| name.as_str()).collect();
        let rates = |name: &str| {
            let weight_decay = if vectors.contains(name) { 0.0 } else { settings.weight_decay };
            StepRates { lr, weight_decay }
        };
        let mut last = f64::NAN;
        for index in 0..settings.steps {
            let (loss, mut gradients) = step(index)?;
            gradients.clip(settings.clip_norm)?;
            optimizer.step(variables, &gradients.0, rates)?;
            last = loss;
        }
        Ok(last)
    }

    fn full(&mut self, model: &str, family: &str, batches: &[Batch], reference: &Training) -> Outcome {
        let mut decoder = decoder(model, DType::F32)?;
        let parameters = decoder.set_trainable(None)?;
        let step = Step { decoder: &decoder, adapter: None, parameters };
        let losses = |index: usize| step.run(&batches[index % batches.len()]);
        self.row(["full", "causal", family], &step.parameters, reference, losses)
    }

    fn adapter(
        &mut self,
        [method, family]: [&str; 2],
        (decoder, adapter): (&Decoder, &AnyAdapter),
        batches: &[Batch],
        reference: &Training,
    ) -> Outcome {
        let losses = |index: usize| soft::step(decoder, adapter, &batches[index % batches.len()]);
        self.row([method, "supervised", family], &adapter.parameters(), reference, losses)
    }

    fn encoders(&mut self) -> Outcome {
        let values = bert::Values::read()?;
        for (objective, batch) in values.batches() {
            let mut encoder = bert::encoder(objective)?;
            let parameters = encoder.set_trainable(None)?;
            let tokens = encoder.evaluate(&batch)?.tokens as f64;
            let losses = |_| {
                let (loss, gradients) =
                    encoder.forward_backward(&parameters, &batch, tokens, DropoutKey::default())?;
                Ok((loss.sum / tokens, gradients))
            };
            self.row(["full", objective, "bert"], &parameters, &values.training[objective], losses)?;
        }
        Ok(())
    }
}

#[test]
fn the_tenth_loss_of_every_method_objective_and_family_is_that_of_the_reference() -> Outcome {
    let values = Values::read()?;
    let batches = |rows: &[Rows]| rows.iter().map(Rows::batch).collect::<Vec<_>>();
    let (short, long) = (batches(&values.lora_batches), batches(&values.full_batches));
    let (tied, untied) = (decoder("tied", DType::F32)?, decoder("untied", DType::F32)?);
    let mut table = Table { values: Values::read()?, lines: Vec::new() };

    table.full("tied", "llama", &short, &values.train_tied)?;
    table.full("untied", "llama", &long, &values.train_untied)?;
    table.encoders()?;

    let trainable = |name: &str, base: &Decoder| -> Outcome<AnyAdapter> {
        Ok(lora(name, base)?.into_trainable()?.into())
    };
    table.adapter(["lora", "llama"], (&tied, &trainable("lora", &tied)?), &short, &values.train_lora)?;
    let of_families = families::Values::read()?;
    for (name, base) in families::ADAPTERS {
        let decoder = families::family(base)?;
        let adapter = trainable(&format!("families/{name}"), &decoder)?;
        let batch = [of_families.batch.batch()];
        table.adapter(["lora", base], (&decoder, &adapter), &batch, &of_families.training[name])?;
    }
    let kinds: BTreeMap<String, Trained> = serde_json::from_slice(&std::fs::read(dir("training.json"))?)?;
    let rslora = trainable("rslora", &tied)?;
    table.adapter(["rslora", "llama"], (&tied, &rslora), &short, &kinds["rslora"].training)?;
    for (kind, base) in KINDS {
        let (decoder, batches) = if base == "tied" { (&tied, &short) } else { (&untied, &long) };
        let adapter = trainable(&format!("kinds/{kind}"), decoder)?;
        table.adapter([kind, "llama"], (decoder, &adapter), batches, &kinds[kind].training)?;
    }

    let starts = tensors("soft.safetensors")?;
    for (name, found) in soft::found("soft.json")? {
        let adapter = soft::trainable(&name, &tied, &starts)?;
        table.adapter([&name, "llama"], (&tied, &adapter), &short, &found.training)?;
    }
    for (name, found) in soft::found("bottleneck.json")? {
        let adapter = bottleneck::trainable(&name, tied.config())?;
        table.adapter([&name, "llama"], (&tied, &adapter), &short, &found.training)?;
    }

    let head = "method           objective      family   trained      here reference difference";
    println!("{head}\n{}", table.lines.join("\n"));
    Ok(())
}
