//! Infilling by a decoder against transformers: every number here was written by `tests/golden/make_infilling.py`. That rows are laid
//! out as there, `text/tests/denoise.rs` checks.

use std::collections::BTreeMap;

use candle_core::DType;
use rootstock_model::evaluate;
use serde::Deserialize;

use crate::{
    Outcome,
    compare::Comparison,
    training::Trained,
    values::{Rows, adapter, decoder, dir},
};

/// `infilling.json`.
#[derive(Deserialize)]
pub(crate) struct Values {
    /// The first row.
    pub(crate) first: Vec<u32>,
    pub(crate) batches: Vec<Rows>,
    pub(crate) trained: BTreeMap<String, Trained>,
}

impl Values {
    pub(crate) fn read() -> Outcome<Self> {
        Ok(serde_json::from_slice(&std::fs::read(dir("infilling.json"))?)?)
    }
}

#[test]
fn the_loss_of_what_was_cut_out_agrees() -> Outcome {
    let (values, decoder) = (Values::read()?, decoder("tied", DType::F32)?);
    let mut comparison = Comparison::new("infilling");
    let lora = adapter("lora", &decoder)?;
    for (name, adapter) in [("tied", None), ("lora", Some(&lora as &dyn rootstock_model::Adapter))] {
        let loss = evaluate(&decoder, adapter, &values.batches[0].batch())?;
        comparison.number(name, loss.sum / loss.tokens as f64, values.trained[name].loss);
    }
    comparison.finish()
}
