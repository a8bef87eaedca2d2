//! Documents for causal pre-training, from plain text or records with a `text` field.

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::records::{FieldProblem, Place, RecordFormat, RowError, each, utf8};

/// The most documents in one data set.
pub const MAX_DOCUMENTS: usize = 4_000_000;

/// How a file is cut into documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    /// The file is one document.
    Text,
    /// Blank lines stand between documents.
    Paragraphs,
    /// Each record has a document in `text`.
    Records(RecordFormat),
}

impl DocumentFormat {
    /// The format that a file's name stands for: records, else plain text.
    pub fn from_name(name: &str) -> Self {
        RecordFormat::from_name(name).map_or(Self::Text, Self::Records)
    }
}

/// Why documents were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// There is no document that is not blank.
    #[error("there is no text")]
    Empty,
    /// There are too many documents.
    #[error("more than {limit} documents")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A record that is not as it must be, or bytes that are not text.
    #[error(transparent)]
    Row(#[from] RowError),
}

#[derive(Deserialize)]
struct RawDocument {
    text: Option<Value>,
}

/// Parses documents. Blank ones are left out; the others keep every character.
///
/// # Errors
/// Bytes that are not UTF-8, a record without a `text` string, no text at all.
pub fn parse_documents(bytes: &[u8], format: DocumentFormat) -> Result<Vec<String>, DocumentError> {
    let mut documents = Vec::new();
    scan_documents(bytes, format, &mut |_, document| {
        documents.push(document?);
        Ok(())
    })?;
    documents.retain(|text| !text.trim().is_empty());
    match documents.len() {
        0 => Err(DocumentError::Empty),
        n if n > MAX_DOCUMENTS => Err(DocumentError::TooMany { limit: MAX_DOCUMENTS }),
        _ => Ok(documents),
    }
}

/// Gives the number of each document, blank ones as well, and its text, or what is wrong with it; an answer that is an error ends the
/// reading with it.
///
/// # Errors
/// That of the answer; a file that can't be read on.
pub fn scan_documents(
    bytes: &[u8],
    format: DocumentFormat,
    visit: &mut dyn FnMut(usize, Result<String, RowError>) -> Result<(), RowError>,
) -> Result<(), RowError> {
    let texts = match format {
        DocumentFormat::Records(format) => {
            return each(bytes, format, &["text"], &mut |place, raw: Result<RawDocument, RowError>| {
                visit(place.row, raw.and_then(|raw| text_of(raw, place)))
            });
        }
        DocumentFormat::Text => utf8(bytes).map(|text| vec![text.to_owned()]),
        DocumentFormat::Paragraphs => utf8(bytes).map(paragraphs),
    };
    match texts {
        Err(error) => visit(1, Err(error)),
        Ok(texts) => texts.into_iter().zip(1..).try_for_each(|(text, row)| visit(row, Ok(text))),
    }
}

pub(crate) fn paragraphs(text: &str) -> Vec<String> {
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

fn text_of(raw: RawDocument, Place { row, line }: Place) -> Result<String, RowError> {
    let refuse = |problem| RowError::Field { row, line, field: "text", problem };
    match raw.text {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(refuse(FieldProblem::Other("must be a string"))),
        None => Err(refuse(FieldProblem::Missing("each record needs a text"))),
    }
}
