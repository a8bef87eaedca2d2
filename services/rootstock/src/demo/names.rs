//! The names that the demo gives in the store.

/// The pre-training text.
pub(crate) const TEXT: &str = "datasets/demo-text";
/// The wordings that are trained on.
pub(crate) const TAUGHT: &str = "datasets/demo-taught";
/// The wordings that are held out.
pub(crate) const HELD_OUT: &str = "datasets/demo-held-out";
/// The tokenizer.
pub(crate) const TOKENIZER: &str = "tokenizers/demo";
/// The base model.
pub(crate) const MODEL: &str = "baseModels/demo";
/// The adapter.
pub(crate) const ADAPTER: &str = "adapters/demo-facts";
