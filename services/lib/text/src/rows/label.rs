//! Texts with labels, for classification.

use serde::Deserialize;
use serde_json::Value;

use super::{BadField, RecordFormat, RowError, keep, needed, scan};

/// A text and the class it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelledText {
    /// What is to be classified; never blank.
    pub text: String,
    /// The class's name: a string, or a whole number as it is written.
    pub label: String,
}

#[derive(Deserialize)]
struct RawText {
    text: Option<Value>,
    label: Option<Value>,
}

/// Parses texts with labels: records of `text` and `label`.
///
/// # Errors
/// The first row that is not so.
pub fn parse_labelled_texts(bytes: &[u8], format: RecordFormat) -> Result<Vec<LabelledText>, RowError> {
    let mut rows = Vec::new();
    scan_labelled_texts(bytes, format, &mut |_, found| keep(&mut rows, found?))?;
    if rows.is_empty() { Err(RowError::Empty) } else { Ok(rows) }
}

/// Gives each record's number and its text, or what is wrong with it; see [`scan_rows`](super::scan_rows).
///
/// # Errors
/// That of the answer; a file that can't be read on.
pub fn scan_labelled_texts(
    bytes: &[u8],
    format: RecordFormat,
    visit: &mut dyn FnMut(usize, Result<Vec<LabelledText>, RowError>) -> Result<(), RowError>,
) -> Result<(), RowError> {
    scan(bytes, format, &["text", "label"], labelled, visit)
}

fn labelled(raw: RawText) -> Result<Vec<LabelledText>, BadField> {
    let missing = "each row needs text and label";
    // Data sets of Hugging Face have labels that are numbers.
    let label = match raw.label {
        Some(Value::Number(number)) if number.is_u64() => Some(Value::String(number.to_string())),
        label => label,
    };
    Ok(vec![LabelledText {
        text: needed("text", raw.text, missing)?,
        label: needed("label", label, missing)?,
    }])
}
