//! Bottleneck adapters against the layers of the `adapters` library: every number here was written by
//! `tests/golden/make_bottleneck.py`.

use std::fs;

use candle_core::{DType, Device};
use rootstock_model::Adapter;
use rootstock_peft::{AdapterConfig, AnyAdapter, BOTTLENECK_WEIGHTS_FILE, BottleneckAdapter, CONFIG_FILE};

use crate::{
    Outcome,
    compare::Comparison,
    soft::found,
    token_by_token,
    values::{Values, adapter, decoder, dir, tensors},
};

/// The adapter of a directory as what is trained.
pub(crate) fn trainable(name: &str, base: &rootstock_model::Config) -> Outcome<AnyAdapter> {
    let folder = dir(&format!("bottleneck/{name}"));
    let AdapterConfig::Bottleneck(config) = AdapterConfig::from_json(&fs::read(folder.join(CONFIG_FILE))?)?
    else {
        return Err("no bottleneck".into());
    };
    let adapter = BottleneckAdapter::init(&config, base, 1, &Device::Cpu)?;
    let file = candle_core::safetensors::load(folder.join(BOTTLENECK_WEIGHTS_FILE), &Device::Cpu)?;
    for (name, variable) in adapter.parameters() {
        variable.set(file.get(&name).ok_or(name)?)?;
    }
    Ok(adapter.into())
}

#[test]
fn logits_with_bottlenecks_agree_whole_and_token_by_token() -> Outcome {
    let (values, expected, decoder) =
        (Values::read()?, tensors("bottleneck.safetensors")?, decoder("tied", DType::F32)?);
    let mut comparison = Comparison::new("logits with bottlenecks");
    for name in found("bottleneck.json")?.keys() {
        let loaded = adapter(&format!("bottleneck/{name}"), &decoder)?;
        let trained = trainable(name, decoder.config())?;
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
fn loss_gradients_and_ten_steps_of_bottlenecks_agree() -> Outcome {
    let (expected, decoder) = (tensors("bottleneck.safetensors")?, decoder("tied", DType::F32)?);
    let mut comparison = Comparison::new("training of bottlenecks");
    for (name, found) in found("bottleneck.json")? {
        let adapter = trainable(&name, decoder.config())?;
        found.compare(&name, (&decoder, &adapter), &expected, &mut comparison)?;
    }
    comparison.finish()
}

#[test]
fn bottlenecks_are_saved_as_they_were_read_and_other_architectures_refused() -> Outcome {
    let decoder = decoder("tied", DType::F32)?;
    for name in found("bottleneck.json")?.keys() {
        let folder = tempfile::tempdir()?;
        adapter(&format!("bottleneck/{name}"), &decoder)?.save(folder.path())?;
        let of_library = dir(&format!("bottleneck/{name}"));
        let load = |file| candle_core::safetensors::load(file, &Device::Cpu);
        let (written, read) = (
            load(folder.path().join(BOTTLENECK_WEIGHTS_FILE))?,
            load(of_library.join(BOTTLENECK_WEIGHTS_FILE))?,
        );
        assert_eq!(written.len(), read.len());
        for (tensor, numbers) in &read {
            assert_eq!(
                written[tensor].flatten_all()?.to_vec1::<f32>()?,
                numbers.flatten_all()?.to_vec1::<f32>()?
            );
        }
        let config = fs::read_to_string(of_library.join(CONFIG_FILE))?;
        let again = AdapterConfig::from_json(&fs::read(folder.path().join(CONFIG_FILE))?)?;
        assert_eq!(again, AdapterConfig::from_json(config.as_bytes())?);
        for (from, to) in [
            ("\"use_gating\": false", "\"use_gating\": true"),
            ("\"original_ln_after\": true", "\"original_ln_after\": false"),
            ("\"leave_out\": []", "\"leave_out\": [1]"),
            ("\"phm_layer\": false", "\"phm_layer\": true"),
        ] {
            let refused =
                AdapterConfig::from_json(config.replace(from, to).as_bytes()).unwrap_err().to_string();
            let field = from.split('"').nth(1).unwrap_or_default();
            assert!(refused.contains(field) && refused.contains("not supported"), "{refused}");
        }
    }
    Ok(())
}
