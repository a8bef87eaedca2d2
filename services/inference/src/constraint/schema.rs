//! What a schema may not hold, because the library has no bound for the work it takes.

use serde_json::{Value, json};

use super::limits::{MAX_PATTERN_BYTES, MAX_WHITE_SPACE};

/// The library's own keyword, by which a schema could undo what is set here.
const OPTIONS: &str = "x-guidance";

/// Reads a schema and sets how JSON is written.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut schema: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    if schema == Value::Bool(true) {
        schema = json!({});
    }
    let patterns = patterns(&schema)?;
    if patterns > MAX_PATTERN_BYTES {
        return Err(format!(
            "its regular expressions have {patterns} bytes, more than the {MAX_PATTERN_BYTES} allowed"
        ));
    }
    if let Value::Object(fields) = &mut schema {
        let space = format!(r"[\x20\x0A\x0D\x09]{{1,{MAX_WHITE_SPACE}}}");
        if fields.insert(OPTIONS.to_owned(), json!({ "whitespace_pattern": space })).is_some() {
            return Err(format!("{OPTIONS} isn't supported"));
        }
    }
    Ok(schema)
}

/// Bytes of all regular expressions. It goes as deep as the JSON parser lets a text be nested.
fn patterns(schema: &Value) -> Result<usize, String> {
    match schema {
        Value::Array(items) => items.iter().map(patterns).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| keyword(name, value)).sum(),
        _ => Ok(0),
    }
}

fn keyword(name: &str, value: &Value) -> Result<usize, String> {
    match (name, value) {
        ("pattern", Value::String(pattern)) => Ok(pattern.len()),
        ("patternProperties", Value::Object(properties)) => {
            Ok(properties.keys().map(String::len).sum::<usize>() + patterns(value)?)
        }
        // As many states as the number is large.
        ("multipleOf", Value::Number(_)) => Err("multipleOf isn't supported".to_owned()),
        _ => patterns(value),
    }
}
