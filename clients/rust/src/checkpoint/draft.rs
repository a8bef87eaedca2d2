//! An artifact to be: files on disk or in memory, and what is known about them.
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rootstock_artifacts::{Digest, Kind, check};

use crate::ClientError;

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub enum Source {
    /// On disk; must not change during the upload.
    Path(PathBuf),
    /// In memory.
    Bytes(Bytes),
    /// Made as they are read.
    Made(Arc<dyn Made>),
}

/// A file that is nowhere as a whole, such as one of numbers that lie in memory in another order.
pub trait Made: Debug + Send + Sync {
    /// Its bytes.
    fn size(&self) -> u64;

    /// Fills `into` with the bytes from `offset` on, of which there are enough; always the same.
    ///
    /// # Errors
    /// When they can't be made.
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// Reads a made file from its beginning.
struct FromBeginning<'a> {
    file: &'a dyn Made,
    offset: u64,
}

impl Read for FromBeginning<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.size() - self.offset).unwrap_or(usize::MAX);
        let count = left.min(into.len());
        self.file.read(self.offset, &mut into[..count])?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Source {
    /// Digest and size, of all that it holds; takes as long as reading it.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn digest(&self) -> io::Result<(Digest, u64)> {
        match self {
            Self::Path(path) => Digest::of_file(path),
            Self::Bytes(bytes) => Ok((Digest::of(bytes), bytes.len() as u64)),
            Self::Made(file) => Digest::of_reader(FromBeginning { file: file.as_ref(), offset: 0 }),
        }
    }

    /// The same on a blocking thread.
    pub(super) async fn measure(&self, name: &str) -> Result<(Digest, u64), ClientError> {
        let source = self.clone();
        let measured = tokio::task::spawn_blocking(move || source.digest());
        let failed = |error: io::Error| ClientError::local(format!("cannot read {name}"), error);
        measured.await.map_err(|error| failed(error.into()))?.map_err(failed)
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

/// An artifact to be uploaded and committed.
#[derive(Clone, Debug)]
pub struct ArtifactDraft {
    /// What it is.
    pub kind: Kind,
    /// The alias it is a version of, such as `adapters/greeter`; may be empty.
    pub parent: String,
    /// Names and bytes of its files.
    pub files: Vec<(String, Source)>,
    /// Digest of the base model it belongs to; may be empty.
    pub base_digest: String,
    /// Digest of its tokenizer; may be empty.
    pub tokenizer_digest: String,
    /// Free text.
    pub annotations: BTreeMap<String, String>,
}

impl ArtifactDraft {
    /// A draft without files.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            parent: String::new(),
            files: Vec::new(),
            base_digest: String::new(),
            tokenizer_digest: String::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Sets the alias it is a version of.
    #[must_use]
    pub fn parent(mut self, parent: impl Into<String>) -> Self {
        self.parent = parent.into();
        self
    }

    /// Sets the base model.
    #[must_use]
    pub fn base_digest(mut self, digest: impl Into<String>) -> Self {
        self.base_digest = digest.into();
        self
    }

    /// Sets the tokenizer.
    #[must_use]
    pub fn tokenizer_digest(mut self, digest: impl Into<String>) -> Self {
        self.tokenizer_digest = digest.into();
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, source: impl Into<Source>) -> Self {
        self.files.push((name.into(), source.into()));
        self
    }

    /// Adds every regular file of a directory, but hidden ones and those whose name no artifact may have.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn dir(mut self, dir: &Path) -> Result<Self, ClientError> {
        let failed = |error: io::Error| ClientError::local(format!("cannot read {}", dir.display()), error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name =
                entry.file_name().to_str().map(str::to_owned).filter(|name| check::check_file_name(name));
            if let Some(name) = name.filter(|_| entry.path().is_file()) {
                names.push(name);
            }
        }
        names.sort();
        self.files.extend(names.into_iter().map(|name| (name.clone(), Source::Path(dir.join(name)))));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gives_its_plain_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.json", "a.safetensors", ".hidden", "with space"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        let draft = ArtifactDraft::new(Kind::BaseModel).dir(dir.path()).unwrap();
        let names: Vec<_> = draft.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.safetensors", "b.json"]);
        assert!(ArtifactDraft::new(Kind::BaseModel).dir(&dir.path().join("none")).is_err());
    }
}
