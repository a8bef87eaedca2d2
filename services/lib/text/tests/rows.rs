//! Rows: both forms read, and every refusal says which row, line and field.

use std::sync::Arc;

use rootstock_text::{ChatMessage, LabelledText, RecordFormat, Row, parse_labelled_texts, parse_rows};

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
        ..Row::default()
    };
    let expected = vec![row("问", "", "答"), row("a", "i", "b")];
    assert_eq!(parse_rows(lines.as_bytes()).unwrap(), expected);
    assert_eq!(parse_rows(array.as_bytes()).unwrap(), expected);
}

#[test]
fn a_bad_field_is_named_with_row_and_line() {
    let good = "{\"instruction\": \"a\", \"output\": \"b\"}";
    let bad = [
        (
            "{\"instruction\": \"a\"}",
            "field \"output\" is missing; each row needs instruction and output, or messages",
        ),
        (
            "{\"prompt\": \"a\", \"output\": \"b\"}",
            "field \"instruction\" is missing; each row needs instruction and output, or messages",
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
    assert_eq!(error("[1]"), "row 1 (line 1): invalid type: integer `1`, expected an object of named fields");
    let listed = r#"["a", "", "b", null, null]"#;
    for list in [format!("{good}\n{listed}"), format!("[{good},\n{listed}]")] {
        let refused = error(&list);
        assert_eq!(refused, "row 2 (line 2): invalid type: sequence, expected an object of named fields");
    }
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

#[test]
fn a_conversation_is_a_row_for_each_answer_with_what_was_said_before() {
    let openai = r#"{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a?"},
        {"role": "assistant", "content": "b"}, {"role": "user", "content": "c?"}, {"role": "assistant", "content": "d"},
        {"role": "user", "content": "unanswered"}]}"#
        .replace('\n', " ");
    let sharegpt = openai
        .replace("messages", "conversations")
        .replace("role", "from")
        .replace("content", "value")
        .replace("\"user\"", "\"human\"")
        .replace("\"assistant\"", "\"gpt\"");
    let message = |role: &str, content: &str| ChatMessage::new(role, content);
    let first = [message("system", "Be brief.")];
    let second = [&first[..], &[message("user", "a?"), message("assistant", "b")]].concat();
    let row = |question: &str, answer: &str, history: &[ChatMessage]| Row {
        instruction: question.to_owned(),
        output: answer.to_owned(),
        history: history.iter().cloned().map(Arc::new).collect(),
        ..Row::default()
    };
    let expected = vec![row("a?", "b", &first), row("c?", "d", &second)];
    assert_eq!(parse_rows(openai.as_bytes()).unwrap(), expected);
    assert_eq!(parse_rows(sharegpt.as_bytes()).unwrap(), expected);
    assert_eq!(parse_rows(format!("[{openai}, {sharegpt}]").as_bytes()).unwrap().len(), 4);
}

#[test]
fn a_conversation_that_teaches_nothing_or_is_unclear_is_refused() {
    let said = |turns: &[(&str, &str)]| {
        let turns: Vec<String> = turns
            .iter()
            .map(|(from, value)| format!(r#"{{"from": "{from}", "value": "{value}"}}"#))
            .collect();
        error(&format!(r#"{{"conversations": [{}]}}"#, turns.join(", ")))
    };
    assert!(said(&[("human", "a")]).ends_with("field \"conversations\" has no answer to a user"));
    assert!(said(&[("gpt", "a"), ("human", "b")]).ends_with("has no answer to a user"));
    assert!(said(&[("tool", "a")]).contains("has an unknown role; known are system"));
    assert!(said(&[("human", "a"), ("system", "b")]).contains("system message that is not the first"));
    assert!(said(&[("human", "a"), ("gpt", " ")]).contains("blank"));
    let long: Vec<_> = (0..257).map(|turn| (["human", "gpt"][turn % 2], "a")).collect();
    assert!(said(&long).contains("more than 256 messages"));
    let beside = r#"{"instruction": "a", "output": "b", "messages": []}"#;
    assert!(error(beside).contains("\"messages\" stands beside instruction or output"));
    let both = r#"{"messages": [], "conversations": []}"#;
    assert!(error(both).contains("says the same as messages"));
    assert!(
        error(r#"{"messages": [{"role": "user"}]}"#).starts_with("row 1 (line 1): missing field `content`")
    );
}

#[test]
fn texts_have_labels_that_are_strings_or_numbers() {
    let rows = "{\"text\": \"fine\", \"label\": \"good\"}\n{\"text\": \"bad\", \"label\": 0}\n";
    let labelled = |text: &str, label: &str| LabelledText { text: text.to_owned(), label: label.to_owned() };
    assert_eq!(
        parse_labelled_texts(rows.as_bytes(), RecordFormat::Json).unwrap(),
        [labelled("fine", "good"), labelled("bad", "0")]
    );
    let refused =
        |row: &str| parse_labelled_texts(row.as_bytes(), RecordFormat::Json).unwrap_err().to_string();
    assert!(refused(r#"{"text": "a"}"#).ends_with("\"label\" is missing; each row needs text and label"));
    assert!(refused(r#"{"text": " ", "label": 1}"#).ends_with("\"text\" is blank"));
    assert!(refused(r#"{"text": "a", "label": 1.5}"#).ends_with("must be a string, not a number"));
}
