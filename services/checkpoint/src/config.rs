//! What can be configured about the checkpoint service: the section `checkpoint`.
use std::time::Duration;

use rootstock_runtime::config::units::{bytes, duration};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The section `checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Uploads in flight at once; more get OVERLOADED.
    pub max_uploads: usize,
    /// The largest blob.
    #[serde(with = "bytes")]
    pub max_blob_bytes: u64,
    /// An upload that got no byte for so long is given up, and a complete blob that no artifact names is removed.
    #[serde(with = "duration")]
    pub upload_expiry: Duration,
    /// How long a blob that was uploaded, or that a client was told is there, waits for its artifact's commit.
    #[serde(with = "duration")]
    pub commit_grace: Duration,
    /// How often abandoned uploads and blobs are looked for.
    #[serde(with = "duration")]
    pub sweep_interval: Duration,
    /// Connections that read the catalog at once.
    pub catalog_readers: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_uploads: 256,
            max_blob_bytes: 1 << 40,
            upload_expiry: Duration::from_secs(24 * 3600),
            commit_grace: Duration::from_secs(15 * 60),
            sweep_interval: Duration::from_secs(10 * 60),
            catalog_readers: 4,
        }
    }
}

impl Config {
    /// Checks what would make the service useless.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let checks = [
            ("max_uploads", self.max_uploads > 0),
            ("max_blob_bytes", self.max_blob_bytes > 0),
            ("sweep_interval", !self.sweep_interval.is_zero()),
            ("catalog_readers", self.catalog_readers > 0),
        ];
        match checks.into_iter().find(|(_, right)| !right) {
            None => Ok(()),
            Some((key, _)) => Err(Error::Config { key, problem: "must be above 0" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_limit_is_refused_by_name() {
        assert!(Config::default().validate().is_ok());
        let error = Config { max_uploads: 0, ..Config::default() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "checkpoint.max_uploads must be above 0");
    }
}
