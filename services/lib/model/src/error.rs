//! What can go wrong between a model's files and its answers.

use thiserror::Error;

use crate::ConfigError;

/// Why a model could not be loaded, run or trained.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A weight file can't be read or written.
    #[error("{file}: {source}")]
    Io {
        /// The file's name without its folder.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A weight file is not in safetensors format.
    #[error("{file} is not a valid safetensors file: {problem}")]
    Format {
        /// The file's name without its folder.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The files lack weights the configuration asks for.
    #[error("the weight files lack {}; check that all shards are there", names(.0))]
    MissingTensors(Vec<String>),
    /// The files hold weights the configuration has no place for.
    #[error("the weight files hold tensors this model has no place for: {}", names(.0))]
    UnexpectedTensors(Vec<String>),
    /// Two files hold the same weight.
    #[error("tensor {0} is stored in more than one weight file")]
    DuplicateTensor(String),
    /// A weight has the wrong shape.
    #[error("tensor {name} has shape {found:?}, but the configuration asks for {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// A weight has a dtype that is not read.
    #[error("tensor {name} is stored as {dtype}; supported are F32, F16 and BF16")]
    Dtype {
        /// The tensor's name.
        name: String,
        /// Its dtype in the file.
        dtype: String,
    },
    /// A token id is not in the vocabulary.
    #[error("token id {id} at position {position} is not below the vocabulary size {vocab_size}")]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// Its index in the input.
        position: usize,
        /// The number of known tokens.
        vocab_size: usize,
    },
    /// There is nothing to run on.
    #[error("the input holds no tokens; give at least one")]
    EmptyInput,
    /// The sequence does not fit the key/value cache.
    #[error("{wanted} tokens do not fit the cache of {capacity}; shorten the input or raise the capacity")]
    CacheFull {
        /// Tokens in the cache after this call.
        wanted: usize,
        /// Tokens it can hold.
        capacity: usize,
    },
    /// An adapter's virtual tokens are not in the cache of a sequence.
    #[error(
        "the cache does not begin with the adapter's {wanted} virtual tokens; make it of what they begin with"
    )]
    NotBegun {
        /// How many there are.
        wanted: usize,
    },
    /// Gradients are asked for from weights that are int8.
    #[error("a model loaded as int8 is for answers alone; load it as f32 or bf16 to train")]
    AnswersAlone,
    /// A walk was asked to end ([`Interrupt`](crate::Interrupt)).
    #[error("interrupted")]
    Interrupted,
    /// A batch's parts do not fit together.
    #[error("batch: {0}")]
    Batch(String),
    /// Gradients or parameters do not fit together.
    #[error("parameter {name}: {problem}")]
    Parameter {
        /// The parameter's name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// A path's last part: messages reach clients, who have no business with the server's folders.
pub(crate) fn file_name(path: &std::path::Path) -> String {
    path.file_name().map_or_else(|| "weight file".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Names shown in a message before the rest is counted.
const SHOWN_NAMES: usize = 5;

fn names(all: &[String]) -> String {
    let shown = all[..all.len().min(SHOWN_NAMES)].join(", ");
    match all.len().saturating_sub(SHOWN_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
