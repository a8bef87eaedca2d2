//! Parquet: rows of plain columns. Columns of lists or groups are refused, because a few bytes can stand for any number of their
//! elements; pages may be compressed with Snappy alone, whose output is bounded by its input.

mod check;
mod shapes;
mod thrift;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{MAX_LINE_BYTES, Place, RowError, Visit, too_long, without_place};

/// The most bytes in the rows of a file together: a dictionary can name a long text often.
const MAX_BYTES: usize = 1 << 30;

const DAMAGED: &str = "it is damaged";

pub(super) fn each<Raw: DeserializeOwned>(
    bytes: &[u8],
    columns: &[&str],
    visit: &mut Visit<'_, Raw>,
) -> Result<(), RowError> {
    check::footer(bytes)?;
    let file = caught(|| SerializedFileReader::new(Bytes::copy_from_slice(bytes)))?;
    let wanted = projection(file.metadata().file_metadata().schema(), columns)?;
    check::pages(bytes, file.metadata(), &wanted)?;
    let mut rows = caught(|| file.get_row_iter(Some(wanted)))?;
    let mut total = 0;
    for row in 1.. {
        let place = Place { row, line: row };
        let found = match caught(|| rows.next().transpose()) {
            Ok(None) => break,
            Ok(Some(found)) => found,
            Err(error) => return visit(place, Err(error)),
        };
        let (bytes, record) = match object(&found) {
            Ok(object) => (size(&object), Ok(object)),
            Err(problem) => (0, Err(place.json(problem))),
        };
        total += bytes;
        if total > MAX_BYTES {
            let problem = format!("the rows have more than {MAX_BYTES} bytes; cut the file into several");
            return visit(place, Err(RowError::File { problem }));
        }
        visit(place, record.and_then(|object| self::record(object, bytes, place)))?;
    }
    Ok(())
}

/// What a foreign file makes the reader refuse, or stumble over.
fn caught<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, RowError> {
    let problem = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => return Ok(read),
        Ok(Err(error)) => error.to_string(),
        Err(_) => DAMAGED.to_owned(),
    };
    Err(unreadable(&problem))
}

fn unreadable(problem: &str) -> RowError {
    RowError::File { problem: format!("can't be read as Parquet: {problem}") }
}

/// The part of the schema that is read.
fn projection(schema: &Type, columns: &[&str]) -> Result<Type, RowError> {
    let wanted = |name: &str| columns.is_empty() || columns.contains(&name);
    let wanted = schema.get_fields().iter().filter(|field| wanted(field.name()));
    let fields: Vec<_> = wanted.cloned().collect();
    for field in &fields {
        let info = field.get_basic_info();
        let repeated = info.has_repetition() && info.repetition() == parquet::basic::Repetition::REPEATED;
        if !field.is_primitive() || repeated {
            let name = field.name();
            let problem = format!("column {name:?} is a list or a group; write such rows as JSON lines");
            return Err(RowError::File { problem });
        }
    }
    if fields.is_empty() {
        let problem = format!("has none of the columns {}", columns.join(", "));
        return Err(RowError::File { problem });
    }
    caught(|| Type::group_type_builder(schema.name()).with_fields(fields).build())
}

fn object(row: &Row) -> Result<Map<String, Value>, String> {
    let fields = row.get_column_iter().map(|(name, field)| Ok((name.clone(), value(name, field)?)));
    fields.collect()
}

/// About the bytes of a row as JSON.
fn size(object: &Map<String, Value>) -> usize {
    object.iter().map(|(name, value)| name.len() + value.as_str().map_or(8, str::len)).sum()
}

fn value(name: &str, field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float(value) => finite(name, f64::from(*value))?,
        Field::Double(value) => finite(name, *value)?,
        Field::Str(text) => text.as_str().into(),
        // Writers that don't say that it is text.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => {
                return Err(format!("column {name:?} holds bytes that are not UTF-8; store it as text"));
            }
        },
        other => other.to_string().into(),
    })
}

fn finite(name: &str, number: f64) -> Result<Value, String> {
    let number = serde_json::Number::from_f64(number);
    number.map(Value::Number).ok_or_else(|| format!("column {name:?} holds a number that is not finite"))
}

fn record<Raw: DeserializeOwned>(
    object: Map<String, Value>,
    bytes: usize,
    place: Place,
) -> Result<Raw, RowError> {
    if bytes > MAX_LINE_BYTES {
        return Err(place.json(too_long(bytes)));
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| place.json(without_place(&error)))
}
