//! The `tojson` filter as transformers has it: Python's `json.dumps(value, ensure_ascii=False)`, with a
//! space after comma and colon and nothing escaped for HTML.

use std::io;

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::{Capped, MAX_RENDERED_BYTES};

/// The widest indentation that can be asked for.
const MAX_INDENT: usize = 16;

pub(super) fn tojson(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    if ensure_ascii == Some(true) || indent.is_some_and(|n| n > MAX_INDENT) {
        let problem = format!("tojson takes ensure_ascii=false and an indent of at most {MAX_INDENT}");
        return Err(Error::new(ErrorKind::InvalidOperation, problem));
    }
    match indent {
        Some(n) => dump(&value, PrettyFormatter::with_indent(" ".repeat(n).as_bytes())),
        None => dump(&value, Spaced),
    }
}

fn dump(value: &Value, formatter: impl Formatter) -> Result<Value, Error> {
    // A value can hold itself many times over, so the text is capped and not only the value.
    let mut output = Capped { text: Vec::new(), limit: MAX_RENDERED_BYTES, full: false };
    value
        .serialize(&mut Serializer::with_formatter(&mut output, formatter))
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let text = String::from_utf8(output.text)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(Value::from(text))
}

/// JSON on one line with a space after each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
    if first { Ok(()) } else { writer.write_all(b", ") }
}
