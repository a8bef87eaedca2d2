//! Records of a data set's file, whatever its format: JSON lines, a JSON array, CSV or Parquet. Each is an object of named fields, and a
//! bad one is told with its row and line; whoever reads may go on after it.

mod array;
mod csv;
mod lines;
mod object;
mod parquet;

use serde::de::DeserializeOwned;
use thiserror::Error;

/// The most rows in one data set.
pub const MAX_ROWS: usize = 2_000_000;
/// The longest record in bytes: a line of JSON lines, an element of an array, the fields of a row together.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// How the records of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// A JSON object on each line, or a JSON array of objects: the first character tells.
    Json,
    /// Comma-separated values; the first record has the names of the fields.
    Csv,
    /// Apache Parquet, uncompressed or with Snappy.
    Parquet,
}

/// What is wrong with a record, or with the file around it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowError {
    /// The bytes are not text.
    #[error("not UTF-8 from byte {offset} on (line {line}); save the file as UTF-8")]
    NotUtf8 {
        /// Number of the row, from 1, where it is known.
        row: Option<usize>,
        /// Offset of the first wrong byte.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// There is no row.
    #[error("there are no rows")]
    Empty,
    /// There are too many rows.
    #[error("more than {limit} rows")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The file isn't what its name says, or can't be read on.
    #[error("{problem}")]
    File {
        /// What is wrong.
        problem: String,
    },
    /// A row that is no record of its format, or not an object.
    #[error("row {row} (line {line}): {problem}")]
    Json {
        /// Number of the row, from 1.
        row: usize,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A field of a row.
    #[error("row {row} (line {line}): field \"{field}\" {problem}")]
    Field {
        /// Number of the row, from 1.
        row: usize,
        /// Its line, from 1; in a JSON array the line where the row begins, in Parquet the row's number.
        line: usize,
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: FieldProblem,
    },
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FieldProblem {
    /// It is not there.
    #[error("is missing; {0}")]
    Missing(&'static str),
    /// It is there, and says nothing.
    #[error("is blank")]
    Blank,
    /// It is of another type.
    #[error("must be a string, not {0}")]
    Type(&'static str),
    /// Anything else.
    #[error("{0}")]
    Other(&'static str),
}

impl RowError {
    /// Number of the row, from 1, where one is to blame.
    pub fn row(&self) -> Option<usize> {
        match self {
            Self::NotUtf8 { row, .. } => *row,
            Self::Json { row, .. } | Self::Field { row, .. } => Some(*row),
            Self::Empty | Self::TooMany { .. } | Self::File { .. } => None,
        }
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) row: usize,
    pub(crate) line: usize,
}

impl Place {
    pub(crate) fn json(&self, problem: String) -> RowError {
        RowError::Json { row: self.row, line: self.line, problem }
    }
}

/// What is done with each record; an error ends the reading.
pub(crate) type Visit<'v, Raw> = dyn FnMut(Place, Result<Raw, RowError>) -> Result<(), RowError> + 'v;

/// Reads records one after the other. Of Parquet only `columns` are; none means all.
pub(crate) fn each<Raw: DeserializeOwned>(
    bytes: &[u8],
    format: RecordFormat,
    columns: &[&str],
    visit: &mut Visit<'_, Raw>,
) -> Result<(), RowError> {
    let bounded = &mut |place: Place, raw: Result<Raw, RowError>| {
        if place.row > MAX_ROWS {
            return Err(RowError::TooMany { limit: MAX_ROWS });
        }
        visit(place, raw)
    };
    match format {
        RecordFormat::Json => {
            let bytes = without_mark(bytes);
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'[') => array::each(bytes, bounded),
                _ => lines::each(bytes, bounded),
            }
        }
        RecordFormat::Csv => csv::each(without_mark(bytes), bounded),
        RecordFormat::Parquet => parquet::each(bytes, columns, bounded),
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The text of a file, without its byte order mark.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, RowError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text)),
        Err(error) => {
            let offset = error.valid_up_to();
            let line = 1 + bytes[..offset].iter().filter(|&&b| b == b'\n').count();
            Err(RowError::NotUtf8 { row: None, offset, line })
        }
    }
}

/// The JSON reader's message without its own line and column: the row and its line are named already.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) if error.line() > 0 => text[..at].to_owned(),
        _ => text,
    }
}

fn too_long(bytes: usize) -> String {
    format!("has {bytes} bytes, more than the {MAX_LINE_BYTES} allowed")
}
