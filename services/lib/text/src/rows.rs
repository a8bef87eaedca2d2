//! Rows of a data set, from records of any format: instructions, conversations, texts with labels. An error names the row, its line and
//! the field, so that the file can be mended.

mod conversation;
mod judged;
mod label;

use std::fmt::{self, Formatter};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::chat::ChatMessage;
pub use crate::records::{FieldProblem, MAX_LINE_BYTES, MAX_ROWS, RecordFormat, RowError};
use crate::records::{Place, each};
use conversation::{Said, Turn, answers};
pub use judged::{JudgedRow, parse_judged_rows};
pub use label::{LabelledText, parse_labelled_texts, scan_labelled_texts};

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
    /// Other wordings of the instruction, from the columns that hold some; none is blank.
    pub paraphrases: Vec<String>,
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

/// The most other wordings of a row.
const MAX_WORDINGS: usize = 64;

/// Names of the fields that rows are made of.
const FIELDS: [&str; 5] = ["instruction", "input", "output", "messages", "conversations"];

/// A field that is not as it must be.
struct BadField {
    field: &'static str,
    problem: FieldProblem,
}

impl BadField {
    fn new(field: &'static str, problem: &'static str) -> Self {
        Self { field, problem: FieldProblem::Other(problem) }
    }

    fn at(self, place: Place) -> RowError {
        let Self { field, problem } = self;
        RowError::Field { row: place.row, line: place.line, field, problem }
    }
}

/// Parses rows of JSON: an array of objects, or one object per line (blank lines are skipped). As [`parse_rows_of`] without
/// paraphrases.
///
/// # Errors
/// The first object that is not as described.
pub fn parse_rows(bytes: &[u8]) -> Result<Vec<Row>, RowError> {
    parse_rows_of(bytes, RecordFormat::Json, &[])
}

/// Parses rows. A record is either
/// - an instruction: `instruction` and `output` must be there and not blank; `input` may be left out or null;
/// - or a conversation: `messages` of `role` and `content`, or ShareGPT's `conversations` of `from` and `value`. Each answer in it to
///   a user becomes a row of its own, with all that was said before.
///
/// `paraphrases` are the names of columns that hold other wordings of the instruction: a text, a list of texts, or nothing. What they
/// hold beside conversations is not looked at.
///
/// # Errors
/// The first record that is not as described.
pub fn parse_rows_of(
    bytes: &[u8],
    format: RecordFormat,
    paraphrases: &[String],
) -> Result<Vec<Row>, RowError> {
    let mut rows = Vec::new();
    scan_rows(bytes, format, paraphrases, &mut |_, found| keep(&mut rows, found?))?;
    if rows.is_empty() { Err(RowError::Empty) } else { Ok(rows) }
}

/// Gives each record's number and its rows, or what is wrong with it, one after the other; an answer that is an error ends the reading
/// with it.
///
/// # Errors
/// That of the answer; a file that can't be read on.
pub fn scan_rows(
    bytes: &[u8],
    format: RecordFormat,
    paraphrases: &[String],
    visit: &mut dyn FnMut(usize, Result<Vec<Row>, RowError>) -> Result<(), RowError>,
) -> Result<(), RowError> {
    if paraphrases.is_empty() {
        return scan(bytes, format, &FIELDS, Row::from_raw, visit);
    }
    let columns: Vec<&str> = FIELDS.into_iter().chain(paraphrases.iter().map(String::as_str)).collect();
    let rows_of = |columns: Columns| {
        let mut rows = Row::from_raw(columns.row)?;
        if let [row] = rows.as_mut_slice() {
            row.paraphrases = wordings(&columns.all, paraphrases)?;
        }
        Ok(rows)
    };
    scan(bytes, format, &columns, rows_of, visit)
}

/// Scans records of any kind, each of which becomes some rows.
fn scan<Raw: DeserializeOwned, T>(
    bytes: &[u8],
    format: RecordFormat,
    columns: &[&str],
    rows_of: impl Fn(Raw) -> Result<Vec<T>, BadField>,
    visit: &mut dyn FnMut(usize, Result<Vec<T>, RowError>) -> Result<(), RowError>,
) -> Result<(), RowError> {
    each(bytes, format, columns, &mut |place, raw: Result<Raw, RowError>| {
        let rows = raw.and_then(|raw| rows_of(raw).map_err(|error| error.at(place)));
        visit(place.row, rows)
    })
}

fn keep<T>(rows: &mut Vec<T>, found: Vec<T>) -> Result<(), RowError> {
    if rows.len() + found.len() > MAX_ROWS {
        return Err(RowError::TooMany { limit: MAX_ROWS });
    }
    rows.extend(found);
    Ok(())
}

/// A row before its fields are checked, and all its columns.
struct Columns {
    row: RawRow,
    all: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = deserializer.deserialize_map(Unique)?;
        let row = RawRow::deserialize(&all).map_err(serde::de::Error::custom)?;
        Ok(Self { row, all })
    }
}

/// Reads an object whose keys each come once.
struct Unique;

impl<'de> Visitor<'de> for Unique {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut all = Map::new();
        while let Some((name, value)) = fields.next_entry::<String, Value>()? {
            if all.contains_key(&name) {
                return Err(serde::de::Error::custom(format!("duplicate field `{name}`")));
            }
            all.insert(name, value);
        }
        Ok(all)
    }
}

fn wordings(columns: &Map<String, Value>, names: &[String]) -> Result<Vec<String>, BadField> {
    let refuse = || {
        BadField::new("paraphrase_columns", "name a column whose value is neither text nor a list of texts")
    };
    let mut wordings = Vec::new();
    for value in names.iter().filter_map(|name| columns.get(name)) {
        let texts = match value {
            Value::Null => continue,
            Value::Array(texts) => texts.as_slice(),
            text => std::slice::from_ref(text),
        };
        for text in texts {
            wordings.push(text.as_str().ok_or_else(refuse)?.trim().to_owned());
        }
    }
    wordings.retain(|text| !text.is_empty());
    if wordings.len() > MAX_WORDINGS {
        return Err(BadField::new(
            "paraphrase_columns",
            "name columns with more than 64 texts; leave some out",
        ));
    }
    Ok(wordings)
}

impl Row {
    /// Bytes of the question and its answer.
    pub fn bytes(&self) -> usize {
        let said = |message: &Arc<ChatMessage>| message.role.len() + message.content.len();
        let history: usize = self.history.iter().map(said).sum();
        self.instruction.len() + self.input.len() + self.output.len() + history
    }

    fn from_raw(raw: RawRow) -> Result<Vec<Self>, BadField> {
        let RawRow { instruction, input, output, messages, conversations } = raw;
        let missing = "each row needs instruction and output, or messages";
        let besides = instruction.is_some() || output.is_some();
        match (messages, conversations) {
            (Some(_), Some(_)) => {
                Err(BadField::new("conversations", "says the same as messages; take one out"))
            }
            (Some(_), None) if besides => {
                Err(BadField::new("messages", "stands beside instruction or output; take one out"))
            }
            (None, Some(_)) if besides => {
                Err(BadField::new("conversations", "stands beside instruction or output; take one out"))
            }
            (Some(messages), None) => answers("messages", messages),
            (None, Some(said)) => answers("conversations", said.into_iter().map(Turn::from).collect()),
            (None, None) => Ok(vec![Self {
                instruction: needed("instruction", instruction, missing)?,
                input: string("input", input)?.unwrap_or_default(),
                output: needed("output", output, missing)?,
                ..Self::default()
            }]),
        }
    }
}

fn needed(field: &'static str, value: Option<Value>, missing: &'static str) -> Result<String, BadField> {
    match string(field, value)? {
        None => Err(BadField { field, problem: FieldProblem::Missing(missing) }),
        Some(text) if text.trim().is_empty() => Err(BadField { field, problem: FieldProblem::Blank }),
        Some(text) => Ok(text),
    }
}

fn string(field: &'static str, value: Option<Value>) -> Result<Option<String>, BadField> {
    let kind = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => return Ok(Some(text)),
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    };
    Err(BadField { field, problem: FieldProblem::Type(kind) })
}
