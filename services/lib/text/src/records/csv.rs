//! Comma-separated values (RFC 4180): the first record names the fields, and each of the others is a row of texts.

use std::collections::HashSet;

use csv::{ByteRecord, ReaderBuilder, StringRecord};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{MAX_LINE_BYTES, Place, RowError, Visit, too_long, without_place};

/// The most columns.
const MAX_COLUMNS: usize = 4096;

pub(super) fn each<Raw: DeserializeOwned>(bytes: &[u8], visit: &mut Visit<'_, Raw>) -> Result<(), RowError> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(bytes);
    let names = reader.headers().map_err(|error| file(error.to_string()))?.clone();
    check_names(&names)?;
    let mut record = ByteRecord::new();
    for row in 1.. {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(row + 1, |position| position.line() as usize);
                let place = Place { row, line };
                visit(place, object(&names, &record, (bytes, place)))?;
            }
            Err(error) => return visit(Place { row, line: row + 1 }, Err(file(error.to_string()))),
        }
    }
    Ok(())
}

fn file(problem: String) -> RowError {
    RowError::File { problem }
}

fn check_names(names: &StringRecord) -> Result<(), RowError> {
    if names.len() > MAX_COLUMNS {
        return Err(file(format!("has {} columns, more than the {MAX_COLUMNS} allowed", names.len())));
    }
    if names.as_slice().len() > MAX_LINE_BYTES {
        return Err(file(format!("the first line {}", too_long(names.as_slice().len()))));
    }
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(file(format!("two columns are called {name:?}; rename one of them")));
        }
    }
    Ok(())
}

fn object<Raw: DeserializeOwned>(
    names: &StringRecord,
    record: &ByteRecord,
    (bytes, place): (&[u8], Place),
) -> Result<Raw, RowError> {
    if record.as_slice().len() > MAX_LINE_BYTES {
        return Err(place.json(too_long(record.as_slice().len())));
    }
    if record.len() != names.len() {
        let (has, needs) = (record.len(), names.len());
        return Err(place.json(format!("has {has} fields, but the first line names {needs}")));
    }
    let mut object = Map::new();
    for (name, field) in names.iter().zip(record) {
        let text = std::str::from_utf8(field).map_err(|_| not_utf8(record, bytes, place))?;
        object.insert(name.to_owned(), Value::String(text.to_owned()));
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| place.json(without_place(&error)))
}

/// The first wrong byte of a record that has one.
fn not_utf8(record: &ByteRecord, bytes: &[u8], place: Place) -> RowError {
    let begin = record.position().map_or(0, |position| position.byte() as usize);
    let rest = bytes.get(begin..).unwrap_or_default();
    let valid = std::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), str::len);
    RowError::NotUtf8 { row: Some(place.row), offset: begin + valid, line: place.line }
}
