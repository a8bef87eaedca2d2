//! Python's methods on strings, lists and dicts in templates, each paid for before it is called: the
//! engine charges for what a method returns only after it was made.

use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Bytes that one fuel pays for, as in the engine.
const BYTES_PER_FUEL: usize = 64;
/// The most digits of a width or precision in `str.format`.
const MAX_WIDTH_DIGITS: usize = 3;

pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let bytes = match value.as_str() {
        Some(text) => cost(text, method, args)?,
        None => 0,
    };
    state.consume_fuel((bytes / BYTES_PER_FUEL) as u64 + 1)?;
    unknown_method_callback(state, value, method, args)
}

/// The bytes that a method on a string reads or makes, at most.
fn cost(text: &str, method: &str, args: &[Value]) -> Result<usize, Error> {
    let string = |i: usize| args.get(i).and_then(Value::as_str).unwrap_or_default();
    let more = match method {
        "replace" => text.matches(string(0)).count().saturating_mul(string(1).len()),
        "join" => joined(text, args.first())?,
        "format" => formatted(text, args)?,
        _ => 0,
    };
    Ok(text.len().saturating_add(more))
}

fn joined(separator: &str, items: Option<&Value>) -> Result<usize, Error> {
    let Some(items) = items else { return Ok(0) };
    let mut bytes = 0_usize;
    for item in items.try_iter()? {
        let item = item.as_str().ok_or_else(|| refused("join takes strings alone"))?;
        bytes = bytes.saturating_add(item.len()).saturating_add(separator.len());
        if bytes > super::MAX_RENDERED_BYTES {
            return Err(Error::from(ErrorKind::OutOfFuel));
        }
    }
    Ok(bytes)
}

/// Widths are given in the text, so they have to be small; each argument can be used at every brace.
fn formatted(text: &str, args: &[Value]) -> Result<usize, Error> {
    let mut digits = 0;
    for c in text.chars() {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > MAX_WIDTH_DIGITS {
            return Err(refused("numbers in a format are limited to three digits"));
        }
    }
    let longest = args.iter().map(|arg| arg.as_str().map_or(BYTES_PER_FUEL, str::len)).max().unwrap_or(0);
    let widest = 10_usize.pow(MAX_WIDTH_DIGITS as u32);
    Ok(text.matches('{').count().saturating_mul(longest.max(widest)))
}

fn refused(problem: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}
