//! Texts with labels, for classification.

use serde::Deserialize;
use serde_json::Value;

use super::{BadField, RowError, needed, parse};

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

/// Parses texts with labels: objects of `text` and `label`, as JSON lines or a JSON array.
///
/// # Errors
/// The first row that is not so.
pub fn parse_labelled_texts(bytes: &[u8]) -> Result<Vec<LabelledText>, RowError> {
    parse(bytes, labelled)
}

fn labelled(raw: RawText) -> Result<Vec<LabelledText>, BadField> {
    let missing = "is missing; each row needs text and label";
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
