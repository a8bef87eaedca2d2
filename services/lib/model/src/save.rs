//! Writing safetensors files so that equal tensors give equal bytes: sorted by name, metadata sorted by key.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Error, Write},
    path::Path,
};

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use half::bf16;
use serde_json::{Map, Value, json};

use crate::{ModelError, error::file_name};

/// The header's length is a multiple of this, padded with spaces, as the format asks for.
const ALIGNMENT: usize = 8;
/// Bytes written at a time.
const PIECE: usize = 1 << 20;

/// Writes tensors (f32 or bf16) as a safetensors file.
///
/// # Errors
/// As [`TensorFile::new`], and when the file can't be written.
pub fn save_tensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<(), ModelError> {
    let made = TensorFile::new(tensors, metadata)?;
    let io = |source: Error| ModelError::Io { file: file_name(path), source };
    let mut file = File::create(path).map_err(io)?;
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    while offset < made.size() {
        let count = PIECE.min(usize::try_from(made.size() - offset).unwrap_or(PIECE));
        made.read(offset, &mut piece[..count])?;
        file.write_all(&piece[..count]).map_err(io)?;
        offset += count as u64;
    }
    file.sync_all().map_err(io)
}

/// A safetensors file of tensors in memory, any part of which can be read.
#[derive(Clone, Debug)]
pub struct TensorFile {
    /// The header and its length.
    head: Vec<u8>,
    /// Where each begins behind that, and its numbers.
    tensors: Vec<(u64, Tensor)>,
    size: u64,
}

impl TensorFile {
    /// The file of these tensors (f32 or bf16). What lies in memory in order is not copied; it must not change as long as the file is
    /// read.
    ///
    /// # Errors
    /// When a tensor has another dtype, or a name occurs twice.
    pub fn new(
        tensors: &[(String, Tensor)],
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, ModelError> {
        let mut sorted: Vec<&(String, Tensor)> = tensors.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(ModelError::DuplicateTensor(pair[0].0.clone()));
        }
        let header = header(&sorted, metadata)?;
        let head = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        let (mut size, mut laid) = (head.len() as u64, Vec::with_capacity(sorted.len()));
        for (_, tensor) in sorted {
            laid.push((size, tensor.detach().to_device(&Device::Cpu)?.contiguous()?));
            size += (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64;
        }
        Ok(Self { head, tensors: laid, size })
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// When there are not as many.
    pub fn read(&self, mut offset: u64, mut into: &mut [u8]) -> Result<(), ModelError> {
        if self.size.checked_sub(offset).is_none_or(|left| left < into.len() as u64) {
            return Err(candle_core::Error::msg("a read behind the end of a file of tensors").into());
        }
        if let Some(head) = self.head.get(offset as usize..) {
            let count = head.len().min(into.len());
            into[..count].copy_from_slice(&head[..count]);
            (offset, into) = (offset + count as u64, &mut into[count..]);
        }
        let mut next = self.tensors.partition_point(|(begin, _)| *begin <= offset).saturating_sub(1);
        while !into.is_empty() {
            let (begin, tensor) = &self.tensors[next];
            let count = copy(tensor, (offset - begin) as usize, into)?;
            (offset, into) = (offset + count as u64, &mut into[count..]);
            next += 1;
        }
        Ok(())
    }
}

/// Copies a tensor's bytes from the one numbered `from` on, as many as there are and fit; tells how many.
fn copy(tensor: &Tensor, from: usize, into: &mut [u8]) -> Result<usize, ModelError> {
    let (storage, layout) = tensor.storage_and_layout();
    let numbers = layout.start_offset()..layout.start_offset() + tensor.elem_count();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(all)) => Ok(copy_numbers(&all[numbers], f32::to_le_bytes, from, into)),
        Storage::Cpu(CpuStorage::BF16(all)) => Ok(copy_numbers(&all[numbers], bf16::to_le_bytes, from, into)),
        _ => Err(candle_core::Error::msg("a file of tensors holds another kind of number").into()),
    }
}

fn copy_numbers<T: Copy, const N: usize>(
    numbers: &[T],
    bytes: impl Fn(T) -> [u8; N],
    from: usize,
    into: &mut [u8],
) -> usize {
    let count = into.len().min(numbers.len() * N - from);
    let (mut number, mut into) = (from / N, &mut into[..count]);
    // What is left of a number that was begun.
    if let (within @ 1.., false) = (from % N, into.is_empty()) {
        let some = (N - within).min(into.len());
        into[..some].copy_from_slice(&bytes(numbers[number])[within..][..some]);
        (number, into) = (number + 1, &mut into[some..]);
    }
    let (whole, begun) = into.as_chunks_mut::<N>();
    for (into, number) in whole.iter_mut().zip(&numbers[number..]) {
        *into = bytes(*number);
    }
    if !begun.is_empty() {
        begun.copy_from_slice(&bytes(numbers[number + whole.len()])[..begun.len()]);
    }
    count
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
    fn any_part_of_a_file_is_what_the_whole_has_there() {
        let file = TensorFile::new(&tensors(), &BTreeMap::new()).unwrap();
        let mut whole = vec![0; file.size() as usize];
        file.read(0, &mut whole).unwrap();
        assert!(SafeTensors::deserialize(&whole).is_ok());
        for from in 0..whole.len() {
            for to in from..=whole.len() {
                let mut part = vec![0; to - from];
                file.read(from as u64, &mut part).unwrap();
                assert_eq!(part, whole[from..to], "{from}..{to}");
            }
        }
        assert!(file.read(1, &mut whole).is_err());
        assert!(file.read(u64::MAX, &mut [0]).is_err());
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
