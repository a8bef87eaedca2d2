//! How a measurement tells what it does and what it found: people get lines and a summary, scripts one JSON object.
//! Progress goes to standard error; standard output is for the result.

use serde::Serialize;
use serde_json::Value;

use super::BenchError;

/// Where the values of a summary begin.
const COLUMN: usize = 28;

/// For whom the results are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Something that a person may want to know in the meantime.
    pub(super) fn line(&self, text: &str) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    /// The result.
    pub(super) fn result<T: Serialize>(&self, report: &T) -> Result<(), BenchError> {
        let value = serde_json::to_value(report)?;
        println!("{}", if self.json { value.to_string() } else { summary(&value) });
        Ok(())
    }
}

/// A line for each field.
fn summary(report: &Value) -> String {
    let fields = report.as_object().into_iter().flatten();
    let lines: Vec<String> =
        fields.map(|(name, value)| format!("{name:<COLUMN$}{}", readable(value))).collect();
    lines.join("\n")
}

fn readable(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap_or_default()),
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// As many digits as a person compares.
fn short(number: f64) -> String {
    if number != 0.0 && number.abs() < 0.01 { format!("{number:.2e}") } else { format!("{number:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_has_a_line_for_each_field() {
        let report = json!({"bytes": 12, "error": 0.000123, "name": "avx2", "none": null, "speed": 1234.567});
        let expected =
            [("bytes", "12"), ("error", "1.23e-4"), ("name", "avx2"), ("none", "-"), ("speed", "1234.57")];
        let expected: Vec<String> =
            expected.iter().map(|(name, value)| format!("{name:<COLUMN$}{value}")).collect();
        assert_eq!(summary(&report).lines().collect::<Vec<_>>(), expected);
    }
}
