//! The header of a safetensors file without its data: enough to admit or refuse an adapter before any weight is read.

use std::io::Read;

use safetensors::tensor::Metadata;

use crate::{PeftError, TensorHeader, WEIGHTS_FILE};

/// Largest header read, in bytes: about 100,000 tensors.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
/// The header's length comes first, as a little-endian u64.
const LENGTH_BYTES: usize = 8;

/// A tensor of the file; the data of all follow each other in the order of the entries, without gaps.
pub(crate) struct Entry {
    pub(crate) header: TensorHeader,
    pub(crate) bytes: usize,
}

/// Names, shapes and dtypes of the tensors in a safetensors file, in the order of their data; reads the header alone.
/// `file_bytes`, the length of the whole file, is checked against what the header describes.
///
/// # Errors
/// When the file is a pickle, is not in safetensors format, or is longer or shorter than its header says.
pub fn read_header(reader: &mut impl Read, file_bytes: u64) -> Result<Vec<TensorHeader>, PeftError> {
    Ok(read_entries(reader, file_bytes)?.into_iter().map(|entry| entry.header).collect())
}

/// The entries of a file whose tensors pass this check.
pub(crate) fn admitted(
    reader: &mut impl Read,
    file_bytes: u64,
    check: impl FnOnce(&[TensorHeader]) -> Result<(), PeftError>,
) -> Result<Vec<Entry>, PeftError> {
    let entries = read_entries(reader, file_bytes)?;
    let headers: Vec<TensorHeader> = entries.iter().map(|entry| entry.header.clone()).collect();
    check(&headers)?;
    Ok(entries)
}

pub(crate) fn read_entries(reader: &mut impl Read, file_bytes: u64) -> Result<Vec<Entry>, PeftError> {
    let mut length = [0; LENGTH_BYTES];
    read_exactly(reader, &mut length)?;
    refuse_pickle(&length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES.min(file_bytes) {
        return Err(broken(format!("its header is said to have {length} bytes")));
    }
    let mut json = vec![0; length as usize];
    read_exactly(reader, &mut json)?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(broken)?;
    let described = LENGTH_BYTES as u64 + length + metadata.data_len() as u64;
    if described != file_bytes {
        return Err(broken(format!("it has {file_bytes} bytes, but its header describes {described}")));
    }
    Ok(entries(&metadata))
}

fn entries(metadata: &Metadata) -> Vec<Entry> {
    let entry = |name: String| {
        let info = metadata.info(&name)?;
        let (start, end) = info.data_offsets;
        Some(Entry { header: (name, info.shape.clone(), info.dtype), bytes: end - start })
    };
    metadata.offset_keys().into_iter().filter_map(entry).collect()
}

fn read_exactly(reader: &mut impl Read, buffer: &mut [u8]) -> Result<(), PeftError> {
    reader.read_exact(buffer).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => broken("it ends before its header does"),
        _ => PeftError::io(WEIGHTS_FILE, error),
    })
}

/// torch.save writes a zip archive, and wrote a bare pickle before that; neither start is a sane header length.
fn refuse_pickle(start: &[u8; LENGTH_BYTES]) -> Result<(), PeftError> {
    let zip = start.starts_with(b"PK\x03\x04");
    let pickle =
        start[0] == 0x80 && (2..=5).contains(&start[1]) && u64::from_le_bytes(*start) > MAX_HEADER_BYTES;
    if zip || pickle { Err(PeftError::Pickle { file: WEIGHTS_FILE.to_owned() }) } else { Ok(()) }
}

fn broken(problem: impl ToString) -> PeftError {
    PeftError::format(WEIGHTS_FILE, problem)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<TensorHeader>, PeftError> {
        read_header(&mut &bytes[..], bytes.len() as u64)
    }

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn a_header_lists_tensors_in_the_order_of_their_data() {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},
            "b":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}"#;
        let tensors = read(&file(header, 12)).unwrap();
        assert_eq!(tensors[0], ("b".to_owned(), vec![1, 2], safetensors::Dtype::BF16));
        assert_eq!(tensors[1], ("a".to_owned(), vec![2], safetensors::Dtype::F32));
        assert!(read(&file(header, 11)).unwrap_err().to_string().contains("bytes, but its header describes"));
    }

    #[test]
    fn a_pickle_is_refused_by_what_it_starts_with() {
        for start in [&b"PK\x03\x04\x00\x00\x08\x08rest"[..], b"\x80\x02\x8a\x0al\xfc\x9cF\xf9rest"] {
            assert!(matches!(read(start), Err(PeftError::Pickle { .. })));
        }
    }

    #[test]
    fn a_header_longer_than_the_file_is_refused_before_memory_is_taken() {
        let mut bytes = (MAX_HEADER_BYTES - 1).to_le_bytes().to_vec();
        bytes.extend(b"{}");
        assert!(matches!(read(&bytes), Err(PeftError::Format { .. })));
        assert!(matches!(read(b"abc"), Err(PeftError::Format { .. })));
        assert!(matches!(read(&file(r#"{"a":{"dtype":"F32"}}"#, 0)), Err(PeftError::Format { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&file(&String::from_utf8_lossy(&bytes), 3));
        }
    }
}
