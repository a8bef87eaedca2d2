//! Files of a data set before they are sent: UTF-8, and every row readable. A refusal names file and row.
use std::path::{Path, PathBuf};

use rootstock_artifacts::check::{check_file_name, is_pickle};
use rootstock_text::{DataFormat, DocumentFormat, parse_documents, parse_rows_of};
use serde_json::Value;

use super::dir;
use crate::CliError;

/// A file that can be sent.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// The name it gets in the data set.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Rows or documents in it.
    pub(crate) rows: usize,
}

/// Reads and checks files.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<DataFile>, CliError> {
    let mut files: Vec<DataFile> = Vec::with_capacity(paths.len());
    for (index, path) in paths.iter().enumerate() {
        let rows = count_rows(path)?;
        let name = stored_name(path, index);
        if files.iter().any(|file| file.name == name) {
            return Err(CliError::refused(format!("two files are called {name}; rename one of them")));
        }
        files.push(DataFile { name, path: path.clone(), rows });
    }
    Ok(files)
}

/// The file's own name, where the store takes it; otherwise its place in the list.
fn stored_name(path: &Path, index: usize) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if check_file_name(&name) {
        return name;
    }
    let ending = DataFormat::ending(&name).map_or("", |(ending, _)| ending);
    format!("part-{index:04}{ending}")
}

fn count_rows(path: &Path) -> Result<usize, CliError> {
    let shown = path.display();
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let bytes = dir::read(path)?;
    if is_pickle(&name, &bytes) {
        return Err(CliError::refused(format!(
            "{shown} is a pickle file, which may run code when it is read; give it as .jsonl"
        )));
    }
    let Some((ending, format)) = DataFormat::ending(&name) else {
        let endings = DataFormat::endings();
        return Err(CliError::refused(format!("{shown}: is none of {endings}; name it after what it holds")));
    };
    let documents =
        |format| parse_documents(&bytes, format).map(|found| found.len()).map_err(|e| e.to_string());
    let counted = match format {
        DataFormat::Text => documents(DocumentFormat::Text),
        DataFormat::Records(format) if ending != ".json" && holds_documents(&bytes) => {
            documents(DocumentFormat::Records(format))
        }
        DataFormat::Records(format) => {
            let rows = parse_rows_of(&bytes, format, &[]).map(|rows| rows.len());
            // What holds neither is most likely meant to hold rows.
            rows.or_else(|error| documents(DocumentFormat::Records(format)).map_err(|_| error.to_string()))
        }
    };
    counted.map_err(|problem| CliError::refused(format!("{shown}: {problem}")))
}

/// Whether the first line is a document rather than a row with instruction and output.
fn holds_documents(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n');
    let first = lines.map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).unwrap_or_default();
    let value: Option<Value> = serde_json::from_slice(first).ok();
    value.is_some_and(|row| row.get("text").is_some() && row.get("instruction").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read(&[path]).unwrap_err().to_string()
    }

    #[test]
    fn rows_documents_and_text_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let row = r#"{"instruction":"q","output":"a"}"#;
        let files = [
            write("rows.jsonl", &format!("{row}\n{row}\n")),
            write("问答.json", &format!("[{row}]")),
            write("docs.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"text\":\"c\"}"),
            write("book.txt", "once upon a time"),
            write("rows.csv", "instruction,output\nq,a\nq,\"a\nb\"\n"),
            write("texts.csv", "text,label\na,1\n"),
            write("MORE.NDJSON", &format!("{row}\n")),
        ];
        let read = read(&files).unwrap();
        assert_eq!(read.iter().map(|file| file.rows).collect::<Vec<_>>(), [2, 1, 3, 1, 2, 1, 1]);
        assert_eq!(read[1].name, "part-0001.json", "a name that the store does not take is replaced");
    }

    #[test]
    fn a_refusal_names_the_row_and_the_field() {
        let missing =
            refusal("rows.jsonl", b"{\"instruction\":\"q\",\"output\":\"a\"}\n{\"instruction\":\"q\"}\n");
        assert!(missing.contains("rows.jsonl: row 2") && missing.contains("\"output\""), "{missing}");
        let binary =
            refusal("rows.jsonl", b"{\"instruction\":\"q\",\"output\":\"a\"}\n{\"instruction\":\"\xff\"}");
        assert!(binary.contains("UTF-8") && binary.contains("line 2"), "{binary}");
        assert!(refusal("text.txt", b"ok\n\xc3\x28").contains("line 2"));
        assert!(refusal("rows.xlsx", b"a,b").contains("is none of *.jsonl, *.ndjson"));
        assert!(refusal("rows.csv", b"instruction,output\na,b\nc\n").contains("row 2 (line 3)"));
        assert!(refusal("rows.parquet", b"PAR1").contains("can't be read as Parquet"));
        assert!(refusal("rows.jsonl", b"\x80\x04\x95\0\0\0\0").contains("pickle"));
    }
}
