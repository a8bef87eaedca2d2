//! Directories that are read back as they were written, and those that are refused.

use std::collections::BTreeMap;

use rootstock_model::{Adapter, Config, Projection, save_tensors};
use safetensors::tensor::TensorView;

use super::*;
use crate::{SavedModule, TargetModules, expected_shapes, resident_bytes};

fn base() -> Config {
    Config::from_json(include_bytes!("../../../../../tests/golden/tied/config.json")).unwrap()
}

fn decoder() -> Decoder {
    Decoder::init(base(), 1, &Device::Cpu).unwrap()
}

fn config() -> LoraConfig {
    LoraConfig { r: 2, target_modules: TargetModules::from(&["k_proj"][..]), ..LoraConfig::default() }
}

fn load(dir: &Path, dtype: DType) -> Result<LoraAdapter, PeftError> {
    LoraAdapter::load(dir, &decoder(), dtype, &Device::Cpu)
}

/// Writes an adapter for `k_proj` whose every element is `value`, stored as `stored`.
fn write(dir: &Path, stored: Dtype, value: f32) {
    let element = match stored {
        Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    };
    let config = config();
    let adapter = LoraAdapter::init(&config, &base(), 0, &Device::Cpu).unwrap();
    let tensors: Vec<_> = adapter
        .named_tensors()
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.dims().to_vec(), element.repeat(tensor.elem_count())))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, data)| (name, TensorView::new(stored, shape.clone(), data).unwrap()));
    fs::write(dir.join(WEIGHTS_FILE), safetensors::serialize(views, None).unwrap()).unwrap();
    fs::write(dir.join(CONFIG_FILE), config.to_json()).unwrap();
}

#[test]
fn a_saved_adapter_loads_with_identical_bits() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/adapter");
    let adapter = LoraAdapter::init(&LoraConfig::default(), &base(), 3, &Device::Cpu).unwrap();
    adapter.save(&target).unwrap();
    let loaded = load(&target, DType::F32).unwrap();
    assert_eq!(loaded.weights_bytes().unwrap(), adapter.weights_bytes().unwrap());
    assert_eq!(loaded.config(), adapter.config());
    loaded.save(&target).unwrap();
    let again = load(&target, DType::F32).unwrap().into_trainable().unwrap();
    assert_eq!(again.weights_bytes().unwrap(), fs::read(target.join(WEIGHTS_FILE)).unwrap());
    let mut files: Vec<_> = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, [CONFIG_FILE, WEIGHTS_FILE]);
}

#[test]
fn the_contents_of_the_files_load_like_the_files() {
    let adapter = LoraAdapter::init(&config(), &base(), 3, &Device::Cpu).unwrap();
    let (settings, weights) = (adapter.config().to_json(), adapter.weights_bytes().unwrap());
    let load = |weights: &[u8]| {
        LoraAdapter::from_bytes(settings.as_bytes(), weights, &decoder(), DType::F32, &Device::Cpu)
    };
    assert_eq!(load(&weights).unwrap().weights_bytes().unwrap(), weights);
    assert!(matches!(load(&weights[..weights.len() - 1]), Err(PeftError::Format { .. })));
    assert!(matches!(load(b"\x80\x02}q\x00x\x01rest"), Err(PeftError::Pickle { .. })));
}

#[test]
fn every_stored_dtype_is_read_into_either_dtype() {
    let dir = tempfile::tempdir().unwrap();
    for stored in crate::SUPPORTED_DTYPES {
        write(dir.path(), stored, 0.375);
        for dtype in [DType::F32, DType::BF16] {
            let adapter = load(dir.path(), dtype).unwrap();
            for (_, tensor) in adapter.named_tensors().unwrap() {
                assert_eq!(tensor.dtype(), dtype);
                let values: Vec<f32> =
                    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                assert!(values.iter().all(|value| *value == 0.375));
            }
        }
    }
}

#[test]
fn a_value_that_is_not_finite_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (stored, value) in
        [(Dtype::F32, f32::NAN), (Dtype::F16, f32::INFINITY), (Dtype::BF16, f32::NEG_INFINITY)]
    {
        write(dir.path(), stored, value);
        let error = load(dir.path(), DType::F32).unwrap_err();
        assert!(matches!(error, PeftError::NotFinite { element: 0, .. }), "{error}");
    }
}

#[test]
fn a_pickle_is_refused_and_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), Dtype::F32, 0.0);
    fs::rename(dir.path().join(WEIGHTS_FILE), dir.path().join("adapter_model.bin")).unwrap();
    let message = load(dir.path(), DType::F32).unwrap_err().to_string();
    assert!(
        message.contains("adapter_model.bin is a pickle file") && message.contains(WEIGHTS_FILE),
        "{message}"
    );
}

#[test]
fn a_missing_file_is_named_without_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), Dtype::F32, 0.0);
    for file in [WEIGHTS_FILE, CONFIG_FILE] {
        fs::remove_file(dir.path().join(file)).unwrap();
        let message = load(dir.path(), DType::F32).unwrap_err().to_string();
        assert!(message.starts_with(file), "{message}");
        assert!(!message.contains(&dir.path().display().to_string()), "{message}");
    }
}

#[test]
fn a_truncated_file_is_refused_before_its_weights_are_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), Dtype::F32, 0.0);
    let path = dir.path().join(WEIGHTS_FILE);
    let whole = fs::read(&path).unwrap();
    for length in [0, 7, 40, whole.len() - 4] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(load(dir.path(), DType::F32), Err(PeftError::Format { .. })), "{length}");
    }
}

#[test]
fn an_adapter_that_can_not_be_written_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = LoraAdapter::init(&config(), &base(), 3, &Device::Cpu).unwrap();
    // A folder stands where the file has to go.
    fs::create_dir_all(dir.path().join(WEIGHTS_FILE).join("full")).unwrap();
    assert!(matches!(adapter.save(dir.path()), Err(PeftError::Io { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Settings that use everything at once: DoRA on the layers and the head, an embedding of its own.
fn everything() -> LoraConfig {
    LoraConfig {
        r: 3,
        rank_pattern: vec![("k_proj".to_owned(), 5)],
        target_modules: TargetModules::from(&["k_proj", "down_proj", "lm_head"][..]),
        use_dora: true,
        modules_to_save: vec![SavedModule::Embedding],
        ..LoraConfig::default()
    }
}

/// The weights of a file for these settings: 0.25 everywhere, but for copies of the base's weights and what is changed.
fn weights(config: &LoraConfig, change: impl Fn(&str, &mut Vec<f32>)) -> Vec<u8> {
    let decoder = decoder();
    let numbers = |name: &str, shape: &[usize]| {
        let mut numbers = match name {
            _ if name.ends_with("lm_head.base_layer.weight") => {
                flat(&decoder.head_weight().tensor().unwrap())
            }
            _ if name.ends_with("base_layer.weight") => flat(&decoder.embedding_weight().tensor().unwrap()),
            _ => vec![0.25; shape.iter().product()],
        };
        change(name, &mut numbers);
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    };
    let shapes = expected_shapes(config, &base()).unwrap();
    let tensors = shapes.iter().map(|(name, shape)| (name, numbers(name, shape)));
    safetensors::serialize(tensors, None).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn read(config: &LoraConfig, weights: &[u8], dtype: DType) -> Result<LoraAdapter, PeftError> {
    LoraAdapter::from_bytes(config.to_json().as_bytes(), weights, &decoder(), dtype, &Device::Cpu)
}

#[test]
fn every_kind_is_written_back_as_it_was_read_and_takes_the_bytes_that_were_foretold() {
    let embedding = LoraConfig {
        target_modules: TargetModules::from(&["q_proj", "embed_tokens"][..]),
        modules_to_save: vec![SavedModule::Head],
        ..LoraConfig::default()
    };
    for config in [everything(), embedding, config()] {
        for (dtype, format) in [(DType::F32, Format::F32), (DType::BF16, Format::Bf16)] {
            let adapter = read(&config, &weights(&config, |_, _| ()), dtype).unwrap();
            assert_eq!(adapter.bytes(), resident_bytes(&config, &base(), format).unwrap());
            let again = read(&config, &adapter.weights_bytes().unwrap(), dtype).unwrap();
            assert_eq!(again.weights_bytes().unwrap(), adapter.weights_bytes().unwrap());
        }
    }
}

#[test]
fn doras_factors_are_magnitudes_over_the_norms_of_the_updated_weight() {
    let (config, decoder) = (everything(), decoder());
    let adapter = read(&config, &weights(&config, |_, _| ()), DType::F32).unwrap();
    let weight = decoder.projection(1, Projection::K).unwrap().tensor().unwrap();
    // Rank 5, alpha 8: every element of the update is 8 / 5 * 5 * 0.25^2.
    let norms = flat(&(weight + 0.5).unwrap().sqr().unwrap().sum(1).unwrap().sqrt().unwrap());
    let factors = adapter.update(1, Projection::K).factors.unwrap();
    for (factor, norm) in factors.iter().zip(&norms) {
        assert!((factor - 0.25 / norm).abs() < 1e-6, "{factor}, expected {}", 0.25 / norm);
    }
    assert!(adapter.update(1, Projection::Q).is_nothing() && adapter.head().update.factors.is_some());
    assert_eq!(adapter.beyond_lora(), Some("use_dora"));
}

#[test]
fn a_copy_of_the_base_may_be_there_and_must_be_one() {
    let config = LoraConfig {
        target_modules: TargetModules::from(&["lm_head", "embed_tokens"][..]),
        ..LoraConfig::default()
    };
    assert!(read(&config, &weights(&config, |_, _| ()), DType::F32).is_ok());
    let rounded = |name: &str, numbers: &mut Vec<f32>| {
        if name.ends_with("base_layer.weight") {
            numbers.iter_mut().for_each(|number| *number = half::bf16::from_f32(*number).to_f32());
        }
    };
    assert!(read(&config, &weights(&config, rounded), DType::BF16).is_ok());
    for module in ["lm_head", "embed_tokens"] {
        let other = |name: &str, numbers: &mut Vec<f32>| {
            if name.ends_with(&format!("{module}.base_layer.weight")) {
                numbers[50] += 0.5;
            }
        };
        let message = read(&config, &weights(&config, other), DType::F32).unwrap_err().to_string();
        assert!(message.contains(module) && message.contains("in row 1"), "{message}");
    }
}

#[test]
fn a_base_of_int8_knows_a_copy_of_what_it_was_rounded_from() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.safetensors");
    save_tensors(&file, &decoder().named_tensors().unwrap(), &BTreeMap::new()).unwrap();
    let base = Decoder::load(base(), &[file], Format::Int8, &Device::Cpu).unwrap();
    let config = LoraConfig { target_modules: ["embed_tokens"][..].into(), ..LoraConfig::default() };
    let read = |change: fn(f32) -> f32| {
        let weights = weights(&config, |name, numbers| {
            if name.ends_with("base_layer.weight") {
                numbers.iter_mut().for_each(|number| *number = change(*number));
            }
        });
        LoraAdapter::from_bytes(config.to_json().as_bytes(), &weights, &base, DType::BF16, &Device::Cpu)
    };
    read(|number| half::bf16::from_f32(number).to_f32()).unwrap();
    let message = read(|number| number * 1.02).unwrap_err().to_string();
    assert!(message.contains("differs from the base's own in row 0"), "{message}");
}

#[test]
fn an_adapter_that_is_read_can_be_trained_with_all_it_has() {
    let config = everything();
    let adapter = read(&config, &weights(&config, |_, _| ()), DType::F32).unwrap();
    let stored: Vec<String> = adapter.named_tensors().unwrap().into_iter().map(|(name, _)| name).collect();
    let bytes = adapter.weights_bytes().unwrap();
    let trained = adapter.into_trainable().unwrap();
    let names: Vec<String> = trained.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, stored);
    assert_eq!(trained.weights_bytes().unwrap(), bytes, "nothing is changed yet");
}
