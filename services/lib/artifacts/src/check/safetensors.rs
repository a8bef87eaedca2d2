//! Reads and checks the header of a safetensors file before anything is allocated for its tensors.
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

pub use safetensors::Dtype;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Longest header that is read, in bytes. The header of a model with 10,000 tensors takes about 1 MiB.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Most dimensions of a tensor.
pub const MAX_DIMENSIONS: usize = 8;
/// Bytes of the length before the header.
const LENGTH_BYTES: u64 = 8;
/// The key that holds free text rather than a tensor.
const METADATA: &str = "__metadata__";

/// What the header says about one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where its bytes start, counted from the start of the file.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
}

/// A checked header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The tensors, ordered by where their bytes lie.
    pub tensors: Vec<TensorInfo>,
    /// Free text.
    pub metadata: BTreeMap<String, String>,
}

/// Why a file is no safetensors file.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// The file ends within the header.
    #[error("ends after {file_size} bytes, within the header of {header} bytes")]
    Truncated {
        /// Size of the file.
        file_size: u64,
        /// Announced size of the header.
        header: u64,
    },
    /// The header is larger than any sensible one.
    #[error("header of {0} bytes is larger than {MAX_HEADER_BYTES}")]
    TooLarge(u64),
    /// The header is not the JSON it must be.
    #[error("header is not valid: {0}")]
    Json(String),
    /// A tensor's entry contradicts itself or the file.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The tensors don't cover the data exactly.
    #[error("tensors cover {covered} bytes of data where the file has {data}")]
    Coverage {
        /// Bytes covered.
        covered: u64,
        /// Bytes there are.
        data: u64,
    },
}

impl Header {
    /// Reads the header from the start of a file of `file_size` bytes; the tensors' bytes are not read.
    ///
    /// # Errors
    /// When the file is no valid safetensors file: shapes, sizes and offsets must agree, and the tensors must cover
    /// the data without gap or overlap.
    pub fn read(mut reader: impl Read, file_size: u64) -> Result<Self, HeaderError> {
        if file_size < LENGTH_BYTES {
            return Err(HeaderError::Truncated { file_size, header: LENGTH_BYTES });
        }
        let mut length = [0; LENGTH_BYTES as usize];
        reader.read_exact(&mut length)?;
        let header = u64::from_le_bytes(length);
        if header > MAX_HEADER_BYTES {
            return Err(HeaderError::TooLarge(header));
        }
        if header > file_size - LENGTH_BYTES {
            return Err(HeaderError::Truncated { file_size, header });
        }
        let mut json = Vec::new();
        reader.take(header).read_to_end(&mut json)?;
        Self::parse(&json, file_size)
    }

    /// Parses the header's JSON.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(json: &[u8], file_size: u64) -> Result<Self, HeaderError> {
        let entries: Entries =
            serde_json::from_slice(json).map_err(|error| HeaderError::Json(error.to_string()))?;
        let data_start = LENGTH_BYTES + json.len() as u64;
        let data = file_size
            .checked_sub(data_start)
            .ok_or(HeaderError::Truncated { file_size, header: json.len() as u64 })?;
        let mut tensors = Vec::with_capacity(entries.tensors.len());
        for (name, entry) in entries.tensors {
            tensors.push(entry.check(name, data_start)?);
        }
        tensors.sort_by(|a, b| (a.offset, a.len, &a.name).cmp(&(b.offset, b.len, &b.name)));
        check_coverage(&tensors, data_start, data)?;
        Ok(Self { tensors, metadata: entries.metadata })
    }
}

fn check_coverage(tensors: &[TensorInfo], data_start: u64, data: u64) -> Result<(), HeaderError> {
    let mut end = data_start;
    for tensor in tensors {
        if tensor.offset != end {
            let problem = format!(
                "starts at byte {} of the data, not at {}",
                tensor.offset - data_start,
                end - data_start
            );
            return Err(HeaderError::Tensor { name: tensor.name.clone(), problem });
        }
        end += tensor.len;
    }
    let covered = end - data_start;
    if covered == data { Ok(()) } else { Err(HeaderError::Coverage { covered, data }) }
}

#[derive(Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl Entry {
    fn check(self, name: String, data_start: u64) -> Result<TensorInfo, HeaderError> {
        let (start, end) = self.data_offsets;
        let refuse = |problem: String| HeaderError::Tensor { name: name.clone(), problem };
        if self.shape.len() > MAX_DIMENSIONS {
            return Err(refuse(format!("{} dimensions are more than {MAX_DIMENSIONS}", self.shape.len())));
        }
        let bits = self
            .shape
            .iter()
            .try_fold(1_u64, |product, &size| product.checked_mul(size as u64))
            .and_then(|elements| elements.checked_mul(self.dtype.bitsize() as u64))
            .filter(|bits| bits % 8 == 0)
            .ok_or_else(|| refuse(format!("shape {:?} has no size in bytes", self.shape)))?;
        let len = end
            .checked_sub(start)
            .ok_or_else(|| refuse(format!("ends at {end}, before its start {start}")))?;
        if len != bits / 8 {
            return Err(refuse(format!("shape {:?} takes {} bytes, not {len}", self.shape, bits / 8)));
        }
        // An end beyond the file is found by the coverage check; here it must only not overflow.
        let offset = data_start.checked_add(start).filter(|offset| offset.checked_add(len).is_some());
        let offset = offset.ok_or_else(|| refuse(format!("offset {start} is out of range")))?;
        Ok(TensorInfo { name, dtype: self.dtype, shape: self.shape, offset, len })
    }
}

/// The header's JSON, with a tensor that occurs twice refused rather than the later one taken.
struct Entries {
    tensors: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Entries { tensors: BTreeMap::new(), metadata: BTreeMap::new() };
                while let Some(key) = map.next_key::<String>()? {
                    if key == METADATA {
                        entries.metadata = map.next_value()?;
                        continue;
                    }
                    let entry = map.next_value()?;
                    if entries.tensors.contains_key(&key) {
                        return Err(A::Error::custom(format_args!("tensor `{key}` occurs twice")));
                    }
                    entries.tensors.insert(key, entry);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file with this header and `data` zero bytes.
    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn read(header: &str, data: usize) -> Result<Header, HeaderError> {
        let bytes = file(header, data);
        Header::read(&bytes[..], bytes.len() as u64)
    }

    fn refusal(header: &str, data: usize) -> String {
        read(header, data).unwrap_err().to_string()
    }

    #[test]
    fn a_header_tells_names_types_shapes_and_places() {
        let json = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[4,12]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
        let header = read(json, 12).unwrap();
        let start = 8 + json.len() as u64;
        let a = TensorInfo { name: "a".into(), dtype: Dtype::F32, shape: vec![], offset: start, len: 4 };
        let b =
            TensorInfo { name: "b".into(), dtype: Dtype::BF16, shape: vec![2, 2], offset: start + 4, len: 8 };
        assert_eq!(header.tensors, [a, b]);
        assert_eq!(header.metadata["format"], "pt");
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_name() {
        let tensor = |shape: &str, offsets: &str| {
            format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        assert!(refusal(&tensor("[2]", "[0,4]"), 4).contains("`w`: shape [2] takes 8 bytes, not 4"));
        assert!(refusal(&tensor("[1]", "[4,8]"), 8).contains("`w`: starts at byte 4"), "a hole");
        assert!(refusal(&tensor("[1]", "[4,0]"), 4).contains("before its start"));
        assert!(refusal(&tensor("[4294967296,4294967296]", "[0,4]"), 4).contains("no size"));
        assert!(refusal(&tensor("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4).contains("9 dimensions"));
        assert!(refusal(&tensor("[2]", "[0,8]"), 4).contains("cover 8 bytes of data where the file has 4"));
        assert!(
            refusal(&tensor("[0]", "[18446744073709551615,18446744073709551615]"), 0)
                .contains("out of range")
        );
        assert!(refusal(&tensor("[1]", "[0,4]").replace("F32", "F33"), 4).contains("not valid"));
    }

    #[test]
    fn overlaps_and_repeated_names_are_refused() {
        let two = |b: &str, offsets: &str| {
            format!(
                r#"{{"a":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}},"{b}":{{"dtype":"U8","shape":[2],"data_offsets":{offsets}}}}}"#
            )
        };
        assert!(read(&two("b", "[2,4]"), 4).is_ok());
        assert!(refusal(&two("b", "[1,3]"), 3).contains("`b`: starts at byte 1"));
        assert!(refusal(&two("a", "[2,4]"), 4).contains("occurs twice"));
    }

    #[test]
    fn a_header_longer_than_its_file_is_never_allocated() {
        let mut bytes = file("{}", 0);
        bytes[..8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        assert!(matches!(Header::read(&bytes[..], bytes.len() as u64), Err(HeaderError::TooLarge(_))));
        bytes[..8].copy_from_slice(&100_u64.to_le_bytes());
        assert!(matches!(Header::read(&bytes[..], bytes.len() as u64), Err(HeaderError::Truncated { .. })));
        assert!(matches!(Header::read(&b"abc"[..], 3), Err(HeaderError::Truncated { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Header::read(&bytes[..], bytes.len() as u64);
            let _ = Header::parse(&bytes, u64::MAX);
        }

        #[test]
        fn no_numbers_make_the_reader_panic(shape in proptest::collection::vec(any::<u64>(), 0..4), start: u64, end: u64, size: u64) {
            let json = format!(r#"{{"w":{{"dtype":"F4","shape":{shape:?},"data_offsets":[{start},{end}]}}}}"#);
            if let Ok(header) = Header::parse(json.as_bytes(), size) {
                let total: u64 = header.tensors.iter().map(|tensor| tensor.len).sum();
                prop_assert_eq!(total, size - 8 - json.len() as u64);
            }
        }
    }
}
