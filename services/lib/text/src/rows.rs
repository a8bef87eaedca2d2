//! Rows from JSON lines or a JSON array: instructions, conversations, texts with labels. An error names the row, its line and the
//! field, so that the file can be mended.

mod conversation;
mod label;

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::chat::ChatMessage;
use conversation::{Said, Turn, answers};
pub use label::{LabelledText, parse_labelled_texts};

/// The most rows in one data set.
pub const MAX_ROWS: usize = 2_000_000;
/// The longest line of JSON lines, in bytes.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// A question with its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// What is asked or ordered; never empty in a parsed row.
    pub instruction: String,
    /// What the instruction is about; may be empty.
    pub input: String,
    /// The answer; never empty in a parsed row.
    pub output: String,
    /// What was said before the instruction; only in rows of conversations.
    pub history: Vec<Arc<ChatMessage>>,
}

/// Why rows were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowError {
    /// The bytes are not text.
    #[error("not UTF-8 from byte {offset} on (line {line}); save the file as UTF-8")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// There is no row.
    #[error("there are no rows")]
    Empty,
    /// There are too many rows.
    #[error("more than {limit} rows")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A row that is not JSON, or not an object.
    #[error("row {row} (line {line}): {problem}")]
    Json {
        /// Number of the row, from 1.
        row: usize,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A field of a row.
    #[error("row {row} (line {line}): field \"{field}\" {problem}")]
    Field {
        /// Number of the row, from 1.
        row: usize,
        /// Its line, from 1; in a JSON array the line where the row begins.
        line: usize,
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A row before its fields are checked. Other keys are let be; a key given twice is refused.
#[derive(Deserialize)]
struct RawRow {
    instruction: Option<Value>,
    input: Option<Value>,
    output: Option<Value>,
    messages: Option<Vec<Turn>>,
    /// ShareGPT's name for them.
    conversations: Option<Vec<Said>>,
}

/// A field that is not as it must be.
struct BadField {
    field: &'static str,
    problem: &'static str,
}

/// Parses rows: a JSON array of objects, or one object per line (blank lines are skipped). An object is either
/// - an instruction: `instruction` and `output` must be there and not blank; `input` may be left out or null;
/// - or a conversation: `messages` of `role` and `content`, or ShareGPT's `conversations` of `from` and `value`. Each answer in it to
///   a user becomes a row of its own, with all that was said before.
///
/// # Errors
/// The first object that is not as described.
pub fn parse_rows(bytes: &[u8]) -> Result<Vec<Row>, RowError> {
    parse(bytes, Row::from_raw)
}

/// Parses objects of any kind, each of which becomes some rows.
fn parse<Raw: DeserializeOwned, T>(
    bytes: &[u8],
    rows_of: impl Fn(Raw) -> Result<Vec<T>, BadField>,
) -> Result<Vec<T>, RowError> {
    let text = utf8(bytes).map_err(|(offset, line)| RowError::NotUtf8 { offset, line })?;
    let mut rows = Vec::new();
    let push = |place: &Place, raw: Raw| {
        let found = rows_of(raw).map_err(|error| place.field(error))?;
        if place.row > MAX_ROWS || rows.len() + found.len() > MAX_ROWS {
            return Err(RowError::TooMany { limit: MAX_ROWS });
        }
        rows.extend(found);
        Ok(())
    };
    let is_array = text.trim_start().starts_with('[');
    let parsed = if is_array { parse_array(text, push) } else { parse_lines(text, push) };
    parsed?;
    if rows.is_empty() { Err(RowError::Empty) } else { Ok(rows) }
}

/// The text of a file, without its byte order mark; else offset and line of the first wrong byte.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, (usize, usize)> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text)),
        Err(error) => {
            let offset = error.valid_up_to();
            Err((offset, 1 + bytes[..offset].iter().filter(|&&b| b == b'\n').count()))
        }
    }
}

fn parse_lines<Raw: DeserializeOwned>(
    text: &str,
    mut push: impl FnMut(&Place, Raw) -> Result<(), RowError>,
) -> Result<(), RowError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    for (row, (i, line)) in lines.enumerate() {
        let place = Place { row: row + 1, line: i + 1 };
        if line.len() > MAX_LINE_BYTES {
            let problem = format!("has {} bytes, more than the {MAX_LINE_BYTES} allowed", line.len());
            return Err(place.json(problem));
        }
        let raw = serde_json::from_str(line).map_err(|error| place.json(without_place(&error)))?;
        push(&place, raw)?;
    }
    Ok(())
}

/// Reads an array row by row, so that an error knows which row and line it is in.
fn parse_array<Raw: DeserializeOwned>(
    text: &str,
    mut push: impl FnMut(&Place, Raw) -> Result<(), RowError>,
) -> Result<(), RowError> {
    let mut cursor = Cursor { rest: text, line: 1, rows: 0 };
    cursor.skip_space();
    cursor.advance('['.len_utf8());
    cursor.skip_space();
    if cursor.rest.starts_with(']') {
        cursor.advance(1);
        return cursor.end();
    }
    loop {
        cursor.skip_space();
        let mut place = cursor.place();
        let mut values = serde_json::Deserializer::from_str(cursor.rest).into_iter::<Raw>();
        match values.next() {
            Some(Ok(raw)) => push(&place, raw)?,
            Some(Err(error)) => {
                place.line += error.line().saturating_sub(1);
                return Err(place.json(without_place(&error)));
            }
            None => return Err(place.json("the array ends before its ]".to_owned())),
        }
        let used = values.byte_offset();
        cursor.advance(used);
        cursor.rows += 1;
        cursor.skip_space();
        let next = cursor.rest.chars().next();
        cursor.advance(next.map_or(0, char::len_utf8));
        match next {
            Some(',') => {}
            Some(']') => return cursor.end(),
            _ => {
                place.line = cursor.line;
                return Err(place.json("a comma or ] must follow".to_owned()));
            }
        }
    }
}

/// The part of a text that is still to be read.
struct Cursor<'t> {
    rest: &'t str,
    line: usize,
    /// Rows read.
    rows: usize,
}

impl Cursor<'_> {
    fn place(&self) -> Place {
        Place { row: self.rows + 1, line: self.line }
    }

    fn advance(&mut self, bytes: usize) {
        let (done, rest) = self.rest.split_at(bytes);
        self.line += done.bytes().filter(|&b| b == b'\n').count();
        self.rest = rest;
    }

    fn skip_space(&mut self) {
        self.advance(self.rest.len() - self.rest.trim_start().len());
    }

    fn end(mut self) -> Result<(), RowError> {
        self.skip_space();
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.place().json("something follows after the array".to_owned()))
    }
}

/// Where a row is.
struct Place {
    row: usize,
    line: usize,
}

impl Place {
    fn json(&self, problem: String) -> RowError {
        RowError::Json { row: self.row, line: self.line, problem }
    }

    fn field(&self, BadField { field, problem }: BadField) -> RowError {
        RowError::Field { row: self.row, line: self.line, field, problem }
    }
}

impl Row {
    fn from_raw(raw: RawRow) -> Result<Vec<Self>, BadField> {
        let RawRow { instruction, input, output, messages, conversations } = raw;
        let missing = "is missing; each row needs instruction and output, or messages";
        let besides = instruction.is_some() || output.is_some();
        match (messages, conversations) {
            (Some(_), Some(_)) => {
                Err(BadField { field: "conversations", problem: "says the same as messages; take one out" })
            }
            (Some(_), None) if besides => Err(BadField {
                field: "messages",
                problem: "stands beside instruction or output; take one out",
            }),
            (None, Some(_)) if besides => Err(BadField {
                field: "conversations",
                problem: "stands beside instruction or output; take one out",
            }),
            (Some(messages), None) => answers("messages", messages),
            (None, Some(said)) => answers("conversations", said.into_iter().map(Turn::from).collect()),
            (None, None) => Ok(vec![Self {
                instruction: needed("instruction", instruction, missing)?,
                input: string("input", input)?.unwrap_or_default(),
                output: needed("output", output, missing)?,
                history: Vec::new(),
            }]),
        }
    }
}

fn needed(field: &'static str, value: Option<Value>, missing: &'static str) -> Result<String, BadField> {
    match string(field, value)? {
        None => Err(BadField { field, problem: missing }),
        Some(text) if text.trim().is_empty() => Err(BadField { field, problem: "is blank" }),
        Some(text) => Ok(text),
    }
}

fn string(field: &'static str, value: Option<Value>) -> Result<Option<String>, BadField> {
    let problem = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => return Ok(Some(text)),
        Some(Value::Bool(_)) => "must be a string, not a boolean",
        Some(Value::Number(_)) => "must be a string, not a number",
        Some(Value::Array(_)) => "must be a string, not an array",
        Some(Value::Object(_)) => "must be a string, not an object",
    };
    Err(BadField { field, problem })
}

/// The JSON reader's message without its own line and column: the row and its line are named already.
pub(crate) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) if error.line() > 0 => text[..at].to_owned(),
        _ => text,
    }
}
