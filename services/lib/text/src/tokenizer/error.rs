//! Why a tokenizer was refused, or a text could not be encoded.

use thiserror::Error;

/// Why tokenizer files were refused, or an encoding failed. Messages name the file and the field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenizerError {
    /// The file is over its size limit.
    #[error("{file} has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Name of the file.
        file: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit it is over.
        limit: usize,
    },
    /// The file is not JSON, or not of the expected form.
    #[error("{file} can't be read: {problem}")]
    Json {
        /// Name of the file.
        file: &'static str,
        /// What the JSON reader said, with line and column.
        problem: String,
    },
    /// A field holds something that can't be applied.
    #[error("{file}: {field}: {problem}")]
    Field {
        /// Name of the file.
        file: &'static str,
        /// Path of the field, such as `model.merges[12]`.
        field: String,
        /// What is wrong with it, and what would be accepted.
        problem: String,
    },
    /// The tokenizer library refused or gave up on checked input.
    #[error("the tokenizer failed at {stage}: {problem}")]
    Library {
        /// What was being done.
        stage: &'static str,
        /// What the library said.
        problem: String,
    },
    /// One text is too long to be encoded in a single call.
    #[error("text of {bytes} bytes is more than the {limit} that one call encodes; split it into documents")]
    TextTooLong {
        /// Size of the text.
        bytes: usize,
        /// The limit it is over.
        limit: usize,
    },
}

/// A token id that the tokenizer doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("token id {id} at position {position} is not in the vocabulary of {vocab_size} ids")]
pub struct UnknownId {
    /// Position in the list of ids.
    pub position: usize,
    /// The id.
    pub id: u32,
    /// One more than the highest id of the vocabulary.
    pub vocab_size: usize,
}
