//! Writing safetensors files so that equal tensors give equal bytes: sorted by name, metadata sorted by key.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Error, Write},
    path::Path,
};

use candle_core::{DType, Device, Tensor};
use half::bf16;
use serde_json::{Map, Value, json};

use crate::{ModelError, error::file_name};

/// The header's length is a multiple of this, padded with spaces, as the format asks for.
const ALIGNMENT: usize = 8;

/// Writes tensors (f32 or bf16) as a safetensors file.
///
/// # Errors
/// When a tensor has another dtype, a name occurs twice, or the file can't be written.
pub fn save_tensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<(), ModelError> {
    let mut sorted: Vec<&(String, Tensor)> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(ModelError::DuplicateTensor(pair[0].0.clone()));
    }
    let header = header(&sorted, metadata)?;
    let io = |source: Error| ModelError::Io { file: file_name(path), source };
    let mut file = BufWriter::new(File::create(path).map_err(io)?);
    file.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
    file.write_all(header.as_bytes()).map_err(io)?;
    for (_, tensor) in sorted {
        file.write_all(&bytes(tensor)?).map_err(io)?;
    }
    file.into_inner().map_err(|error| io(error.into_error()))?.sync_all().map_err(io)
}

fn header(tensors: &[&(String, Tensor)], metadata: &BTreeMap<String, String>) -> Result<String, ModelError> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut start = 0;
    for (name, tensor) in tensors {
        let dtype = match tensor.dtype() {
            DType::F32 => "F32",
            DType::BF16 => "BF16",
            other => {
                return Err(ModelError::Dtype { name: name.clone(), dtype: format!("{other:?}") });
            }
        };
        let end = start + tensor.elem_count() * tensor.dtype().size_in_bytes();
        let entry = json!({ "dtype": dtype, "shape": tensor.dims(), "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
        start = end;
    }
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(ALIGNMENT) - header.len()));
    Ok(header)
}

fn bytes(tensor: &Tensor) -> Result<Vec<u8>, ModelError> {
    let flat = tensor.detach().to_device(&Device::Cpu)?.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::BF16 => flat.to_vec1::<bf16>()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
        _ => flat.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    fn tensors() -> Vec<(String, Tensor)> {
        let b = Tensor::new(&[[1_f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        vec![("b".to_owned(), b.t().unwrap()), ("a".to_owned(), b.to_dtype(DType::BF16).unwrap())]
    }

    #[test]
    fn the_reference_reader_finds_names_shapes_numbers_and_metadata() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        save_tensors(&path, &tensors(), &metadata).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let b = file.tensor("b").unwrap();
        assert_eq!((b.dtype(), b.shape()), (safetensors::Dtype::F32, &[2, 2][..]));
        assert_eq!(b.data(), [1_f32, 3.0, 2.0, 4.0].map(f32::to_le_bytes).concat());
        assert_eq!(file.tensor("a").unwrap().dtype(), safetensors::Dtype::BF16);
    }

    #[test]
    fn equal_tensors_in_any_order_give_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, tensors: &[(String, Tensor)]| {
            let path = dir.path().join(name);
            let metadata = ["x", "y", "z"].map(|key| (key.to_owned(), key.to_owned()));
            save_tensors(&path, tensors, &BTreeMap::from(metadata)).unwrap();
            std::fs::read(path).unwrap()
        };
        let mut reversed = tensors();
        reversed.reverse();
        assert_eq!(write("one", &tensors()), write("two", &reversed));
    }

    #[test]
    fn doubled_names_and_other_dtypes_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let doubled = [tensors(), tensors()].concat();
        let error = save_tensors(&path, &doubled, &BTreeMap::new()).unwrap_err();
        assert!(matches!(error, ModelError::DuplicateTensor(name) if name == "a"));
        let integers = [("ids".to_owned(), Tensor::new(&[1_u32], &Device::Cpu).unwrap())];
        let error = save_tensors(&path, &integers, &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("ids"), "{error}");
    }
}
