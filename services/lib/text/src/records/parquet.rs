//! Parquet: rows of plain columns. Columns of lists or groups are refused, because a few bytes can stand for any number of their
//! elements; pages may be compressed with Snappy alone, whose output is bounded by its input.

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
const MAX_BYTES: usize = 4 << 30;

pub(super) fn each<Raw: DeserializeOwned>(
    bytes: &[u8],
    columns: &[&str],
    visit: &mut Visit<'_, Raw>,
) -> Result<(), RowError> {
    let bytes = Bytes::copy_from_slice(bytes);
    let file = caught(|| SerializedFileReader::new(bytes))?;
    let wanted = projection(file.metadata().file_metadata().schema(), columns)?;
    let mut rows = caught(|| file.get_row_iter(Some(wanted)))?;
    let mut total = 0;
    for row in 1.. {
        let place = Place { row, line: row };
        let found = match caught(|| rows.next().transpose()) {
            Ok(None) => break,
            Ok(Some(found)) => found,
            Err(error) => return visit(place, Err(error)),
        };
        let object = object(&found);
        let bytes = object.values().map(|value| value.as_str().map_or(0, str::len)).sum();
        total += bytes;
        if total > MAX_BYTES {
            let problem = format!("the rows have more than {MAX_BYTES} bytes; cut the file into several");
            return visit(place, Err(RowError::File { problem }));
        }
        visit(place, record(object, bytes, place))?;
    }
    Ok(())
}

/// What a foreign file makes the reader refuse, or stumble over.
fn caught<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, RowError> {
    let problem = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => return Ok(read),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it is damaged".to_owned(),
    };
    Err(RowError::File { problem: format!("can't be read as Parquet: {problem}") })
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

fn object(row: &Row) -> Map<String, Value> {
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

fn value(field: &Field) -> Value {
    match field {
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
        Field::Float(value) => (*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(text) => text.as_str().into(),
        // Writers that don't say that it is text.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => Value::Array(Vec::new()),
        },
        other => other.to_string().into(),
    }
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
