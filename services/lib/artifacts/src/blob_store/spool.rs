//! The file of one upload in flight, and the record of how much of it is durable.
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::faults::{Fault, Faults, Point};
use crate::{Digest, Hasher, fsync};

/// Ending of the file with the bytes.
pub(super) const DATA: &str = "data";
/// Ending of the file that says how many of them are durable.
pub(super) const RECORD: &str = "record";
/// Files from this size on are written behind: what is on disk leaves the page cache at once, so that a state as large as memory pushes
/// nothing out of it, and the pages for what comes next are those that just came free. Who wants such a file reads it from the disk.
const WRITTEN_BEHIND: u64 = 64 << 20;
/// How much of such a file is in the page cache before it goes to disk.
const BEHIND_BYTES: u64 = 8 << 20;
/// How much is read at a time when an upload is resumed.
const READ_BYTES: usize = 1 << 20;

/// What the record says: announced size, durable bytes, and a check of both, so that a torn record is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) total: u64,
    pub(super) durable: u64,
}

impl Record {
    const BYTES: usize = 24;

    fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.total.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.durable.to_le_bytes());
        let check = Digest::of(&bytes[..16]);
        bytes[16..].copy_from_slice(&check.as_bytes()[..8]);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let record = Self { total: number(0)?, durable: number(8)? };
        (record.encode() == bytes && record.durable <= record.total).then_some(record)
    }
}

/// An upload's file, open for appending. All its functions block on the disk.
#[derive(Debug)]
pub(super) struct SpoolFile {
    data: File,
    record: File,
    total: u64,
    durable: u64,
    /// How much was written behind.
    behind: u64,
    /// Whether it may not hold what is counted as written.
    lost: bool,
    hasher: Hasher,
}

impl SpoolFile {
    /// Makes the files of a new upload, durably.
    pub(super) fn create(dir: &Path, digest: &Digest, total: u64, faults: &Faults) -> io::Result<Self> {
        faults.pass(Point::CreateSpool)?;
        let stem = dir.join(digest.hex());
        let open = |ending: &str| {
            OpenOptions::new().create(true).truncate(true).write(true).open(stem.with_extension(ending))
        };
        let (data, record) = (open(DATA)?, open(RECORD)?);
        let (durable, behind, hasher) = (0, 0, Hasher::new());
        let mut file = Self { data, record, total, durable, behind, lost: false, hasher };
        file.write_record(0)?;
        fsync::sync_dir(dir)?;
        Ok(file)
    }

    /// Opens the files of an upload that a crash or a shutdown interrupted, and cuts off what was never told to be
    /// durable. `None` if they cannot be gone on with.
    pub(super) fn reopen(dir: &Path, digest: &Digest) -> io::Result<Option<Self>> {
        let stem = dir.join(digest.hex());
        let Some(record) = read_record(&stem.with_extension(RECORD))? else { return Ok(None) };
        let open = |ending: &str| OpenOptions::new().read(true).write(true).open(stem.with_extension(ending));
        let mut data = match open(DATA) {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if data.metadata()?.len() < record.durable {
            return Ok(None);
        }
        data.set_len(record.durable)?;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = data.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        let Record { total, durable } = record;
        let (record, behind) = (open(RECORD)?, durable);
        Ok(Some(Self { record, data, total, durable, behind, lost: false, hasher }))
    }

    /// The announced size.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes are durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// How many bytes are there, durable or not.
    pub(super) fn written(&self) -> u64 {
        self.hasher.len()
    }

    /// The digest of what is there.
    pub(super) fn digest(&self) -> Digest {
        self.hasher.finish()
    }

    /// Appends bytes. After an error nothing of them is there, unless it was a crash.
    pub(super) fn append(&mut self, bytes: &[u8], faults: &Faults) -> io::Result<()> {
        self.refuse_lost()?;
        self.write_behind(faults)?;
        if let Err(error) = self.write(bytes, faults) {
            if !faults.crashed() {
                let end = SeekFrom::Start(self.written());
                let cut = self.data.set_len(self.written()).and_then(|()| self.data.seek(end));
                self.lost = cut.is_err();
                cut?;
            }
            return Err(error);
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// Lets what was appended go to disk and out of the page cache.
    fn write_behind(&mut self, faults: &Faults) -> io::Result<()> {
        if self.total < WRITTEN_BEHIND || self.written() - self.behind < BEHIND_BYTES {
            return Ok(());
        }
        self.flush(faults)?;
        #[cfg(target_os = "linux")]
        {
            let len = std::num::NonZero::new(self.written() - self.behind);
            // A hint.
            let _ = rustix::fs::fadvise(&self.data, self.behind, len, rustix::fs::Advice::DontNeed);
        }
        self.behind = self.written();
        Ok(())
    }

    /// Writes to disk. The system tells only once of bytes that it lost, so a file that lost some is not gone on with as it is.
    fn flush(&mut self, faults: &Faults) -> io::Result<()> {
        self.refuse_lost()?;
        let flushed = faults.pass(Point::SyncChunk).and_then(|()| self.data.sync_data());
        self.lost = flushed.is_err();
        flushed
    }

    /// Whether the file may not hold what is counted as written.
    pub(super) fn lost(&self) -> bool {
        self.lost
    }

    fn refuse_lost(&self) -> io::Result<()> {
        if self.lost { Err(io::Error::other("the disk lost bytes of this upload")) } else { Ok(()) }
    }

    fn write(&mut self, bytes: &[u8], faults: &Faults) -> io::Result<()> {
        match faults.strike(Point::WriteChunk) {
            None => self.data.write_all(bytes),
            Some(fault) => {
                // A full disk takes a part before it fails, and so does a torn write.
                if matches!(fault, Fault::TornWrite | Fault::DiskFull) {
                    self.data.write_all(&bytes[..bytes.len() / 2])?;
                }
                Err(fault.error())
            }
        }
    }

    /// Makes all that was appended durable, first the bytes, then the record of it.
    pub(super) fn sync(&mut self, faults: &Faults) -> io::Result<()> {
        if self.durable == self.written() {
            return Ok(());
        }
        self.flush(faults)?;
        faults.pass(Point::RecordOffset)?;
        self.write_record(self.written())
    }

    fn write_record(&mut self, durable: u64) -> io::Result<()> {
        self.record.seek(SeekFrom::Start(0))?;
        self.record.write_all(&Record { total: self.total, durable }.encode())?;
        self.record.sync_data()?;
        self.durable = durable;
        Ok(())
    }
}

/// Reads a record; `None` if there is none that can be trusted.
pub(super) fn read_record(path: &Path) -> io::Result<Option<Record>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Record::decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes an upload's files.
pub(super) fn remove(dir: &Path, digest: &Digest) -> io::Result<()> {
    let stem = dir.join(digest.hex());
    fsync::remove(&stem.with_extension(DATA))?;
    fsync::remove(&stem.with_extension(RECORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_is_no_record() {
        let bytes = Record { total: 100, durable: 64 }.encode();
        assert_eq!(Record::decode(&bytes), Some(Record { total: 100, durable: 64 }));
        for len in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..len]), None);
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&flipped), None, "bit {bit}");
        }
        assert_eq!(Record::decode(&Record { total: 1, durable: 2 }.encode()), None);
    }

    #[test]
    fn reopening_cuts_off_what_was_not_synced() {
        let dir = tempfile::tempdir().unwrap();
        let (digest, faults) = (Digest::of(b"abcdef"), Faults::default());
        let mut file = SpoolFile::create(dir.path(), &digest, 6, &faults).unwrap();
        file.append(b"abc", &faults).unwrap();
        file.sync(&faults).unwrap();
        file.append(b"xy", &faults).unwrap();
        drop(file);
        let mut file = SpoolFile::reopen(dir.path(), &digest).unwrap().unwrap();
        assert_eq!((file.written(), file.durable(), file.total()), (3, 3, 6));
        file.append(b"def", &faults).unwrap();
        assert_eq!(file.digest(), digest);
    }

    #[test]
    fn a_file_that_is_written_behind_holds_all_that_was_appended() {
        let dir = tempfile::tempdir().unwrap();
        let piece: Vec<u8> = (0..3 << 20).map(|i| (i % 251) as u8).collect();
        let total = WRITTEN_BEHIND / piece.len() as u64 * piece.len() as u64 + piece.len() as u64;
        let whole = piece.repeat((total / piece.len() as u64) as usize);
        let (digest, faults) = (Digest::of(&whole), Faults::default());
        let mut file = SpoolFile::create(dir.path(), &digest, total, &faults).unwrap();
        while file.written() < total {
            file.append(&piece, &faults).unwrap();
            assert!(file.written() - file.behind < BEHIND_BYTES + piece.len() as u64);
        }
        file.sync(&faults).unwrap();
        assert_eq!((file.durable(), file.digest()), (total, digest));
        let written = std::fs::read(dir.path().join(digest.hex()).with_extension(DATA)).unwrap();
        assert!(written == whole);
    }

    #[test]
    fn a_file_that_the_disk_lost_bytes_of_takes_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (piece, faults) = (vec![7; BEHIND_BYTES as usize], Faults::armable());
        let mut file = SpoolFile::create(dir.path(), &Digest::of(b"any"), WRITTEN_BEHIND, &faults).unwrap();
        file.append(&piece, &faults).unwrap();
        faults.arm(Point::SyncChunk, 0, Fault::IoError);
        assert!(file.append(&piece, &faults).is_err() && file.lost());
        assert!(file.append(&piece, &faults).is_err() && file.sync(&faults).is_err());
        assert_eq!((file.written(), file.durable()), (BEHIND_BYTES, 0));
    }

    #[test]
    fn less_data_than_recorded_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let (digest, faults) = (Digest::of(b"abc"), Faults::default());
        let mut file = SpoolFile::create(dir.path(), &digest, 3, &faults).unwrap();
        file.append(b"abc", &faults).unwrap();
        file.sync(&faults).unwrap();
        file.data.set_len(2).unwrap();
        assert!(SpoolFile::reopen(dir.path(), &digest).unwrap().is_none());
    }
}
