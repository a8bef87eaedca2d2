//! Data sets: UTF-8 text, and rows that are JSON objects. Which keys a row must have depends on its use, so whoever uses
//! it checks that.
use std::fmt;
use std::io::{BufRead, BufReader, Read};

use serde::de::{Deserializer, SeqAccess, Visitor};

use super::AdmissionError;
use super::json::{self, AnyObject};
use super::source::Source;

/// Longest row, in bytes.
const MAX_ROW_BYTES: u64 = 4 << 20;
/// How much text is checked at a time.
const TEXT_BYTES: usize = 64 << 10;
/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Checks one file of a data set; files that are neither rows nor text are let be.
pub(super) fn check(source: Source) -> Result<(), AdmissionError> {
    let name = source.name.clone();
    let mut reader = BufReader::with_capacity(TEXT_BYTES, source);
    if name.ends_with(".txt") {
        return check_text(&name, reader);
    }
    if !name.ends_with(".json") && !name.ends_with(".jsonl") {
        return Ok(());
    }
    // The content decides, since both endings are used for both.
    let start = reader.fill_buf().map_err(|error| AdmissionError::read(&name, error))?;
    let start = start.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => check_array(&name, reader),
        _ => check_lines(&name, reader),
    }
}

fn check_text(name: &str, mut reader: impl Read) -> Result<(), AdmissionError> {
    let mut buffer = vec![0; TEXT_BYTES];
    let (mut kept, mut before) = (0, 0_u64);
    loop {
        let read = reader.read(&mut buffer[kept..]).map_err(|error| AdmissionError::read(name, error))?;
        let filled = kept + read;
        let valid = match std::str::from_utf8(&buffer[..filled]) {
            Ok(_) => filled,
            // A character that goes on after the piece.
            Err(error) if error.error_len().is_none() && read > 0 => error.valid_up_to(),
            Err(error) => {
                let at = before + error.valid_up_to() as u64;
                return Err(AdmissionError::file(
                    name,
                    format!("is not UTF-8 at byte {at}; save it as UTF-8"),
                ));
            }
        };
        if read == 0 {
            return Ok(());
        }
        buffer.copy_within(valid..filled, 0);
        (kept, before) = (filled - valid, before + valid as u64);
    }
}

fn check_lines(name: &str, mut reader: impl BufRead) -> Result<(), AdmissionError> {
    let mut line = Vec::new();
    for row in 1.. {
        line.clear();
        let read = reader.by_ref().take(MAX_ROW_BYTES + 1).read_until(b'\n', &mut line);
        if read.map_err(|error| AdmissionError::read(name, error))? == 0 {
            break;
        }
        let refuse = |problem: String| AdmissionError::Row { file: name.to_owned(), row, problem };
        if line.len() as u64 > MAX_ROW_BYTES {
            return Err(refuse(format!("has more than {MAX_ROW_BYTES} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|error| {
            refuse(format!(
                "is not UTF-8 at byte {} of the line; save the file as UTF-8",
                error.valid_up_to()
            ))
        })?;
        let text = if row == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
        if !text.trim().is_empty() {
            serde_json::from_str::<AnyObject>(text)
                .map_err(|error| refuse(format!("must be a JSON object on one line: {error}")))?;
        }
    }
    Ok(())
}

fn check_array(name: &str, mut reader: impl BufRead) -> Result<(), AdmissionError> {
    let start = reader.fill_buf().map_err(|error| AdmissionError::read(name, error))?;
    let mark = if start.starts_with(BYTE_ORDER_MARK.as_bytes()) { BYTE_ORDER_MARK.len() } else { 0 };
    reader.consume(mark);
    let mut row = 1;
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let checked = deserializer.deserialize_seq(Rows { row: &mut row });
    checked.and_then(|()| deserializer.end()).map_err(|error| {
        json::refusal(name, error, |error| AdmissionError::Row {
            file: name.to_owned(),
            row,
            problem: format!("must be a JSON object: {error}"),
        })
    })
}

/// Counts the rows of an array, so that an error knows where it is.
struct Rows<'a> {
    row: &'a mut u64,
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of JSON objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element::<AnyObject>()?.is_some() {
            *self.row += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Result<(), String> {
        check_lines("rows.jsonl", bytes).map_err(|error| error.to_string())
    }

    fn array(bytes: &[u8]) -> Result<(), String> {
        check_array("rows.json", bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_that_is_no_object_is_named() {
        assert_eq!(lines(b"\xef\xbb\xbf{\"a\": 1}\n\n{}"), Ok(()));
        assert!(lines(b"{}\n[1]\n").unwrap_err().starts_with("rows.jsonl: row 2: must be a JSON object"));
        assert!(lines(b"{}\n{\n").unwrap_err().starts_with("rows.jsonl: row 2"));
        assert!(lines(b"{}\n{\"a\": \"\xff\"}\n").unwrap_err().contains("row 2: is not UTF-8 at byte 7"));
        let long = vec![b' '; MAX_ROW_BYTES as usize + 1];
        assert!(lines(&long).unwrap_err().contains("more than"));
    }

    #[test]
    fn an_array_is_checked_row_by_row() {
        assert_eq!(array(b" [{}, {\"a\": [1, {}]}] "), Ok(()));
        assert_eq!(array(b"\xef\xbb\xbf[]"), Ok(()));
        assert!(array(b"[{}, {}, 3]").unwrap_err().starts_with("rows.json: row 3: must be a JSON object"));
        assert!(array(b"[{}").is_err());
        assert!(array(b"[{}] x").is_err());
        assert!(array(b"[{\"a\": \"\xff\"}]").is_err(), "not UTF-8");
    }

    #[test]
    fn text_is_utf8_wherever_the_pieces_end() {
        let text = "ä".repeat(TEXT_BYTES) + "文";
        for cut in 0..3 {
            assert!(check_text("a.txt", &text.as_bytes()[cut * 2..]).is_ok());
            let shifted = [b"x".repeat(cut), text.clone().into_bytes()].concat();
            assert!(check_text("a.txt", &shifted[..]).is_ok());
        }
        let mut broken = text.clone().into_bytes();
        broken[100_001] = b'x';
        let error = check_text("a.txt", &broken[..]).unwrap_err();
        assert_eq!(error.to_string(), "a.txt: is not UTF-8 at byte 100000; save it as UTF-8");
        assert!(check_text("a.txt", &text.as_bytes()[..text.len() - 1]).is_err(), "cut within a character");
    }
}
