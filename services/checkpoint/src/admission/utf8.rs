//! UTF-8 checked while it is read, for parsers that skip over text without looking at it.
use std::io::{self, Read};

/// Longest character, in bytes.
const LONGEST: usize = 4;

/// Checks text that comes in pieces, which may end within a character.
#[derive(Debug, Default)]
pub(super) struct Utf8Check {
    open: Vec<u8>,
    checked: u64,
}

impl Utf8Check {
    /// Takes in a piece; the error is the place of the first wrong byte.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), u64> {
        // First the character that the piece before began.
        while !self.open.is_empty() {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            self.open.push(byte);
            piece = rest;
            match std::str::from_utf8(&self.open) {
                Ok(_) => self.close(),
                Err(error) if error.error_len().is_none() && self.open.len() < LONGEST => {}
                Err(_) => return Err(self.checked),
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => self.checked += piece.len() as u64,
            Err(error) => {
                self.checked += error.valid_up_to() as u64;
                if error.error_len().is_some() {
                    return Err(self.checked);
                }
                self.open = piece[error.valid_up_to()..].to_vec();
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        self.checked += self.open.len() as u64;
        self.open.clear();
    }

    /// The end of the text; an error if it is within a character.
    pub(super) fn finish(&self) -> Result<(), u64> {
        if self.open.is_empty() { Ok(()) } else { Err(self.checked) }
    }
}

/// A reader that fails at the first byte that is not UTF-8, and remembers where that was.
#[derive(Debug)]
pub(super) struct Utf8Reader<R> {
    inner: R,
    check: Utf8Check,
    wrong: Option<u64>,
}

impl<R: Read> Utf8Reader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, check: Utf8Check::default(), wrong: None }
    }

    /// Where the first wrong byte was, if reading failed for that.
    pub(super) fn wrong(&self) -> Option<u64> {
        self.wrong
    }
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let checked = if read == 0 { self.check.finish() } else { self.check.push(&buffer[..read]) };
        checked.map_err(|at| {
            self.wrong = Some(at);
            io::Error::new(io::ErrorKind::InvalidData, "not utf-8")
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], piece: usize) -> Result<(), u64> {
        let mut check = Utf8Check::default();
        text.chunks(piece).try_for_each(|piece| check.push(piece))?;
        check.finish()
    }

    #[test]
    fn pieces_may_end_within_a_character() {
        let text = "aä文🙂 ".repeat(3);
        for piece in 1..text.len() {
            assert_eq!(check(text.as_bytes(), piece), Ok(()), "{piece}");
        }
    }

    #[test]
    fn the_first_wrong_byte_is_told() {
        for piece in 1..8 {
            assert_eq!(check(b"ab\xc3x", piece), Err(2), "{piece}");
            assert_eq!(check(b"ab\xff", piece), Err(2), "{piece}");
            assert_eq!(check(&"ab🙂".as_bytes()[..5], piece), Err(2), "{piece}: cut within a character");
        }
    }
}
