//! A fresh adapter changes nothing, is a function of its seed, and shares its weights with the views made of it.

use candle_core::Device;

use super::*;
use crate::{Half, InitLoraWeights, TargetModules, tensor_name};

fn base() -> Config {
    Config::from_json(include_bytes!("../../../../../tests/golden/tied/config.json")).unwrap()
}

fn fresh(seed: u64) -> LoraAdapter {
    let config = LoraConfig { lora_dropout: 0.1, ..LoraConfig::default() };
    LoraAdapter::init(&config, &base(), seed, &Device::Cpu).unwrap()
}

fn values(weight: &LinearWeight) -> Vec<f32> {
    weight.tensor().unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_slot_is_found_by_its_projection() {
    for (index, projection) in Projection::ALL.into_iter().enumerate() {
        assert_eq!(projection as usize, index);
    }
}

#[test]
fn a_fresh_adapter_has_even_down_projections_and_zero_up_projections() {
    let adapter = fresh(1);
    for projection in Projection::ALL {
        let (out, input) = projection.shape(&base());
        let pair = adapter.lora(1, projection).unwrap();
        assert_eq!((pair.a.dims().unwrap(), pair.b.dims().unwrap()), ((8, input), (out, 8)));
        assert_eq!((pair.scale, pair.dropout), (1.0, 0.1));
        let bound = 1.0 / (input as f32).sqrt();
        let a = values(&pair.a);
        assert!(a.iter().all(|value| value.abs() <= bound));
        let variance = a.iter().map(|value| value * value).sum::<f32>() / a.len() as f32;
        assert!((variance * 3.0 / (bound * bound) - 1.0).abs() < 0.25, "{variance}");
        assert!(values(&pair.b).iter().all(|value| *value == 0.0));
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_whatever_else_is_targeted() {
    assert_eq!(fresh(7).weights_bytes().unwrap(), fresh(7).weights_bytes().unwrap());
    assert_ne!(fresh(7).weights_bytes().unwrap(), fresh(8).weights_bytes().unwrap());
    let config =
        LoraConfig { target_modules: TargetModules::from(&[Projection::V][..]), ..LoraConfig::default() };
    let only_v = LoraAdapter::init(&config, &base(), 7, &Device::Cpu).unwrap();
    assert!(only_v.lora(0, Projection::Q).is_none() && only_v.lora(9, Projection::V).is_none());
    let (all, one) = (fresh(7), only_v.lora(0, Projection::V).unwrap());
    assert_eq!(values(&all.lora(0, Projection::V).unwrap().a), values(&one.a));
    assert_ne!(values(&all.lora(1, Projection::V).unwrap().a), values(&one.a));
}

#[test]
fn parameters_are_the_tensors_the_decoder_sees() {
    let adapter = fresh(1);
    let frozen = adapter.frozen();
    let parameters = adapter.parameters();
    assert_eq!(parameters.len(), 2 * 2 * 7);
    assert!(parameters.is_sorted_by_key(|(name, _)| name.clone()));
    let name = tensor_name(1, Projection::Gate, Half::B);
    let (_, variable) = parameters.iter().find(|(candidate, _)| *candidate == name).unwrap();
    variable.set(&variable.ones_like().unwrap()).unwrap();
    for view in [&adapter, &frozen] {
        let pair = view.lora(1, Projection::Gate).unwrap();
        assert!(values(&pair.b).iter().all(|value| *value == 1.0));
    }
    assert_eq!(adapter.lora(1, Projection::Gate).unwrap().b.tensor_id(), Some(variable.as_tensor().id()));
    assert!(frozen.parameters().is_empty());
    assert!(!frozen.lora(1, Projection::Gate).unwrap().b.tensor().unwrap().is_variable());
}

#[test]
fn all_linear_is_written_out_as_names() {
    let names = Projection::ALL.map(|projection| projection.name().to_owned());
    assert_eq!(fresh(1).config().target_modules, TargetModules::Names(names.to_vec()));
}

#[test]
fn bytes_and_parameters_are_counted() {
    let adapter = fresh(1);
    let per_layer: usize =
        Projection::ALL.map(|p| p.shape(&base())).iter().map(|(out, input)| 8 * (out + input)).sum();
    assert_eq!(adapter.num_parameters(), 2 * per_layer);
    assert_eq!(adapter.bytes(), 4 * adapter.num_parameters());
    assert_eq!(adapter.num_layers(), 2);
}

#[test]
fn what_starts_from_the_base_changes_nothing_yet_and_every_tensor_is_trained() {
    let config = LoraConfig {
        use_dora: true,
        init_lora_weights: InitLoraWeights::Gaussian,
        target_modules: TargetModules::from(&["q_proj", "down_proj", "lm_head"][..]),
        modules_to_save: vec![SavedModule::Embedding],
        ..LoraConfig::default()
    };
    let decoder = Decoder::init(base(), 3, &Device::Cpu).unwrap();
    assert!(
        LoraAdapter::init(&config, &base(), 1, &Device::Cpu).is_err(),
        "there are no weights to start from"
    );
    let adapter = LoraAdapter::start(&config, &decoder, 1).unwrap();
    let names: Vec<String> = adapter.parameters().into_iter().map(|(name, _)| name).collect();
    let stored: Vec<String> = adapter.named_tensors().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, stored);
    assert_eq!(names.len(), 5 * 3 + 1);
    let batch = rootstock_model::Batch {
        rows: 1,
        seq_len: 6,
        input_ids: vec![3, 1, 4, 1, 5, 9],
        labels: vec![3, 1, 4, 1, 5, 9],
    };
    let loss =
        |adapter: Option<&dyn Adapter>| rootstock_model::evaluate(&decoder, adapter, &batch).unwrap().sum;
    let (plain, adapted) = (loss(None), loss(Some(&adapter.frozen())));
    assert!((plain - adapted).abs() < 1e-5 * plain, "{plain} {adapted}");
    let a = values(&adapter.lora(0, Projection::Q).unwrap().a);
    let variance = a.iter().map(|value| value * value).sum::<f32>() / a.len() as f32;
    assert!((variance * 64.0 - 1.0).abs() < 0.3, "{variance}: not that of N(0, 1/8^2)");
}

#[test]
fn dropout_before_a_pair_of_the_head_is_not_trained() {
    let target_modules = TargetModules::from(&["lm_head"][..]);
    let config = LoraConfig { target_modules, lora_dropout: 0.1, ..LoraConfig::default() };
    let refused = config.check_trainable(&base()).unwrap_err().to_string();
    assert!(refused.contains("lora_dropout") && refused.contains("lm_head"), "{refused}");
    assert!(LoraAdapter::init(&config, &base(), 1, &Device::Cpu).is_err());
    LoraConfig { lora_dropout: 0.0, ..config }.check_trainable(&base()).unwrap();
}
