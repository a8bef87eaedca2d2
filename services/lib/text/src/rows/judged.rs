//! Rows that answers are judged by: an instruction, the answer that is expected, and the keywords that must be in it.

use serde::Deserialize;
use serde_json::Value;

use super::{BadField, RecordFormat, Row, RowError, needed, scan, string};

/// The most keywords of a row.
const MAX_KEYWORDS: usize = 256;

/// A row with its keywords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedRow {
    /// The question and the expected answer.
    pub row: Row,
    /// What the answer must hold; none is blank.
    pub keywords: Vec<String>,
}

#[derive(Deserialize)]
struct RawRow {
    instruction: Option<Value>,
    input: Option<Value>,
    output: Option<Value>,
    keywords: Option<Value>,
    messages: Option<Value>,
    conversations: Option<Value>,
}

const FIELDS: [&str; 6] = ["instruction", "input", "output", "keywords", "messages", "conversations"];

/// Parses rows of `instruction`, `input`, `output` and `keywords`, at most `limit`. Keywords are a list of texts, which a column that
/// holds texts alone has as JSON.
///
/// # Errors
/// The first record that is not so; a conversation, because all of its answers would have the same keywords; no rows or too many.
pub fn parse_judged_rows(
    bytes: &[u8],
    format: RecordFormat,
    limit: usize,
) -> Result<Vec<JudgedRow>, RowError> {
    let mut rows = Vec::new();
    scan(bytes, format, &FIELDS, judged, &mut |_, found| {
        rows.extend(found?);
        if rows.len() > limit { Err(RowError::TooMany { limit }) } else { Ok(()) }
    })?;
    if rows.is_empty() { Err(RowError::Empty) } else { Ok(rows) }
}

fn judged(raw: RawRow) -> Result<Vec<JudgedRow>, BadField> {
    for (field, value) in [("messages", &raw.messages), ("conversations", &raw.conversations)] {
        if value.is_some() {
            return Err(BadField::new(field, "is of a conversation; evaluate instruction and output"));
        }
    }
    let missing = "each row needs instruction and output";
    let row = Row {
        instruction: needed("instruction", raw.instruction, missing)?,
        input: string("input", raw.input)?.unwrap_or_default(),
        output: needed("output", raw.output, missing)?,
        ..Row::default()
    };
    Ok(vec![JudgedRow { row, keywords: keywords(raw.keywords)? }])
}

fn keywords(value: Option<Value>) -> Result<Vec<String>, BadField> {
    let refuse = |problem| BadField::new("keywords", problem);
    let listed = || refuse("must be an array of strings");
    let values = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(Vec::new()),
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|_| listed())?,
        Some(Value::Array(values)) => values,
        Some(_) => return Err(listed()),
    };
    if values.len() > MAX_KEYWORDS {
        return Err(refuse("has more than 256 keywords; leave some out"));
    }
    let keyword = |value| match value {
        Value::String(text) if text.trim().is_empty() => {
            Err(refuse("has a blank keyword, which occurs nowhere"))
        }
        Value::String(text) => Ok(text),
        _ => Err(listed()),
    };
    values.into_iter().map(keyword).collect()
}
