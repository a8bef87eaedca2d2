//! Rows: both forms read, and every refusal says which row, line and field.

use rootstock_text::{Row, parse_rows};

fn error(text: &str) -> String {
    parse_rows(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn json_lines_and_a_json_array_give_the_same_rows() {
    let lines = "\u{FEFF}{\"instruction\": \"问\", \"output\": \"答\", \"id\": [1]}\r\n\n\
        {\"output\": \"b\", \"input\": \"i\", \"instruction\": \"a\"}\n";
    let array = "\n [{\"instruction\": \"问\", \"input\": null, \"output\": \"答\"},\n\
        {\"instruction\": \"a\", \"input\": \"i\", \"output\": \"b\"}]\n";
    let row = |instruction: &str, input: &str, output: &str| Row {
        instruction: instruction.to_owned(),
        input: input.to_owned(),
        output: output.to_owned(),
    };
    let expected = vec![row("问", "", "答"), row("a", "i", "b")];
    assert_eq!(parse_rows(lines.as_bytes()).unwrap(), expected);
    assert_eq!(parse_rows(array.as_bytes()).unwrap(), expected);
}

#[test]
fn a_bad_field_is_named_with_row_and_line() {
    let good = "{\"instruction\": \"a\", \"output\": \"b\"}";
    let bad = [
        ("{\"instruction\": \"a\"}", "field \"output\" is missing; each row needs instruction and output"),
        (
            "{\"prompt\": \"a\", \"output\": \"b\"}",
            "field \"instruction\" is missing; each row needs instruction and output",
        ),
        ("{\"instruction\": \" \", \"output\": \"b\"}", "field \"instruction\" is blank"),
        ("{\"instruction\": \"a\", \"output\": 5}", "field \"output\" must be a string, not a number"),
        (
            "{\"instruction\": \"a\", \"input\": [], \"output\": \"b\"}",
            "field \"input\" must be a string, not an array",
        ),
    ];
    for (row, problem) in bad {
        assert_eq!(error(&format!("{good}\n\n{row}")), format!("row 2 (line 3): {problem}"));
        assert_eq!(error(&format!("[\n{good},\n{row}\n]")), format!("row 2 (line 3): {problem}"));
    }
}

#[test]
fn json_that_is_none_is_named_with_row_and_line() {
    let good = "{\"instruction\": \"a\", \"output\": \"b\"}";
    assert!(error(&format!("{good}\nnot json")).starts_with("row 2 (line 2): expected"));
    assert!(error(&format!("[{good},\n{{\"instruction\": }}]")).starts_with("row 2 (line 2): expected"));
    assert_eq!(error(&format!("[{good}\n")), "row 1 (line 2): a comma or ] must follow");
    assert_eq!(error(&format!("[{good},\n")), "row 2 (line 2): the array ends before its ]");
    assert!(error(&format!("[{good},]")).starts_with("row 2 (line 1): expected"));
    assert_eq!(error(&format!("[{good}]\n{good}")), "row 2 (line 2): something follows after the array");
    assert!(error("{\"output\": \"a\", \"output\": \"b\"}").contains("duplicate field"));
    assert!(error("[1]").starts_with("row 1 (line 1): invalid type"));
    assert!(error(&"[".repeat(10_000)).starts_with("row 1"));
    assert_eq!(error(" \n"), "there are no rows");
    assert_eq!(error("[]"), "there are no rows");
}

#[test]
fn bytes_that_are_not_utf8_are_named_by_offset_and_line() {
    let mut bytes = "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": \"".as_bytes().to_vec();
    let offset = bytes.len();
    bytes.extend([0xC4, 0xE3, 0xBA, 0xC3]);
    let message = parse_rows(&bytes).unwrap_err().to_string();
    assert_eq!(message, format!("not UTF-8 from byte {offset} on (line 2); save the file as UTF-8"));
}
