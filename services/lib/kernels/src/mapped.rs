//! Weight files mapped into memory: read without a copy, page by page as they are used.

use std::{fs::File, io, path::Path};

use memmap2::Mmap;

/// A read-only map of a file.
#[derive(Debug)]
pub struct MappedFile {
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps a file. Its bytes must not change while it is mapped: the checkpoint store never writes to a blob again, and a
    /// directory being imported is the user's promise. A file that shrinks meanwhile ends the process with SIGBUS.
    ///
    /// # Errors
    /// When the file can't be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            // An empty range can't be mapped.
            return Ok(Self { map: None });
        }
        // SAFETY: the map is read-only and private to this value; that nobody changes the file is the contract above, as it is
        // for every mapped safetensors reader. The bytes are parsed as untrusted input, so other bytes give other numbers or an
        // error, and no type with invalid bit patterns is ever made of them.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map: Some(map) })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_shows_its_bytes_also_when_empty() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"abc"] {
            let path = dir.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(MappedFile::open(&path).unwrap().bytes(), bytes);
        }
        assert!(MappedFile::open(&dir.path().join("absent")).is_err());
    }
}
