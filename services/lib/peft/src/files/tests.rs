//! Directories that are read back as they were written, and those that are refused.

use safetensors::tensor::TensorView;

use super::*;
use crate::TargetModules;

fn base() -> Config {
    Config::from_json(include_bytes!("../../../../../tests/golden/tied/config.json")).unwrap()
}

fn config() -> LoraConfig {
    LoraConfig { r: 2, target_modules: TargetModules::from(&["k_proj"][..]), ..LoraConfig::default() }
}

fn load(dir: &Path, dtype: DType) -> Result<LoraAdapter, PeftError> {
    LoraAdapter::load(dir, &base(), dtype, &Device::Cpu)
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
        LoraAdapter::from_bytes(settings.as_bytes(), weights, &base(), DType::F32, &Device::Cpu)
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
