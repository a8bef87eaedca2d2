//! JSON lines: an object on each line that isn't blank. A bad line spoils no other.

use serde::de::DeserializeOwned;

use super::object::object;
use super::{MAX_LINE_BYTES, Place, RowError, Visit, too_long, without_place};

pub(super) fn each<Raw: DeserializeOwned>(bytes: &[u8], visit: &mut Visit<'_, Raw>) -> Result<(), RowError> {
    let (mut row, mut offset) = (0, 0);
    for (i, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if !is_blank(line) {
            row += 1;
            let place = Place { row, line: i + 1 };
            visit(place, record(line, place, offset))?;
        }
        offset += line.len() + 1;
    }
    Ok(())
}

/// Whether a line has nothing but space, that of Unicode included.
fn is_blank(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| text.trim().is_empty())
}

fn record<Raw: DeserializeOwned>(line: &[u8], place: Place, offset: usize) -> Result<Raw, RowError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(place.json(too_long(line.len())));
    }
    let text = std::str::from_utf8(line).map_err(|error| {
        let offset = offset + error.valid_up_to();
        RowError::NotUtf8 { row: Some(place.row), offset, line: place.line }
    })?;
    object(text.trim()).map_err(|error| place.json(without_place(&error)))
}
