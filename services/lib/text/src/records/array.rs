//! A JSON array, read element by element, so that an error knows which row and line it is in. Where an element ends is found out first:
//! one with a wrong field spoils no other.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::object::object;
use super::{MAX_LINE_BYTES, Place, RowError, Visit, too_long, utf8, without_place};

pub(super) fn each<Raw: DeserializeOwned>(bytes: &[u8], visit: &mut Visit<'_, Raw>) -> Result<(), RowError> {
    let text = match utf8(bytes) {
        Ok(text) => text,
        // Where its rows are can't be told any more.
        Err(error) => return broken(Place { row: 1, line: 1 }, error, visit),
    };
    let mut cursor = Cursor { rest: text, line: 1, rows: 0 };
    cursor.skip_space();
    cursor.advance('['.len_utf8());
    cursor.skip_space();
    if cursor.rest.starts_with(']') {
        cursor.advance(1);
        return cursor.end(visit);
    }
    loop {
        cursor.skip_space();
        let place = cursor.place();
        let element = match cursor.element() {
            Ok(element) => element,
            Err(error) => return broken(place, error, visit),
        };
        visit(place, record(element, place))?;
        cursor.advance(element.len());
        cursor.rows += 1;
        cursor.skip_space();
        let next = cursor.rest.chars().next();
        cursor.advance(next.map_or(0, char::len_utf8));
        match next {
            Some(',') => {}
            Some(']') => return cursor.end(visit),
            _ => {
                let place = Place { line: cursor.line, ..place };
                return broken(place, place.json("a comma or ] must follow".to_owned()), visit);
            }
        }
    }
}

/// What comes after this can't be read.
fn broken<Raw>(place: Place, error: RowError, visit: &mut Visit<'_, Raw>) -> Result<(), RowError> {
    visit(place, Err(RowError::File { problem: error.to_string() }))
}

fn record<Raw: DeserializeOwned>(element: &str, mut place: Place) -> Result<Raw, RowError> {
    if element.len() > MAX_LINE_BYTES {
        return Err(place.json(too_long(element.len())));
    }
    object(element).map_err(|error| {
        place.line += error.line().saturating_sub(1);
        place.json(without_place(&error))
    })
}

/// The part of a text that is still to be read.
struct Cursor<'t> {
    rest: &'t str,
    line: usize,
    /// Rows read.
    rows: usize,
}

impl<'t> Cursor<'t> {
    fn place(&self) -> Place {
        Place { row: self.rows + 1, line: self.line }
    }

    /// The next element as it is written.
    fn element(&self) -> Result<&'t str, RowError> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => Ok(&self.rest[..values.byte_offset()]),
            Some(Err(error)) => {
                let place = self.place();
                let place = Place { line: place.line + error.line().saturating_sub(1), ..place };
                Err(place.json(without_place(&error)))
            }
            None => Err(self.place().json("the array ends before its ]".to_owned())),
        }
    }

    fn advance(&mut self, bytes: usize) {
        let (done, rest) = self.rest.split_at(bytes);
        self.line += done.bytes().filter(|&b| b == b'\n').count();
        self.rest = rest;
    }

    fn skip_space(&mut self) {
        self.advance(self.rest.len() - self.rest.trim_start().len());
    }

    fn end<Raw>(mut self, visit: &mut Visit<'_, Raw>) -> Result<(), RowError> {
        self.skip_space();
        if self.rest.is_empty() {
            return Ok(());
        }
        let place = self.place();
        broken(place, place.json("something follows after the array".to_owned()), visit)
    }
}
