//! Products in int8 against transformers in f32, of a base alone and with its adapters.

use rootstock_model::{Adapter, Format};

use crate::{
    Outcome,
    bf16::{error, torch_errors},
    token_by_token,
    values::{Values, decoder, lora, tensors},
};

/// How much further from the f32 value than torch's bf16. A number that is bf16 is off by up to one part in 512, one that is int8
/// by up to one in 254 of the largest of 64; but torch rounds what lies between products too.
const FACTOR: f64 = 4.0;

#[test]
fn int8_logits_are_no_further_from_f32_than_four_times_torchs_bf16() -> Outcome {
    let (values, expected, torch) =
        (Values::read()?, tensors("logits.safetensors")?, torch_errors(Format::Bf16)?);
    let mut worst = 0.0_f64;
    for (name, model, logits, ids) in [
        ("tied", "tied", "tied", &values.ids),
        ("untied", "untied", "untied", &values.long_ids),
        ("lora", "tied", "tied.lora", &values.ids),
        ("rslora", "tied", "tied.rslora", &values.ids),
    ] {
        let decoder = decoder(model, Format::Int8)?;
        let adapter = if model == name { None } else { Some(lora(name, &decoder)?) };
        let adapter = adapter.as_ref().map(|adapter| adapter as &dyn Adapter);
        for found in [decoder.forward_all(ids, adapter)?, token_by_token(&decoder, ids, adapter)?] {
            let share = error(&found, &expected[logits])? / torch[name].logits;
            assert!(share > 0.0 && share <= FACTOR, "logits of {name}: {share:.2} times torch's bf16 error");
            worst = worst.max(share);
        }
    }
    println!("golden: int8: logits at worst {worst:.2} times as far from f32 as torch's bf16");
    Ok(())
}
