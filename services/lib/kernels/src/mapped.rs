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

    /// Lets the pages of a part of [`MappedFile::bytes`] go that has been read: read again, they come from the file again. A hint.
    pub fn forget(&self, part: &[u8]) {
        let (Some(map), Some(start)) = (&self.map, (part.as_ptr() as usize).checked_sub(self.start())) else {
            return;
        };
        if start + part.len() > map.len() {
            return;
        }
        #[cfg(unix)]
        // SAFETY: the map is read-only and backed by a file, so pages that are dropped are read from it again, as they were.
        let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, part.len()) };
    }

    fn start(&self) -> usize {
        self.bytes().as_ptr() as usize
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

    #[test]
    fn forgotten_bytes_are_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| i as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let map = MappedFile::open(&path).unwrap();
        map.forget(&map.bytes()[4000..90_000]);
        map.forget(b"bytes of something else");
        assert_eq!(map.bytes(), bytes);
    }
}
