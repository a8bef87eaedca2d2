//! Data sets: UTF-8 text (CSV among it), rows that are JSON objects, and Parquet by its marks. Which keys a row must have depends on its
//! use, so whoever uses it checks that.
use std::fmt;
use std::io::{BufRead, BufReader, Read};

use rootstock_text::{DataFormat, RecordFormat};
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::AdmissionError;
use super::json::AnyObject;
use super::source::Source;
use super::utf8::{Utf8Check, Utf8Reader};

/// Longest row, in bytes.
const MAX_ROW_BYTES: u64 = 4 << 20;
/// How much text is checked at a time.
const TEXT_BYTES: usize = 64 << 10;
/// What Parquet begins and ends with.
const PARQUET_MARK: &[u8] = b"PAR1";
/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Checks one file of a data set; files that are neither rows nor text are let be.
pub(super) fn check(source: Source) -> Result<(), AdmissionError> {
    let name = source.name.clone();
    let mut reader = BufReader::with_capacity(TEXT_BYTES, source);
    match DataFormat::from_name(&name) {
        None => return Ok(()),
        Some(DataFormat::Text | DataFormat::Records(RecordFormat::Csv)) => return check_text(&name, reader),
        Some(DataFormat::Records(RecordFormat::Parquet)) => return check_parquet(&name, reader),
        Some(DataFormat::Records(RecordFormat::Json)) => {}
    }
    // The content decides, since all endings of JSON are used for lines and for an array.
    let start = reader.fill_buf().map_err(|error| AdmissionError::read(&name, error))?;
    let start = start.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => check_array(&name, reader),
        _ => check_lines(&name, reader),
    }
}

fn not_utf8(name: &str, at: u64) -> AdmissionError {
    AdmissionError::file(name, format!("is not UTF-8 at byte {at}; save it as UTF-8"))
}

fn check_text(name: &str, mut reader: impl BufRead) -> Result<(), AdmissionError> {
    let refuse = |at: u64| not_utf8(name, at);
    let mut check = Utf8Check::default();
    loop {
        let piece = reader.fill_buf().map_err(|error| AdmissionError::read(name, error))?;
        if piece.is_empty() {
            return check.finish().map_err(refuse);
        }
        check.push(piece).map_err(refuse)?;
        let read = piece.len();
        reader.consume(read);
    }
}

/// Parquet begins and ends with the same mark; what lies between is read by whoever uses it.
fn check_parquet(name: &str, mut reader: impl Read) -> Result<(), AdmissionError> {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut piece = [0; TEXT_BYTES];
    loop {
        match reader.read(&mut piece).map_err(|error| AdmissionError::read(name, error))? {
            0 => break,
            read => {
                if first.len() < PARQUET_MARK.len() {
                    first.extend_from_slice(&piece[..read]);
                }
                last.extend_from_slice(&piece[..read]);
                last.drain(..last.len().saturating_sub(PARQUET_MARK.len()));
            }
        }
    }
    if first.starts_with(PARQUET_MARK) && last == PARQUET_MARK {
        return Ok(());
    }
    Err(AdmissionError::file(name, "is no Parquet file: it must begin and end with PAR1"))
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
    let mut reader = Utf8Reader::new(reader);
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::new(&mut reader));
    let checked = deserializer.deserialize_seq(Rows { row: &mut row }).and_then(|()| deserializer.end());
    drop(deserializer);
    match (checked, reader.wrong()) {
        (Ok(()), _) => Ok(()),
        // Text is read ahead of the rows, so only its place in the file is known.
        (Err(_), Some(at)) => Err(not_utf8(name, at)),
        (Err(error), None) if error.is_io() => Err(AdmissionError::read(name, error.into())),
        (Err(error), None) => {
            let problem = format!("must be a JSON object: {error}");
            Err(AdmissionError::Row { file: name.to_owned(), row, problem })
        }
    }
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
        assert!(array(b"[{}, {\"a\": \"\xff\"}]").unwrap_err().contains("is not UTF-8 at byte 12"));
    }

    #[test]
    fn parquet_is_known_by_its_marks() {
        assert!(check_parquet("a.parquet", &b"PAR1 something PAR1"[..]).is_ok());
        for wrong in [&b""[..], b"PAR", b"PAR1 cut", b"something PAR1"] {
            let error = check_parquet("a.parquet", wrong).unwrap_err().to_string();
            assert!(error.starts_with("a.parquet: is no Parquet file"), "{error}");
        }
    }

    #[test]
    fn text_must_be_utf8() {
        assert!(check_text("a.txt", "Grüße, 世界".as_bytes()).is_ok());
        let error = check_text("a.txt", &b"gr\xfcn"[..]).unwrap_err();
        assert_eq!(error.to_string(), "a.txt: is not UTF-8 at byte 2; save it as UTF-8");
    }
}
