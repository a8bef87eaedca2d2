//! Every method, objective and family that was trained for ten steps here and by its reference (transformers, PEFT, the layers of the
//! `adapters` library), as one table: `cargo test -p rootstock-peft --test golden table -- --nocapture` prints it.
//!
//! `PEFT round trip` counts the tensors of the adapter's directory (the `adapters` library's for bottlenecks) that are the same numbers
//! under the same settings once it was read and written again; what isn't written are PEFT's copies of frozen weights of the base.
//! `served` is the largest relative difference of the reference's logits to
//! those that decoding gives, token by token with a cache; encoders have none, and give their answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::{AdamW, AdamWOptions, StepRates};
use rootstock_model::{Adapter, Batch, Decoder, DropoutKey, Gradients};
use rootstock_peft::{AdapterConfig, AnyAdapter};

use crate::{
    Outcome, Step, bert, bottleneck, families, infilling,
    kinds::KINDS,
    soft, token_by_token,
    training::Trained,
    values::{Rows, Training, Values, adapter, decoder, dir, lora, tensors},
};

/// Largest relative difference of the tenth step's loss, and of logits.
const TOLERANCE: f64 = 1e-4;

/// One method on one objective and family, in the reference.
struct Case<'a> {
    names: [&'a str; 3],
    batches: &'a [Batch],
    training: &'a Training,
    /// A text, and the logits of what training begins with.
    ids: &'a [u32],
    logits: &'a Tensor,
}

/// What a line says beside the loss.
struct Beside {
    /// Tensors written again, and those of the directory.
    round_trip: Option<(usize, usize)>,
    served: f64,
}

/// The lines, each of one case.
struct Table {
    values: Values,
    lines: Vec<String>,
}

impl Table {
    /// Trains the variables for ten steps; `step` gives loss and gradients at the step of a number.
    fn row(
        &mut self,
        [method, objective, family]: [&str; 3],
        (variables, reference): (&[(String, Var)], &Training),
        beside: &Beside,
        step: impl FnMut(usize) -> Outcome<(f64, Gradients)>,
    ) -> Outcome {
        let trained: usize = variables.iter().map(|(_, variable)| variable.elem_count()).sum();
        let here = self.tenth_loss(variables, reference.lr, step)?;
        let there = *reference.losses.last().ok_or("no loss")?;
        let difference = (here - there).abs() / there;
        let what = format!("{method:<16} {objective:<14} {family:<8}");
        assert!(difference <= TOLERANCE, "{what}: {here} here, {there} in the reference");
        assert!(beside.served <= TOLERANCE, "{what}: logits differ by {:e}", beside.served);
        let tensors =
            beside.round_trip.map_or_else(|| "-".to_owned(), |(written, all)| format!("{written} of {all}"));
        self.lines.push(format!(
            "{what} {trained:>7} {here:>9.6} {there:>9.6}   {difference:.1e}   {tensors:>15}  {:.1e}",
            beside.served
        ));
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

    /// All weights of a model.
    fn full(&mut self, model: &str, case: &Case<'_>) -> Outcome {
        let mut decoder = decoder(model, DType::F32)?;
        let served = difference(&token_by_token(&decoder, case.ids, None)?, case.logits)?;
        let parameters = decoder.set_trainable(None)?;
        let step = Step { decoder: &decoder, adapter: None, parameters };
        let losses = |index: usize| step.run(&case.batches[index % case.batches.len()]);
        let beside = Beside { round_trip: None, served };
        self.row(case.names, (&step.parameters, case.training), &beside, losses)
    }

    /// The adapter of a directory, and what of it is trained.
    fn adapter(
        &mut self,
        directory: &str,
        (decoder, trainable): (&Decoder, &AnyAdapter),
        case: &Case<'_>,
    ) -> Outcome {
        let loaded = adapter(directory, decoder)?;
        let adapter: Option<&dyn Adapter> = Some(&loaded);
        let served = difference(&token_by_token(decoder, case.ids, adapter)?, case.logits)?;
        let beside = Beside { round_trip: Some(written_again(directory, &loaded)?), served };
        let losses = |index: usize| soft::step(decoder, trainable, &case.batches[index % case.batches.len()]);
        self.row(case.names, (&trainable.parameters(), case.training), &beside, losses)
    }

    fn encoders(&mut self) -> Outcome {
        let (values, logits) = (bert::Values::read()?, tensors("bert.safetensors")?);
        for (objective, batch) in values.batches() {
            let mut encoder = bert::encoder(objective)?;
            let served = difference(&encoder.logits(&batch.rows)?, &logits[&format!("{objective}.logits")])?;
            let parameters = encoder.set_trainable(None)?;
            let tokens = encoder.evaluate(&batch)?.tokens as f64;
            let losses = |_| {
                let (loss, gradients) =
                    encoder.forward_backward(&parameters, &batch, tokens, DropoutKey::default())?;
                Ok((loss.sum / tokens, gradients))
            };
            let beside = Beside { round_trip: None, served };
            let training = (&parameters[..], &values.training[objective]);
            self.row(["full", objective, "bert"], training, &beside, losses)?;
        }
        Ok(())
    }

    fn infilling(&mut self, base: &Decoder, trainable: &AnyAdapter) -> Outcome {
        let (values, logits) = (infilling::Values::read()?, tensors("infilling.safetensors")?);
        let batches: Vec<Batch> = values.batches.iter().map(Rows::batch).collect();
        let case = |method, model: &str| Case {
            names: [method, "infilling", "llama"],
            batches: &batches,
            training: &values.trained[model].training,
            ids: &values.first,
            logits: &logits[model],
        };
        self.full("tied", &case("full", "tied"))?;
        self.adapter("lora", (base, trainable), &case("lora", "lora"))
    }
}

/// How many tensors of a directory, and of how many, are the same under the same settings when the adapter that was read from it is
/// written.
fn written_again(directory: &str, adapter: &AnyAdapter) -> Outcome<(usize, usize)> {
    let folder = tempfile::tempdir()?;
    let [config, weights] = adapter.save(folder.path())?;
    let read = |folder: &Path| -> Outcome<(AdapterConfig, HashMap<String, Tensor>)> {
        let settings = AdapterConfig::from_json(&std::fs::read(folder.join(config))?)?;
        Ok((settings, candle_core::safetensors::load(folder.join(weights), &Device::Cpu)?))
    };
    let ((settings, written), (of_reference, expected)) = (read(folder.path())?, read(&dir(directory))?);
    assert_eq!(settings, of_reference, "{directory}");
    let numbers = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
    for (name, tensor) in &written {
        assert_eq!(tensor.dims(), expected[name].dims(), "{directory}: {name}");
        assert_eq!(numbers(tensor)?, numbers(&expected[name])?, "{directory}: {name}");
    }
    for name in expected.keys().filter(|name| !written.contains_key(*name)) {
        assert!(name.ends_with(".base_layer.weight"), "{directory}: {name} is lost");
    }
    Ok((written.len(), expected.len()))
}

/// The largest difference, beside the largest number expected.
fn difference(found: &Tensor, expected: &Tensor) -> Outcome<f64> {
    let largest = |tensor: Tensor| tensor.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
    Ok(f64::from(largest((found - expected)?)?) / f64::from(largest(expected.clone())?))
}

#[test]
fn the_tenth_loss_of_every_method_objective_and_family_is_that_of_the_reference() -> Outcome {
    let values = Values::read()?;
    let batches = |rows: &[Rows]| rows.iter().map(Rows::batch).collect::<Vec<_>>();
    let (short, long) = (batches(&values.lora_batches), batches(&values.full_batches));
    let (tied, untied) = (decoder("tied", DType::F32)?, decoder("untied", DType::F32)?);
    let (ids, long_ids) = (&values.ids[..], &values.long_ids[..]);
    let logits = tensors("logits.safetensors")?;
    let mut table = Table { values: Values::read()?, lines: Vec::new() };
    let trainable = |name: &str, base: &Decoder| -> Outcome<AnyAdapter> {
        Ok(lora(name, base)?.into_trainable()?.into())
    };

    let causal = ["full", "causal", "llama"];
    let case = |batches, training, ids, logits| Case { names: causal, batches, training, ids, logits };
    table.full("tied", &case(&short, &values.train_tied, ids, &logits["tied"]))?;
    table.full("untied", &case(&long, &values.train_untied, long_ids, &logits["untied"]))?;
    table.encoders()?;
    table.infilling(&tied, &trainable("lora", &tied)?)?;

    let case = |method, family, training, logits| Case {
        names: [method, "supervised", family],
        batches: &short,
        training,
        ids,
        logits,
    };
    let of_lora = case("lora", "llama", &values.train_lora, &logits["tied.lora"]);
    table.adapter("lora", (&tied, &trainable("lora", &tied)?), &of_lora)?;
    let (of_families, family_logits) = (families::Values::read()?, tensors("families.safetensors")?);
    for (name, base) in families::ADAPTERS {
        let (decoder, directory) = (families::family(base)?, format!("families/{name}"));
        let (training, logits) = (&of_families.training[name], &family_logits[&format!("{name}.logits")]);
        let batch = [of_families.batch.batch()];
        let case = Case { batches: &batch, ids: &of_families.ids, ..case("lora", base, training, logits) };
        table.adapter(&directory, (&decoder, &trainable(&directory, &decoder)?), &case)?;
    }
    let kinds: BTreeMap<String, Trained> = serde_json::from_slice(&std::fs::read(dir("training.json"))?)?;
    let of_rslora = case("rslora", "llama", &kinds["rslora"].training, &logits["tied.rslora"]);
    table.adapter("rslora", (&tied, &trainable("rslora", &tied)?), &of_rslora)?;
    let kind_logits = tensors("kinds.safetensors")?;
    for (kind, base) in KINDS {
        let directory = format!("kinds/{kind}");
        let of_tied = case(kind, "llama", &kinds[kind].training, &kind_logits[kind]);
        let (decoder, case) = if base == "tied" {
            (&tied, of_tied)
        } else {
            (&untied, Case { batches: &long, ids: &long_ids[..20], ..of_tied })
        };
        table.adapter(&directory, (decoder, &trainable(&directory, decoder)?), &case)?;
    }

    let soft_tensors = tensors("soft.safetensors")?;
    let soft = soft::found("soft.json")?;
    for (name, found) in &soft {
        let adapter = soft::trainable(name, &tied, &soft_tensors)?;
        let case = case(name, "llama", &found.training, &soft_tensors[name]);
        table.adapter(&format!("soft/{name}"), (&tied, &adapter), &case)?;
    }
    let bottleneck_logits = tensors("bottleneck.safetensors")?;
    let bottlenecks = soft::found("bottleneck.json")?;
    for (name, found) in &bottlenecks {
        let adapter = bottleneck::trainable(name, tied.config())?;
        let case = case(name, "llama", &found.training, &bottleneck_logits[name]);
        table.adapter(&format!("bottleneck/{name}"), (&tied, &adapter), &case)?;
    }

    let head = "method           objective      family   trained      here reference difference   PEFT round trip  served";
    println!("{head}\n{}", table.lines.join("\n"));
    Ok(())
}
