//! Documents from plain text and JSON lines.

use rootstock_text::{DocumentError, DocumentFormat, RecordFormat, RowError, parse_documents};

#[test]
fn plain_text_is_one_document_to_the_last_character() {
    let text = "a\n\nb \n";
    assert_eq!(parse_documents(text.as_bytes(), DocumentFormat::Text).unwrap(), [text]);
}

#[test]
fn blank_lines_part_paragraphs() {
    let text = "\n\na\nb\n \n\n中\r\n\r\nc";
    let documents = parse_documents(text.as_bytes(), DocumentFormat::Paragraphs).unwrap();
    assert_eq!(documents, ["a\nb\n", "中\r\n", "c"]);
}

#[test]
fn json_lines_hold_documents_in_text() {
    let text = "{\"text\": \"a\\nb\"}\n\n{\"text\": \" \"}\n{\"text\": \"c\", \"url\": 1}";
    let documents = parse_documents(text.as_bytes(), DocumentFormat::Records(RecordFormat::Json)).unwrap();
    assert_eq!(documents, ["a\nb", "c"]);
}

#[test]
fn refusals_name_document_and_line() {
    let error = |text: &str| {
        parse_documents(text.as_bytes(), DocumentFormat::Records(RecordFormat::Json)).unwrap_err().to_string()
    };
    assert_eq!(
        error("{\"text\": \"a\"}\n\n{\"body\": \"b\"}"),
        "row 2 (line 3): field \"text\" is missing; each record needs a text"
    );
    assert_eq!(error("{\"text\": 1}"), "row 1 (line 1): field \"text\" must be a string");
    assert!(error("plain").starts_with("row 1 (line 1): expected"));
    let not_text = parse_documents(b"ab\n\xFF", DocumentFormat::Text).unwrap_err();
    assert_eq!(not_text, DocumentError::Row(RowError::NotUtf8 { row: None, offset: 3, line: 2 }));
    assert_eq!(parse_documents(b" \n", DocumentFormat::Text), Err(DocumentError::Empty));
}

#[test]
fn the_name_tells_the_format() {
    assert_eq!(DocumentFormat::from_name("a.JSONL"), DocumentFormat::Records(RecordFormat::Json));
    assert_eq!(DocumentFormat::from_name("a.txt"), DocumentFormat::Text);
    assert_eq!(DocumentFormat::from_name("a.csv"), DocumentFormat::Records(RecordFormat::Csv));
}
