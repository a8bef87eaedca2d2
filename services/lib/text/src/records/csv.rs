//! Comma-separated values (RFC 4180): the first record names the fields, and each of the others is a row of texts.

mod split;

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{MAX_LINE_BYTES, Place, RowError, Visit, too_long, without_place};
use split::{Astray, Record, Records};

/// The most columns.
const MAX_COLUMNS: usize = 4096;

pub(super) fn each<Raw: DeserializeOwned>(bytes: &[u8], visit: &mut Visit<'_, Raw>) -> Result<(), RowError> {
    let mut records = Records::new(bytes);
    let names = match records.next() {
        None => return Ok(()),
        Some(Ok(first)) => names(&first)?,
        Some(Err(Astray { line, problem, .. })) => return Err(file(format!("line {line} {problem}"))),
    };
    for (row, record) in (1..).zip(records) {
        match record {
            Ok(record) => {
                let place = Place { row, line: record.line };
                visit(place, object(&names, &record, (bytes, place)))?;
            }
            Err(Astray { line, problem, to_the_end }) => {
                let place = Place { row, line };
                let error = place.json(problem);
                let error = if to_the_end { file(error.to_string()) } else { error };
                visit(place, Err(error))?;
            }
        }
    }
    Ok(())
}

fn file(problem: String) -> RowError {
    RowError::File { problem }
}

fn names(first: &Record<'_>) -> Result<Vec<String>, RowError> {
    if first.count > MAX_COLUMNS {
        return Err(file(format!("has {} columns, more than the {MAX_COLUMNS} allowed", first.count)));
    }
    if size(first) > MAX_LINE_BYTES {
        return Err(file(format!("the first line {}", too_long(size(first)))));
    }
    let mut seen = HashSet::new();
    let name = |field: &Cow<'_, [u8]>| {
        let name = String::from_utf8(field.to_vec());
        let name =
            name.map_err(|_| file("the first line is not UTF-8; save the file as UTF-8".to_owned()))?;
        if !seen.insert(name.clone()) {
            return Err(file(format!("two columns are called {name:?}; rename one of them")));
        }
        Ok(name)
    };
    first.fields.iter().map(name).collect()
}

fn size(record: &Record<'_>) -> usize {
    record.fields.iter().map(|field| field.len()).sum()
}

fn object<Raw: DeserializeOwned>(
    names: &[String],
    record: &Record<'_>,
    (bytes, place): (&[u8], Place),
) -> Result<Raw, RowError> {
    if size(record) > MAX_LINE_BYTES {
        return Err(place.json(too_long(size(record))));
    }
    if record.count != names.len() {
        let (has, needs) = (record.count, names.len());
        return Err(place.json(format!("has {has} fields, but the first line names {needs}")));
    }
    let mut object = Map::new();
    for (name, field) in names.iter().zip(&record.fields) {
        let text = std::str::from_utf8(field).map_err(|_| not_utf8(record, bytes, place))?;
        object.insert(name.clone(), Value::String(text.to_owned()));
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| place.json(without_place(&error)))
}

/// The first wrong byte of a record that has one.
fn not_utf8(record: &Record<'_>, bytes: &[u8], place: Place) -> RowError {
    let rest = bytes.get(record.begin..).unwrap_or_default();
    let valid = std::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), str::len);
    RowError::NotUtf8 { row: Some(place.row), offset: record.begin + valid, line: place.line }
}
