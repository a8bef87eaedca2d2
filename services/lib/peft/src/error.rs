//! What can be wrong with an adapter: one variant for each thing its owner has to do about it.

use thiserror::Error;

use crate::WEIGHTS_FILE;

/// Why an adapter was refused, or could not be made, read or written. Messages name fields, tensors and files, never folders.
#[derive(Debug, Error)]
pub enum PeftError {
    /// `adapter_config.json` is not a JSON object.
    #[error("adapter_config.json is not a JSON object: {0}")]
    Json(String),
    /// A field of the configuration has a value nothing can be made of.
    #[error("adapter_config.json: {field} {problem}")]
    Field {
        /// The field's name in PEFT.
        field: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A field asks for something PEFT can do and this crate can't.
    #[error("adapter_config.json: {field} = {value} is not supported; {supported}")]
    Unsupported {
        /// The field's name in PEFT.
        field: String,
        /// Its value, shortened.
        value: String,
        /// What is supported instead.
        supported: String,
    },
    /// The weights are a pickle, which can run code when it is read.
    #[error(
        "{file} is a pickle file, which is never opened; save the adapter as safetensors: adapter_model.safetensors, or adapter.safetensors for bottlenecks"
    )]
    Pickle {
        /// The file's name without its folder.
        file: String,
    },
    /// A file can't be read or written.
    #[error("{file}: {source}")]
    Io {
        /// The file's name without its folder.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The weights are not in safetensors format.
    #[error("{file} is not a valid safetensors file: {problem}")]
    Format {
        /// The file's name without its folder.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A tensor fits nowhere in the base model under this configuration.
    #[error("tensor {name} fits nowhere: {reason}")]
    UnknownTensor {
        /// The tensor's name in the file.
        name: String,
        /// Why nothing takes it.
        reason: String,
    },
    /// A name occurs twice.
    #[error("tensor {0} is stored twice")]
    DuplicateTensor(String),
    /// One of a pair is there, the other is not.
    #[error("tensor {missing} is missing, but its other half {present} is there")]
    MissingHalf {
        /// The name that was looked for.
        missing: String,
        /// The name that was found.
        present: String,
    },
    /// A tensor that the configuration asks for isn't there.
    #[error("tensor {0} is missing, although the configuration asks for it")]
    MissingTensor(String),
    /// The rank of a tensor is not the configuration's.
    #[error("tensor {name} has rank {found}, but the configuration gives its module {expected}")]
    Rank {
        /// The tensor's name.
        name: String,
        /// Its rank.
        found: usize,
        /// `r` of the configuration, or what `rank_pattern` says.
        expected: usize,
    },
    /// A tensor has the wrong shape for this base model.
    #[error("tensor {name} has shape {found:?}, but the base model asks for {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// A tensor has a dtype that is not read.
    #[error("tensor {name} is stored as {dtype}; supported are F32, F16 and BF16")]
    Dtype {
        /// The tensor's name.
        name: String,
        /// Its dtype.
        dtype: String,
    },
    /// A weight is not a number.
    #[error("tensor {name} holds a value that is not finite at element {element}; the training run diverged")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Index of the first such value, row after row.
        element: usize,
    },
    /// The adapter was made for a model of another shape.
    #[error("the adapter does not fit the base model: {0}")]
    Base(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The base model failed.
    #[error(transparent)]
    Model(#[from] rootstock_model::ModelError),
}

impl PeftError {
    pub(crate) fn field(field: &str, problem: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), problem: problem.into() }
    }

    pub(crate) fn io(file: &str, source: std::io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }

    pub(crate) fn format(file: &str, problem: impl ToString) -> Self {
        Self::Format { file: file.to_owned(), problem: problem.to_string() }
    }

    /// The same about weights that lie in a file of this name.
    pub(crate) fn of_weights(mut self, name: &str) -> Self {
        if let Self::Pickle { file } | Self::Io { file, .. } | Self::Format { file, .. } = &mut self
            && file == WEIGHTS_FILE
        {
            name.clone_into(file);
        }
        self
    }
}
