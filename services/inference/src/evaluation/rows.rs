//! The rows of a data set as an evaluation reads them, by the reader that training has: instruction, input and output, and the keywords
//! beside them.

use rootstock_text::{JudgedRow, RecordFormat, RowError, parse_judged_rows};

use crate::{error::Error, store::Fetched};

/// Most rows of one evaluation.
pub(super) const MAX_ROWS: usize = 10_000;

/// Reads all rows of a data set, its files by name; blocks.
pub(super) fn read(fetched: &Fetched) -> Result<Vec<JudgedRow>, Error> {
    let refuse = |message: String| Error::invalid("spec.dataset", message);
    let mut rows = Vec::new();
    for name in fetched.files.keys() {
        let format = RecordFormat::from_name(name).ok_or_else(|| {
            let endings = RecordFormat::endings();
            refuse(format!("{name}: only rows can be evaluated, in files of the names {endings}"))
        })?;
        let left = MAX_ROWS - rows.len();
        match parse_judged_rows(&fetched.read(name)?, format, left) {
            Ok(read) => rows.extend(read),
            // Another file may have some.
            Err(RowError::Empty) => {}
            Err(RowError::TooMany { .. }) => {
                return Err(refuse(format!("has more than the {MAX_ROWS} rows allowed")));
            }
            Err(error) => return Err(Error::InvalidRow(format!("{name}: {error}"))),
        }
    }
    if rows.is_empty() { Err(refuse("has no rows".to_owned())) } else { Ok(rows) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rootstock_artifacts::{Digest, Kind};

    use super::*;
    use crate::store::Artifact;

    fn read_all(files: &[(&str, &str)]) -> Result<Vec<JudgedRow>, String> {
        let dir = tempfile::tempdir().unwrap();
        let stored = files.iter().map(|(name, text)| {
            std::fs::write(dir.path().join(name), text).unwrap();
            ((*name).to_owned(), dir.path().join(name))
        });
        let artifact = Artifact {
            digest: Digest::of(b"rows"),
            kind: Kind::Dataset,
            base: None,
            tokenizer: String::new(),
        };
        let files: BTreeMap<_, _> = stored.collect();
        read(&Fetched { artifact, files, _keep: Box::new(()) }).map_err(|error| error.to_string())
    }

    #[test]
    fn files_of_every_format_are_read_one_after_the_other() {
        let csv = "instruction,output,keywords\na,b,\"[\"\"x\"\"]\"\n";
        let lines = "{\"instruction\": \"c\", \"output\": \"d\"}\n";
        let rows = read_all(&[("a.csv", csv), ("b.NDJSON", lines), ("c.jsonl", "")]).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].keywords.as_slice(), rows[1].row.output.as_str()), (&["x".to_owned()][..], "d"));
    }

    #[test]
    fn what_holds_no_rows_or_too_many_is_refused() {
        let refused = |name: &str, text: &str| read_all(&[(name, text)]).unwrap_err();
        assert!(refused("a.txt", "text").contains("*.jsonl, *.ndjson, *.json, *.csv or *.parquet"));
        assert_eq!(refused("a.jsonl", "\n"), "has no rows");
        let many = "{\"instruction\": \"c\", \"output\": \"d\"}\n".repeat(MAX_ROWS);
        assert!(read_all(&[("a.jsonl", &many)]).is_ok());
        let more = read_all(&[("a.jsonl", &many), ("b.csv", "instruction,output\nc,d\n")]);
        assert_eq!(more.unwrap_err(), "has more than the 10000 rows allowed");
        let astray = refused("a.csv", "instruction,output\na \"b\",c\n");
        assert!(astray.starts_with("a.csv: row 1 (line 2): has a quote inside"), "{astray}");
    }
}
