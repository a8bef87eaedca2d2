//! Adapters that bring biases against PEFT: every number here was written by `tests/golden/make_bias.py`.

use std::{collections::BTreeMap, fs};

use candle_core::{Device, Tensor};
use rootstock_model::{Adapter, Continued, Decoder, KvCache, Wanted};
use rootstock_peft::{LoraAdapter, LoraConfig, WeightedSum};

use crate::{
    Outcome, Step,
    compare::Comparison,
    families::{self, family, gradients},
    token_by_token,
    values::{dir, lora, tensors},
};

const BASE: &str = "qwen2";
const ADAPTERS: [&str; 2] = ["all", "lora_only"];

fn read(name: &str, decoder: &Decoder) -> Outcome<LoraAdapter> {
    lora(&format!("bias/{name}"), decoder)
}

#[test]
fn logits_loss_and_gradients_of_adapters_with_biases_agree() -> Outcome {
    let (values, expected, decoder) =
        (families::Values::read()?, tensors("bias.safetensors")?, family(BASE)?);
    let losses: BTreeMap<String, f64> = serde_json::from_slice(&fs::read(dir("bias.json"))?)?;
    let mut comparison = Comparison::new("adapters with biases");
    for name in ADAPTERS {
        let adapter = read(name, &decoder)?;
        let logits = &expected[&format!("{name}.logits")];
        comparison.tensor(name, &decoder.forward_all(&values.ids, Some(&adapter))?, logits)?;
        let cached = token_by_token(&decoder, &values.ids, Some(&adapter))?;
        comparison.tensor(&format!("{name}, cached"), &cached, logits)?;

        let adapter = adapter.into_trainable()?;
        let step = Step { decoder: &decoder, adapter: Some(&adapter), parameters: adapter.parameters() };
        let (loss, found) = step.run(&values.batch.batch())?;
        comparison.number(&format!("loss of {name}"), loss, losses[name]);
        comparison.tensors(name, &found.0, &gradients(&expected, name))?;
    }
    comparison.finish()
}

#[test]
fn sequences_with_and_without_biases_of_their_own_have_the_bits_they_have_alone() -> Outcome {
    let (values, decoder) = (families::Values::read()?, family(BASE)?);
    let (all, some) = (read("all", &decoder)?, read("lora_only", &decoder)?);
    let adapters: [Option<&dyn Adapter>; 4] = [Some(&all), None, Some(&some), Some(&some)];
    let new = || KvCache::new(decoder.config(), decoder.format(), values.ids.len(), &Device::Cpu);
    let mut caches = adapters.iter().map(|_| new()).collect::<Result<Vec<_>, _>>()?;
    let alone = adapters.map(|adapter| token_by_token(&decoder, &values.ids, adapter));
    for (position, id) in values.ids.iter().enumerate() {
        let mut sequences: Vec<Continued<'_>> = caches
            .iter_mut()
            .zip(adapters)
            .map(|(cache, adapter)| Continued {
                ids: std::slice::from_ref(id),
                cache,
                adapter,
                wants: Wanted::Last,
            })
            .collect();
        let together = decoder.forward_batch(&mut sequences)?;
        for (row, alone) in alone.iter().enumerate() {
            let alone = alone.as_ref().map_err(ToString::to_string)?;
            let numbers = |tensor: &Tensor, row: usize| tensor.get(row)?.to_vec1::<f32>();
            assert_eq!(numbers(&together, row)?, numbers(alone, position)?, "sequence {row} at {position}");
        }
    }
    Ok(())
}

#[test]
fn biases_start_as_the_bases_own_are_saved_as_peft_names_them_and_go_into_no_sum() -> Outcome {
    let decoder = family(BASE)?;
    for name in ADAPTERS {
        let read = read(name, &decoder)?;
        let started = LoraAdapter::start(read.config(), &decoder, 1)?;
        let names = |adapter: &LoraAdapter| -> Outcome<Vec<String>> {
            Ok(adapter.named_tensors()?.into_iter().map(|(name, _)| name).collect())
        };
        assert_eq!(names(&started)?, names(&read)?);
        let base = decoder.forward_all(&[5, 6, 7], None)?.to_vec2::<f32>()?;
        // DoRA's factors are ones up to rounding.
        if !read.config().use_dora {
            assert_eq!(decoder.forward_all(&[5, 6, 7], Some(&started))?.to_vec2::<f32>()?, base);
        }
        let refused = WeightedSum::new(&[(&read, 1.0)]).map_err(|error| error.to_string());
        assert!(refused.is_err(), "{name}");

        let config = LoraConfig::from_json(read.config().to_json().as_bytes())?;
        assert_eq!(&config, read.config());
        let without = family("qwen3")?;
        let refused = config.check_trainable(without.config()).unwrap_err().to_string();
        assert!(refused.contains("bias") && refused.contains("no biases"), "{refused}");
    }
    Ok(())
}
