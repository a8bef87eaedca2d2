//! CSV and Parquet beside JSON: the same rows, and refusals that say where.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rootstock_text::{
    DocumentFormat, LabelledText, RecordFormat, Row, RowError, parse_documents, parse_judged_rows,
    parse_labelled_texts, parse_rows, parse_rows_of, scan_rows,
};

/// A file with the columns `instruction` and `output`.
pub(crate) fn parquet(rows: &[(&str, &str)]) -> Vec<u8> {
    let (instructions, outputs): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
    columns(
        "message rows { required binary instruction (UTF8); required binary output (UTF8); required int64 n; }",
        &[&instructions, &outputs],
    )
}

fn columns<T: AsRef<[u8]>>(schema: &str, columns: &[&[T]]) -> Vec<u8> {
    written(schema, columns, WriterProperties::builder().set_compression(Compression::SNAPPY).build())
}

fn written<T: AsRef<[u8]>>(schema: &str, columns: &[&[T]], properties: WriterProperties) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    for texts in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let texts: Vec<ByteArray> = texts.iter().map(|text| text.as_ref().to_vec().into()).collect();
        column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        column.close().unwrap();
    }
    if let Some(mut numbers) = group.next_column().unwrap() {
        let values: Vec<i64> = (0..columns[0].len() as i64).collect();
        numbers.typed::<parquet::data_type::Int64Type>().write_batch(&values, None, None).unwrap();
        numbers.close().unwrap();
    }
    group.close().unwrap();
    file.into_inner().unwrap()
}

fn row(instruction: &str, output: &str) -> Row {
    Row { instruction: instruction.to_owned(), output: output.to_owned(), ..Row::default() }
}

#[test]
fn the_same_rows_come_from_json_csv_and_parquet() {
    let expected = [row("问, \"什么\"?", "a\nb"), row("c", "d")];
    let json = r#"{"instruction": "问, \"什么\"?", "output": "a\nb"}
        {"instruction": "c", "output": "d"}"#;
    assert_eq!(parse_rows(json.as_bytes()).unwrap(), expected);
    let csv = "\u{FEFF}output,id,instruction\r\n\"a\nb\",1,\"问, \"\"什么\"\"?\"\r\nd,2,c\r\n";
    assert_eq!(parse_rows_of(csv.as_bytes(), RecordFormat::Csv, &[]).unwrap(), expected);
    let parquet = parquet(&[("问, \"什么\"?", "a\nb"), ("c", "d")]);
    assert_eq!(parse_rows_of(&parquet, RecordFormat::Parquet, &[]).unwrap(), expected);
}

#[test]
fn documents_and_labels_come_from_any_format_too() {
    let texts = "label,text\n1,one\n0,two\n";
    let labelled = parse_labelled_texts(texts.as_bytes(), RecordFormat::Csv).unwrap();
    assert_eq!(labelled[0], LabelledText { text: "one".into(), label: "1".into() });
    let documents = |bytes: &[u8], format| parse_documents(bytes, DocumentFormat::Records(format)).unwrap();
    assert_eq!(documents(texts.as_bytes(), RecordFormat::Csv), ["one", "two"]);
    assert_eq!(documents(br#"[{"text": "one"}, {"text": "two"}]"#, RecordFormat::Json), ["one", "two"]);
    let parquet = columns("message texts { required binary text; }", &[&["one", "two"]]);
    assert_eq!(documents(&parquet, RecordFormat::Parquet), ["one", "two"]);
}

#[test]
fn other_wordings_stand_in_columns_of_any_name() {
    let names = ["other".to_owned(), "more".to_owned()];
    let json = r#"{"instruction": "a", "output": "b", "other": "c", "more": ["d", " ", "e"]}
        {"instruction": "f", "output": "g", "more": null}"#;
    let rows = parse_rows_of(json.as_bytes(), RecordFormat::Json, &names).unwrap();
    assert_eq!(
        (rows[0].paraphrases.as_slice(), rows[1].paraphrases.len()),
        (&["c", "d", "e"].map(str::to_owned)[..], 0)
    );
    let csv = "instruction,output,more\na,b,c\n";
    assert_eq!(parse_rows_of(csv.as_bytes(), RecordFormat::Csv, &names).unwrap()[0].paraphrases, ["c"]);
    let number = r#"{"instruction": "a", "output": "b", "other": 1}"#;
    let refused = parse_rows_of(number.as_bytes(), RecordFormat::Json, &names).unwrap_err().to_string();
    assert!(refused.contains("row 1 (line 1)") && refused.contains("paraphrase_columns"), "{refused}");
}

#[test]
fn a_row_of_csv_that_is_wrong_is_named() {
    let refused = |text: &[u8]| parse_rows_of(text, RecordFormat::Csv, &[]).unwrap_err().to_string();
    assert_eq!(
        refused(b"instruction,output\na,b\n\"c\nc\",d\ne\n"),
        "row 3 (line 5): has 1 fields, but the first line names 2"
    );
    assert_eq!(refused(b"instruction,output\na,\n"), "row 1 (line 2): field \"output\" is blank");
    assert!(refused(b"instruction,answer\na,b\n").contains("\"output\" is missing"));
    assert_eq!(refused(b"a,a\n1,2\n"), "two columns are called \"a\"; rename one of them");
    assert_eq!(
        refused(b"instruction,output\na,b\nc,\xff\n"),
        "not UTF-8 from byte 25 on (line 3); save the file as UTF-8"
    );
    assert_eq!(refused(b"instruction,output\n"), "there are no rows");
}

#[test]
fn a_quote_astray_is_named_with_its_line_and_takes_no_row_with_it() {
    let scan = |text: &str| {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        scan_rows(text.as_bytes(), RecordFormat::Csv, &[], &mut |row, found| {
            match found {
                Ok(_) => good.push(row),
                Err(error) => bad.push(error.to_string()),
            }
            Ok(())
        })
        .unwrap();
        (good, bad.join("; "))
    };
    let (good, bad) = scan("instruction,output\na,b\nsay \"hi\",c\nd,e\n");
    assert_eq!(good, [1, 3]);
    assert!(bad.starts_with("row 2 (line 3): has a quote inside a field"), "{bad}");
    let (good, bad) = scan("instruction,output\na,\"b\n\nc,\"d\"\ne,f\n");
    assert_eq!(good, [2]);
    assert!(
        bad.starts_with("row 1 (line 2): has text behind the quote that ends a field, on line 4"),
        "{bad}"
    );
    let (good, bad) = scan("instruction,output\na,b\nc,\"d\ne,f\ng,h\n");
    assert_eq!(good, [1]);
    assert!(bad.starts_with("row 2 (line 3): begins a field with a quote that nothing closes"), "{bad}");
    let long = format!("instruction,output\na,\"{}\"\n", "b".repeat(5 << 20));
    assert!(scan(&long).1.starts_with("row 1 (line 2): begins a field with a quote that nothing closes"));
    let header = parse_rows_of(b"instruction,out\"put\na,b\n", RecordFormat::Csv, &[]).unwrap_err();
    assert!(header.to_string().starts_with("line 1 has a quote inside"), "{header}");
}

#[test]
fn rows_to_judge_by_come_from_any_format_with_their_keywords() {
    let judged = |bytes: &[u8], format| parse_judged_rows(bytes, format, 2).unwrap();
    let json = br#"{"instruction": "a", "output": "b", "keywords": ["x", "y"]}
        {"instruction": "c", "output": "d", "keywords": null}"#;
    let rows = judged(json, RecordFormat::Json);
    assert_eq!((&rows[0].row, &rows[1].row), (&row("a", "b"), &row("c", "d")));
    assert_eq!(
        (rows[0].keywords.as_slice(), rows[1].keywords.len()),
        (&["x", "y"].map(str::to_owned)[..], 0)
    );
    let csv = "instruction,output,keywords\na,b,\"[\"\"x\"\", \"\"y\"\"]\"\nc,d,\n";
    assert_eq!(judged(csv.as_bytes(), RecordFormat::Csv), rows);
    let schema = "message rows { required binary instruction (UTF8); required binary output (UTF8);
        required binary keywords (UTF8); }";
    let columns = columns(schema, &[&["a", "c"], &["b", "d"], &["[\"x\", \"y\"]", ""]]);
    assert_eq!(judged(&columns, RecordFormat::Parquet), rows);
    let refused = |line: &str| {
        let text = format!("{{\"instruction\": \"a\", \"output\": \"b\"}}\n{line}\n");
        parse_judged_rows(text.as_bytes(), RecordFormat::Json, 2).unwrap_err().to_string()
    };
    let row = |keywords: &str| {
        refused(&format!("{{\"instruction\":\"a\",\"output\":\"b\",\"keywords\":{keywords}}}"))
    };
    assert_eq!(
        row("[\" \"]"),
        "row 2 (line 2): field \"keywords\" has a blank keyword, which occurs nowhere"
    );
    assert!(row("\"x\"").contains("must be an array of strings") && row("[1]").contains("must be an array"));
    assert!(refused("{\"instruction\": \"a\"}").contains("row 2 (line 2): field \"output\" is missing"));
    assert!(
        refused("{\"messages\": []}").contains("row 2 (line 2): field \"messages\" is of a conversation")
    );
    assert_eq!(refused(&"{\"instruction\": \"a\", \"output\": \"b\"}\n".repeat(2)), "more than 2 rows");
}

#[test]
fn parquet_that_is_none_or_nested_is_refused() {
    let refused = |bytes: &[u8]| parse_rows_of(bytes, RecordFormat::Parquet, &[]).unwrap_err().to_string();
    assert!(refused(b"PAR1 or not").starts_with("can't be read as Parquet"));
    assert!(refused(&parquet(&[("a", "b")])[4..]).starts_with("can't be read as Parquet"));
    let others = columns("message other { required binary question (UTF8); }", &[&["a"]]);
    assert!(refused(&others).starts_with("has none of the columns instruction"), "{}", refused(&others));
    let list = columns::<&str>("message list { repeated binary instruction (UTF8); }", &[&[]]);
    assert!(refused(&list).contains("\"instruction\" is a list or a group"), "{}", refused(&list));
}

#[test]
fn columns_and_wordings_are_bounded() {
    let names: Vec<String> = (0..4097).map(|i| i.to_string()).collect();
    let wide = parse_rows_of(names.join(",").as_bytes(), RecordFormat::Csv, &[]).unwrap_err();
    assert_eq!(wide.to_string(), "has 4097 columns, more than the 4096 allowed");
    let row = |wordings: usize| {
        let row = serde_json::json!({"instruction": "a", "output": "b", "more": vec!["c"; wordings]});
        parse_rows_of(row.to_string().as_bytes(), RecordFormat::Json, &["more".to_owned()])
    };
    assert_eq!(row(64).unwrap()[0].paraphrases.len(), 64);
    assert!(row(65).unwrap_err().to_string().contains("more than 64 texts"));
    let twice = br#"{"instruction": "a", "instruction": "c", "output": "b"}"#;
    let refused = parse_rows_of(twice, RecordFormat::Json, &["more".to_owned()]).unwrap_err().to_string();
    assert!(refused.contains("duplicate field `instruction`"), "{refused}");
}

const TEXT: &str = "message texts { required binary instruction (UTF8); }";

#[test]
fn parquet_that_would_take_more_memory_than_it_has_is_refused() {
    let refused = |bytes: &[u8]| parse_rows_of(bytes, RecordFormat::Parquet, &[]).unwrap_err().to_string();
    // The header of the dictionary's page: 2 values, plainly written.
    let mut dictionary = columns(TEXT, &[&["a", "b"]]);
    let header = [0x4C, 0x15, 4, 0x15];
    let at = dictionary.windows(header.len()).position(|bytes| bytes == header).unwrap();
    dictionary[at + 2] = 0x7E;
    assert_eq!(refused(&dictionary), "can't be read as Parquet: it is damaged");
    for encoding in [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        let delta = WriterProperties::builder().set_dictionary_enabled(false).set_encoding(encoding).build();
        let refusal = refused(&written(TEXT, &[&["a"]], delta));
        assert!(refusal.contains("\"instruction\" is delta encoded; write it as PLAIN"), "{refusal}");
    }
    let nested = |depth: usize| {
        let groups = "required group g { ".repeat(depth);
        format!("message m {{ {groups} required binary a; {} }}", "}".repeat(depth))
    };
    let refusal = refused(&columns(&nested(100), &[&["a"]]));
    assert!(refusal.contains("nested deeper than 16"), "{refusal}");
    assert!(refused(&columns(&nested(3), &[&["a"]])).contains("none of the columns"));
    let mut long = parquet(&[("a", "b")]);
    let end = long.len() - 8;
    long[end..end + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refused(&long).contains("it is damaged"), "its footer would be longer than all of it");
    let length = (4 << 20) + 1_u32;
    let long = [vec![0; length as usize].as_slice(), &length.to_le_bytes(), b"PAR1"].concat();
    assert!(refused(&long).contains("its footer has 4194305 bytes"));
}

#[test]
fn bytes_of_parquet_that_are_no_text_are_told_of_their_row() {
    let schema = "message texts { required binary instruction; }";
    let bytes = columns(schema, &[&[&b"a"[..], b"\xff"]]);
    let mut bad = Vec::new();
    scan_rows(&bytes, RecordFormat::Parquet, &[], &mut |_, found| {
        bad.push(found.unwrap_err().to_string());
        Ok(())
    })
    .unwrap();
    assert!(
        bad[1].contains("row 2") && bad[1].contains("\"instruction\" holds bytes that are not UTF-8"),
        "{bad:?}"
    );
}

#[test]
fn whoever_wants_to_goes_on_after_a_bad_row() {
    let scan = |bytes: &[u8], format| {
        let (mut good, mut bad): (Vec<usize>, Vec<(usize, RowError)>) = Default::default();
        scan_rows(bytes, format, &[], &mut |row, found| {
            match found {
                Ok(_) => good.push(row),
                Err(error) => bad.push((row, error)),
            }
            Ok(())
        })
        .unwrap();
        (good, bad.into_iter().map(|(row, _)| row).collect::<Vec<_>>())
    };
    let good = r#"{"instruction": "a", "output": "b"}"#;
    let lines = format!("{good}\nno json\n\n{{\"instruction\": \"a\"}}\n{good}\n");
    let mut bytes = lines.into_bytes();
    bytes.extend(b"{\"instruction\": \"\xff\"}\n");
    bytes.extend(good.as_bytes());
    assert_eq!(scan(&bytes, RecordFormat::Json), (vec![1, 4, 6], vec![2, 3, 5]));
    let array =
        format!("[{good}, {{\"instruction\": 1, \"output\": \"b\"}}, {{\"messages\": 3}}, {good}, {{]");
    assert_eq!(scan(array.as_bytes(), RecordFormat::Json), (vec![1, 4], vec![2, 3, 5]));
    assert_eq!(scan(b"instruction,output\na,b\nc\nd,e\n", RecordFormat::Csv), (vec![1, 3], vec![2]));
}
