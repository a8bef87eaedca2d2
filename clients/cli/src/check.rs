//! Checks of what is to be imported, made before a byte is sent: each refusal names file, field or row, and the remedy.
pub(crate) mod adapter;
pub(crate) mod data;
pub(crate) mod dir;
pub(crate) mod model;

use std::io;
use std::path::PathBuf;

use crate::CliError;

/// Name and place of a file to be sent.
pub(crate) type NamedFile = (String, PathBuf);

/// Runs a check, which reads files, on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    check: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    match tokio::task::spawn_blocking(check).await {
        Ok(checked) => checked,
        Err(error) => Err(CliError::io("the check of the files", io::Error::other(error))),
    }
}
