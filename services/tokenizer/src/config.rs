//! What can be configured about the tokenization service: the section `tokenizer`.

use rootstock_runtime::config::units::bytes;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The section `tokenizer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Tokenizers in memory; the one used longest ago goes first.
    pub max_tokenizers: usize,
    /// Bytes of artifacts in the local cache.
    #[serde(with = "bytes")]
    pub cache_bytes: u64,
    /// The largest data set, in bytes, that a tokenizer is trained on.
    #[serde(with = "bytes")]
    pub max_training_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_tokenizers: 16, cache_bytes: 64 << 30, max_training_bytes: 1 << 30 }
    }
}

impl Config {
    /// Checks what would make the service useless.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let checks = [
            ("max_tokenizers", self.max_tokenizers > 0),
            ("cache_bytes", self.cache_bytes > 0),
            ("max_training_bytes", self.max_training_bytes > 0),
        ];
        match checks.into_iter().find(|(_, right)| !right) {
            None => Ok(()),
            Some((key, _)) => Err(Error::Config { key }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_limit_is_refused_by_name() {
        assert!(Config::default().validate().is_ok());
        let error = Config { max_tokenizers: 0, ..Config::default() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "tokenizer.max_tokenizers must be above 0");
    }
}
