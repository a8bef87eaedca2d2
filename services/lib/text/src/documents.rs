//! Documents for causal pre-training, from plain text or JSON lines with a `text` field.

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::rows::{utf8, without_place};

/// The most documents in one data set.
pub const MAX_DOCUMENTS: usize = 4_000_000;

/// How a file is cut into documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    /// The file is one document.
    Text,
    /// Blank lines stand between documents.
    Paragraphs,
    /// One JSON object per line, with the document in `text`.
    JsonLines,
}

impl DocumentFormat {
    /// The format that a file's name stands for: JSON lines for `.jsonl` and `.ndjson`, else plain text.
    pub fn from_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if name.ends_with(".jsonl") || name.ends_with(".ndjson") { Self::JsonLines } else { Self::Text }
    }
}

/// Why documents were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// The bytes are not text.
    #[error("not UTF-8 from byte {offset} on (line {line}); save the file as UTF-8")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// There is no document that is not blank.
    #[error("there is no text")]
    Empty,
    /// There are too many documents.
    #[error("more than {limit} documents")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A line that is not as it must be.
    #[error("document {document} (line {line}): {problem}")]
    Line {
        /// Number of the document, from 1.
        document: usize,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
struct RawDocument {
    text: Option<Value>,
}

/// Parses documents. Blank ones are left out; the others keep every character.
///
/// # Errors
/// Bytes that are not UTF-8, a line without a `text` string, no text at all.
pub fn parse_documents(bytes: &[u8], format: DocumentFormat) -> Result<Vec<String>, DocumentError> {
    let text = utf8(bytes).map_err(|(offset, line)| DocumentError::NotUtf8 { offset, line })?;
    let documents = match format {
        DocumentFormat::Text => vec![text.to_owned()],
        DocumentFormat::Paragraphs => paragraphs(text),
        DocumentFormat::JsonLines => json_lines(text)?,
    };
    let documents: Vec<String> = documents.into_iter().filter(|text| !text.trim().is_empty()).collect();
    match documents.len() {
        0 => Err(DocumentError::Empty),
        n if n > MAX_DOCUMENTS => Err(DocumentError::TooMany { limit: MAX_DOCUMENTS }),
        _ => Ok(documents),
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match documents.last_mut() {
            Some(last) if !line.trim().is_empty() => last.push_str(line),
            Some(last) if last.is_empty() => {}
            _ => documents.push(String::new()),
        }
    }
    documents
}

fn json_lines(text: &str) -> Result<Vec<String>, DocumentError> {
    let mut documents = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let document = documents.len() + 1;
        let refuse = |problem: String| DocumentError::Line { document, line: i + 1, problem };
        if document > MAX_DOCUMENTS {
            return Err(DocumentError::TooMany { limit: MAX_DOCUMENTS });
        }
        let raw: RawDocument = serde_json::from_str(line).map_err(|error| refuse(without_place(&error)))?;
        match raw.text {
            Some(Value::String(text)) => documents.push(text),
            Some(_) => return Err(refuse("field \"text\" must be a string".to_owned())),
            None => return Err(refuse("field \"text\" is missing".to_owned())),
        }
    }
    Ok(documents)
}
