//! The files of a directory to be imported: pickles refused, what isn't needed left out by name.
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rootstock_artifacts::check::{MAGIC_BYTES, check_file_name, is_pickle};

use super::NamedFile;
use crate::CliError;

/// A directory's files.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Those to be sent, by name.
    pub(crate) files: Vec<NamedFile>,
    /// Names of those that aren't needed.
    pub(crate) left_out: Vec<String>,
}

impl Listing {
    /// The place of a file, if it is to be sent.
    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        self.files.iter().find(|(file, _)| file == name).map(|(_, path)| path.as_path())
    }

    /// The bytes of a file that must be there.
    pub(crate) fn read(&self, dir: &Path, name: &str) -> Result<Vec<u8>, CliError> {
        let missing = || CliError::refused(format!("{} has no {name}", dir.display()));
        read(self.path(name).ok_or_else(missing)?)
    }
}

/// Lists the regular files of `dir` that aren't hidden; `needed` tells which are to be sent.
pub(crate) fn list(dir: &Path, needed: impl Fn(&str) -> bool) -> Result<Listing, CliError> {
    let failed = |source| CliError::io(dir.display().to_string(), source);
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || !path.is_file() {
            continue;
        }
        refuse_pickle(&name, &path)?;
        if check_file_name(&name) && needed(&name) {
            listing.files.push((name, path));
        } else {
            listing.left_out.push(name);
        }
    }
    listing.files.sort();
    listing.left_out.sort();
    Ok(listing)
}

/// A whole file, with its name in the error.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::io(path.display().to_string(), source))
}

fn refuse_pickle(name: &str, path: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::io(path.display().to_string(), source);
    let mut start = Vec::with_capacity(MAGIC_BYTES);
    File::open(path).map_err(failed)?.take(MAGIC_BYTES as u64).read_to_end(&mut start).map_err(failed)?;
    if !is_pickle(name, &start) {
        return Ok(());
    }
    Err(CliError::refused(format!(
        "{} is a pickle file, which may run code when it is read; only safetensors are accepted: \
         convert it, or take it out of the directory",
        path.display()
    )))
}
