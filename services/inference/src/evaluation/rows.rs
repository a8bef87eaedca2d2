//! The rows of a data set as an evaluation reads them: instruction, input and output, and the keywords beside them.

use rootstock_text::{Row, parse_rows};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use crate::{error::Error, store::Fetched};

/// Most rows of one evaluation.
pub(super) const MAX_ROWS: usize = 10_000;
/// Endings of the files that hold rows.
const ENDINGS: [&str; 2] = [".jsonl", ".json"];

/// A row with its keywords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) row: Row,
    pub(super) keywords: Vec<String>,
}

#[derive(Deserialize)]
struct Extra {
    keywords: Option<Value>,
    messages: Option<IgnoredAny>,
    conversations: Option<IgnoredAny>,
}

/// Reads all rows of a data set, its files by name; blocks.
pub(super) fn read(fetched: &Fetched) -> Result<Vec<Question>, Error> {
    let mut questions = Vec::new();
    for name in fetched.files.keys() {
        if !ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            let message =
                format!("{name}: only rows can be evaluated, in files that end in {}", ENDINGS.join(" or "));
            return Err(Error::invalid("spec.dataset", message));
        }
        questions.extend(parse(name, &fetched.read(name)?)?);
    }
    match questions.len() {
        0 => Err(Error::invalid("spec.dataset", "has no rows")),
        count if count > MAX_ROWS => {
            Err(Error::invalid("spec.dataset", format!("has {count} rows, more than the {MAX_ROWS} allowed")))
        }
        _ => Ok(questions),
    }
}

fn parse(file: &str, bytes: &[u8]) -> Result<Vec<Question>, Error> {
    let rows = parse_rows(bytes).map_err(|error| Error::InvalidRow(format!("{file}: {error}")))?;
    let extras = extras(bytes).map_err(|error| Error::InvalidRow(format!("{file}: {error}")))?;
    let is_conversation = |extra: &Extra| extra.messages.is_some() || extra.conversations.is_some();
    if let Some(index) = extras.iter().position(is_conversation) {
        // It would be a row for each answer, with the keywords of all of them.
        let message = format!("{file}: row {}: a conversation; evaluate instruction and output", index + 1);
        return Err(Error::InvalidRow(message));
    }
    let pairs = rows.into_iter().zip(extras).enumerate();
    pairs
        .map(|(index, (row, extra))| {
            let keywords = keywords(extra.keywords);
            let keywords = keywords.map_err(|problem| {
                Error::InvalidRow(format!("{file}: row {}: field \"keywords\" {problem}", index + 1))
            })?;
            Ok(Question { row, keywords })
        })
        .collect()
}

/// The same rows once more, for the key that training doesn't know.
fn extras(bytes: &[u8]) -> Result<Vec<Extra>, serde_json::Error> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}

fn keywords(value: Option<Value>) -> Result<Vec<String>, &'static str> {
    let values = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(values)) => values,
        Some(_) => return Err("must be an array of strings"),
    };
    let keyword = |value| match value {
        Value::String(text) if text.trim().is_empty() => Err("has a blank keyword, which occurs nowhere"),
        Value::String(text) => Ok(text),
        _ => Err("must be an array of strings"),
    };
    values.into_iter().map(keyword).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_stand_beside_what_training_reads() {
        let lines = b"{\"instruction\":\"a\",\"output\":\"b\",\"keywords\":[\"x\",\"y\"]}\n\n{\"instruction\":\"c\",\"output\":\"d\"}\n";
        let array = br#"[{"instruction":"a","output":"b","keywords":["x","y"]},{"instruction":"c","output":"d","keywords":null}]"#;
        for bytes in [&lines[..], &array[..]] {
            let questions = parse("rows.jsonl", bytes).unwrap();
            assert_eq!(questions[0].keywords, ["x", "y"]);
            assert_eq!((questions[1].row.instruction.as_str(), questions[1].keywords.len()), ("c", 0));
        }
    }

    #[test]
    fn a_row_that_cannot_be_scored_is_named() {
        let refused = |line: &str| {
            let text = format!("{{\"instruction\":\"a\",\"output\":\"b\"}}\n{line}\n");
            parse("rows.jsonl", text.as_bytes()).unwrap_err().to_string()
        };
        let blank = refused(r#"{"instruction":"a","output":"b","keywords":[" "]}"#);
        assert_eq!(blank, "rows.jsonl: row 2: field \"keywords\" has a blank keyword, which occurs nowhere");
        assert!(refused(r#"{"instruction":"a","output":"b","keywords":"x"}"#).contains("must be an array"));
        assert!(refused(r#"{"instruction":"a"}"#).contains("row 2"));
        let conversation =
            r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#;
        assert!(refused(conversation).contains("row 2: a conversation"));
    }
}
