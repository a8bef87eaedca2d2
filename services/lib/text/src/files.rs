//! What the files of a data set hold, told by the endings of their names: the one list of them, for whoever stores, checks or reads them.

use crate::records::RecordFormat;

/// What a file of a data set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFormat {
    /// Records.
    Records(RecordFormat),
    /// Plain text.
    Text,
}

/// The endings of files with data, in small letters; a name may have them in capitals.
const ENDINGS: [(&str, DataFormat); 6] = [
    (".jsonl", DataFormat::Records(RecordFormat::Json)),
    (".ndjson", DataFormat::Records(RecordFormat::Json)),
    (".json", DataFormat::Records(RecordFormat::Json)),
    (".csv", DataFormat::Records(RecordFormat::Csv)),
    (".parquet", DataFormat::Records(RecordFormat::Parquet)),
    (".txt", DataFormat::Text),
];

impl DataFormat {
    /// The format that a file's name stands for; `None` where it holds no data.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ending(name).map(|(_, format)| format)
    }

    /// The ending of a name and the format that it stands for.
    pub fn ending(name: &str) -> Option<(&'static str, Self)> {
        let name = name.to_ascii_lowercase();
        ENDINGS.into_iter().find(|(ending, _)| name.ends_with(ending))
    }

    /// All endings, for messages.
    pub fn endings() -> String {
        listed(|_| true)
    }
}

impl RecordFormat {
    /// The format that a file's name stands for; `None` where it holds no records.
    pub fn from_name(name: &str) -> Option<Self> {
        match DataFormat::from_name(name)? {
            DataFormat::Records(format) => Some(format),
            DataFormat::Text => None,
        }
    }

    /// The endings of files with records, for messages.
    pub fn endings() -> String {
        listed(|format| format != DataFormat::Text)
    }
}

fn listed(wanted: impl Fn(DataFormat) -> bool) -> String {
    let wanted = ENDINGS.into_iter().filter(|(_, format)| wanted(*format));
    let endings: Vec<String> = wanted.map(|(ending, _)| format!("*{ending}")).collect();
    match endings.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_known_in_capitals_too_and_listed() {
        for name in ["a.NDJSON", "a.ndjson", "a.JsonL", "b.json"] {
            assert_eq!(DataFormat::from_name(name), Some(DataFormat::Records(RecordFormat::Json)), "{name}");
        }
        assert_eq!(DataFormat::ending("A.CSV"), Some((".csv", DataFormat::Records(RecordFormat::Csv))));
        assert_eq!(
            (DataFormat::from_name("A.TXT"), RecordFormat::from_name("A.TXT")),
            (Some(DataFormat::Text), None)
        );
        assert_eq!(DataFormat::from_name("rows.xlsx"), None);
        assert_eq!(DataFormat::endings(), "*.jsonl, *.ndjson, *.json, *.csv, *.parquet or *.txt");
        assert_eq!(RecordFormat::endings(), "*.jsonl, *.ndjson, *.json, *.csv or *.parquet");
    }
}
