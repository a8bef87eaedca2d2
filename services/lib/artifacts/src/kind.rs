//! What an artifact is, and the collection its aliases live in.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an artifact is; it decides which files must be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A Hugging Face model directory.
    BaseModel,
    /// A PEFT adapter directory.
    Adapter,
    /// What a training job needs to go on.
    TrainingState,
    /// `tokenizer.json` and its configuration.
    Tokenizer,
    /// Rows or text.
    Dataset,
    /// The per-item evidence of an evaluation.
    Evaluation,
    /// A base model's Fisher information on a data set.
    Fisher,
}

/// A kind or collection that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown collection `{0}`; there are baseModels, adapters, trainingStates, tokenizers, datasets, evaluations, fishers"
)]
pub struct UnknownKind(pub String);

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::BaseModel,
        Self::Adapter,
        Self::TrainingState,
        Self::Tokenizer,
        Self::Dataset,
        Self::Evaluation,
        Self::Fisher,
    ];

    /// The collection of its names, such as `adapters`.
    pub fn collection(self) -> &'static str {
        match self {
            Self::BaseModel => "baseModels",
            Self::Adapter => "adapters",
            Self::TrainingState => "trainingStates",
            Self::Tokenizer => "tokenizers",
            Self::Dataset => "datasets",
            Self::Evaluation => "evaluations",
            Self::Fisher => "fishers",
        }
    }

    /// The kind whose collection this is.
    ///
    /// # Errors
    /// When there is no such collection.
    pub fn of_collection(collection: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.collection() == collection)
            .ok_or_else(|| UnknownKind(collection.into()))
    }

    /// Whether aliases may be set in its collection; the other collections only group artifacts.
    pub fn has_aliases(self) -> bool {
        matches!(self, Self::BaseModel | Self::Adapter | Self::Tokenizer | Self::Dataset | Self::Fisher)
    }

    /// Its name in manifests and messages, such as `base_model`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BaseModel => "base_model",
            Self::Adapter => "adapter",
            Self::TrainingState => "training_state",
            Self::Tokenizer => "tokenizer",
            Self::Dataset => "dataset",
            Self::Evaluation => "evaluation",
            Self::Fisher => "fisher",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_collections_name_each_other() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_collection(kind.collection()), Ok(kind));
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(Kind::of_collection("models"), Err(UnknownKind("models".into())));
    }
}
