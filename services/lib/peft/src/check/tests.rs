//! An adapter is admitted whole or not at all, and the refusal names the tensor.

use proptest::prelude::*;

use rootstock_model::Projection;

use super::*;
use crate::{SavedModule, TargetModules, tensor_name};

fn base() -> Config {
    Config::from_json(include_bytes!("../../../../../tests/golden/tied/config.json")).unwrap()
}

fn config() -> LoraConfig {
    LoraConfig {
        r: 4,
        target_modules: TargetModules::from(&["q_proj", "down_proj"][..]),
        ..LoraConfig::default()
    }
}

fn complete() -> Vec<TensorHeader> {
    let places = places(&config(), &base()).unwrap();
    places.iter().map(|(name, place)| (name.clone(), place.shape.clone(), Dtype::F32)).collect()
}

/// The refusal after one change to a complete adapter.
fn refusal(change: impl FnOnce(&mut Vec<TensorHeader>)) -> PeftError {
    let mut tensors = complete();
    change(&mut tensors);
    check_tensors(&config(), &base(), &tensors).unwrap_err()
}

fn q(half: Half) -> String {
    tensor_name(0, Projection::Q, half)
}

fn change_q(tensors: &mut [TensorHeader], half: Half, change: impl FnOnce(&mut TensorHeader)) {
    change(tensors.iter_mut().find(|(name, ..)| *name == q(half)).unwrap());
}

#[test]
fn a_complete_adapter_is_admitted_in_every_dtype_that_is_read() {
    for dtype in SUPPORTED_DTYPES {
        let tensors: Vec<_> = complete().into_iter().map(|(name, shape, _)| (name, shape, dtype)).collect();
        check_tensors(&config(), &base(), &tensors).unwrap();
    }
    assert_eq!(complete().len(), 2 * 2 * 2);
}

#[test]
fn a_tensor_that_fits_nowhere_is_refused_with_the_reason() {
    for (name, reason) in [
        ("base_model.model.model.norm.weight", "not a LoRA matrix"),
        ("base_model.model.lm_head.weight", "modules_to_save does not name"),
        ("base_model.model.lm_head.base_layer.weight", "carries no pair"),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", "use_dora is off"),
        ("base_model.model.model.embed_tokens.lora_embedding_A", "not among target_modules"),
        ("base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight", "target_modules"),
        ("base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight", "no such layer"),
    ] {
        let error = refusal(|tensors| tensors.push((name.to_owned(), vec![4, 40], Dtype::F32)));
        assert!(matches!(&error, PeftError::UnknownTensor { name: named, .. } if named == name));
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn half_a_pair_is_refused_and_so_is_a_missing_one() {
    let error = refusal(|tensors| tensors.retain(|(name, ..)| *name != q(Half::B)));
    assert!(matches!(error, PeftError::MissingHalf { missing, .. } if missing == q(Half::B)));
    let error = refusal(|tensors| tensors.retain(|(name, ..)| *name != q(Half::A) && *name != q(Half::B)));
    assert!(matches!(error, PeftError::MissingTensor(name) if name == q(Half::A)));
    assert!(matches!(refusal(Vec::clear), PeftError::MissingTensor(_)));
}

#[test]
fn another_rank_and_another_shape_are_told_apart() {
    for (half, rank_8, wrong) in [(Half::A, vec![8, 40], vec![4, 41]), (Half::B, vec![32, 8], vec![31, 4])] {
        let error = refusal(|tensors| change_q(tensors, half, |(_, shape, _)| *shape = rank_8));
        assert!(matches!(error, PeftError::Rank { found: 8, expected: 4, .. }), "{error}");
        for shape_found in [wrong, vec![4], vec![4, 40, 1], vec![]] {
            let error = refusal(|tensors| change_q(tensors, half, |(_, shape, _)| *shape = shape_found));
            assert!(matches!(&error, PeftError::Shape { name, .. } if *name == q(half)), "{error}");
        }
    }
}

/// The headers that these settings ask for.
fn headers(config: &LoraConfig) -> Vec<TensorHeader> {
    let shapes = expected_shapes(config, &base()).unwrap();
    shapes.into_iter().map(|(name, shape)| (name, shape, Dtype::F32)).collect()
}

#[test]
fn every_kind_is_admitted_whole_and_a_copy_of_the_base_may_be_left_out() {
    let dora = LoraConfig { use_dora: true, ..config() };
    let ends = LoraConfig {
        target_modules: TargetModules::from(&["embed_tokens", "lm_head"][..]),
        rank_pattern: vec![("lm_head".to_owned(), 2)],
        ..config()
    };
    let saved = LoraConfig { modules_to_save: SavedModule::ALL.to_vec(), ..config() };
    let is_copy = |header: &TensorHeader| header.0.ends_with("base_layer.weight");
    for (config, tensors, copies) in [(dora, 12, 0), (ends, 6, 2), (saved, 10, 0)] {
        let all = headers(&config);
        assert_eq!((all.len(), all.iter().filter(|header| is_copy(header)).count()), (tensors, copies));
        check_tensors(&config, &base(), &all).unwrap();
        for gone in 0..all.len() {
            let mut rest = all.clone();
            let removed = rest.remove(gone);
            assert_eq!(check_tensors(&config, &base(), &rest).is_ok(), is_copy(&removed), "{}", removed.0);
        }
        for (name, ..) in &all {
            let mut wrong = all.clone();
            wrong.iter_mut().find(|(other, ..)| other == name).unwrap().1[0] += 1;
            let message = check_tensors(&config, &base(), &wrong).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}

#[test]
fn the_rank_asked_for_is_that_of_the_pattern() {
    let config = LoraConfig { rank_pattern: vec![("0.self_attn.q_proj".to_owned(), 6)], ..config() };
    let error = check_tensors(&config, &base(), &complete()).unwrap_err();
    assert!(
        matches!(&error, PeftError::Rank { name, found: 4, expected: 6 } if *name == q(Half::A)),
        "{error}"
    );
}

#[test]
fn integers_and_doubles_are_refused() {
    for wrong in [Dtype::I8, Dtype::F64, Dtype::F8_E4M3] {
        let error = refusal(|tensors| change_q(tensors, Half::A, |(_, _, dtype)| *dtype = wrong));
        assert!(matches!(error, PeftError::Dtype { .. }), "{error}");
    }
}

#[test]
fn a_name_stored_twice_is_refused() {
    let error = refusal(|tensors| tensors.push(tensors[0].clone()));
    assert!(matches!(error, PeftError::DuplicateTensor(_)));
}

proptest! {
    #[test]
    fn no_header_makes_the_check_panic(
        names in prop::collection::vec("(base_model\\.model\\.model\\.layers\\.[0-2]\\.(self_attn|mlp)\\.(q|down)_proj\\.lora_[AB]\\.weight|.{0,20})", 0..10),
        shape in prop::collection::vec(any::<usize>(), 0..4),
        r in any::<usize>(),
        names_wanted in prop::collection::vec("([qkvo]_proj|.{0,8})", 0..4),
    ) {
        let config = LoraConfig { r, target_modules: TargetModules::from(names_wanted), ..LoraConfig::default() };
        let tensors: Vec<_> = names.into_iter().map(|name| (name, shape.clone(), Dtype::F32)).collect();
        let _ = check_tensors(&config, &base(), &tensors);
    }

    #[test]
    fn a_complete_adapter_with_one_tensor_less_is_never_admitted(gone in 0_usize..8) {
        let mut tensors = complete();
        tensors.remove(gone);
        prop_assert!(check_tensors(&config(), &base(), &tensors).is_err());
    }
}
