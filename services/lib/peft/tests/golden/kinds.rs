//! Adapters of other kinds than plain LoRA against PEFT: every number here was written by `tests/golden/make_kinds.py`.

use candle_core::DType;
use rootstock_model::Adapter;
use rootstock_peft::WeightedSum;

use crate::{
    Outcome,
    compare::Comparison,
    token_by_token,
    values::{Values, decoder, lora, tensors},
};

/// Each kind and the base it is for.
pub(crate) const KINDS: [(&str, &str); 6] = [
    ("dora", "tied"),
    ("patterns", "tied"),
    ("tied_head", "tied"),
    ("tied_ends", "tied"),
    ("saved", "untied"),
    ("ends", "untied"),
];

#[test]
fn logits_of_every_kind_agree_whole_and_token_by_token() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("kinds.safetensors")?);
    let mut comparison = Comparison::new("kinds of adapters");
    for (kind, base) in KINDS {
        let decoder = decoder(base, DType::F32)?;
        let ids = if base == "tied" { &values.ids[..] } else { &values.long_ids[..20] };
        let adapter = lora(&format!("kinds/{kind}"), &decoder)?;
        comparison.tensor(kind, &decoder.forward_all(ids, Some(&adapter))?, &expected[kind])?;
        let cached = token_by_token(&decoder, ids, Some(&adapter))?;
        comparison.tensor(&format!("{kind}, cached"), &cached, &expected[kind])?;
    }
    comparison.finish()
}

#[test]
fn logits_of_a_weighted_sum_agree() -> Outcome {
    let (values, expected) = (Values::read()?, tensors("kinds.safetensors")?);
    let mut comparison = Comparison::new("a weighted sum");
    let decoder = decoder("tied", DType::F32)?;
    let (first, second) = (lora("lora", &decoder)?, lora("rslora", &decoder)?);
    let sum = WeightedSum::new(&[(&first, 0.7), (&second, -0.4)])?;
    let adapter: Option<&dyn Adapter> = Some(&sum);
    comparison.tensor("whole", &decoder.forward_all(&values.ids, adapter)?, &expected["sum"])?;
    comparison.tensor("cached", &token_by_token(&decoder, &values.ids, adapter)?, &expected["sum"])?;
    comparison.finish()
}

#[test]
fn only_loras_on_projections_are_summed() -> Outcome {
    for (kind, base) in KINDS {
        let decoder = decoder(base, DType::F32)?;
        let adapter = lora(&format!("kinds/{kind}"), &decoder)?;
        let refused = WeightedSum::new(&[(&adapter, 1.0)]).map_err(|error| error.to_string());
        match adapter.beyond_lora() {
            None => assert_eq!((kind, refused.is_ok()), ("patterns", true)),
            Some(field) => assert!(refused.is_err_and(|message| message.contains(field)), "{kind}"),
        }
    }
    Ok(())
}
