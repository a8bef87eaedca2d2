//! What the text must be: a JSON schema, a regular expression, or one of some texts.
use std::path::{Path, PathBuf};

use clap::Args;
use rootstock_client::proto::inference::v1::output_constraint::Kind;
use rootstock_client::proto::inference::v1::{Choices, OutputConstraint};
use serde_json::{Value, json};

use super::asked::field;
use crate::CliError;
use crate::check::blocking;

/// One of these, or none.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ConstraintArgs {
    /// The text is JSON that the JSON Schema in this file allows
    #[arg(long, value_name = "FILE")]
    json_schema: Option<PathBuf>,
    /// The whole text matches this regular expression
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    regex: Option<String>,
    /// The text is this one; repeat it for others to choose from
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    choice: Vec<String>,
}

impl ConstraintArgs {
    pub(super) async fn read(self) -> Result<Option<OutputConstraint>, CliError> {
        let choice = (!self.choice.is_empty()).then_some(Kind::Choice(Choices { texts: self.choice }));
        let kind = match self.json_schema {
            Some(file) => Some(Kind::Json(blocking(move || text(&file)).await?)),
            None => self.regex.map(Kind::Regex).or(choice),
        };
        Ok(kind.map(|kind| OutputConstraint { kind: Some(kind) }))
    }
}

fn text(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file).map_err(|source| CliError::io(file.display().to_string(), source))
}

/// As it stands in a record; null where there is none.
pub(super) fn written(constraint: Option<&OutputConstraint>) -> Value {
    match constraint.and_then(|constraint| constraint.kind.as_ref()) {
        Some(Kind::Json(schema)) => json!({ "json": schema }),
        Some(Kind::Regex(regex)) => json!({ "regex": regex }),
        Some(Kind::Choice(choices)) => json!({ "choice": choices.texts }),
        None => Value::Null,
    }
}

/// What [`written`] wrote at a path of a record.
pub(super) fn read(record: &Value, path: &str) -> Result<Option<OutputConstraint>, CliError> {
    let part = |name: &str| format!("{path}.{name}");
    let text = |name: &str| field::<Option<String>>(record, &part(name));
    let choice = field::<Option<Vec<String>>>(record, &part("choice"))?;
    let choice = choice.map(|texts| Kind::Choice(Choices { texts }));
    let kind = text("json")?.map(Kind::Json).or(text("regex")?.map(Kind::Regex)).or(choice);
    if kind.is_none() && !field::<Value>(record, path)?.is_null() {
        return Err(CliError::refused(format!("{path}: is neither json, regex nor choice")));
    }
    Ok(kind.map(|kind| OutputConstraint { kind: Some(kind) }))
}
