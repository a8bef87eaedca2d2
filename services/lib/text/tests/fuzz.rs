//! Parsers of foreign bytes, fed with broken ones: they answer or refuse, and never panic.

use proptest::prelude::*;
use rootstock_text::{
    ChatMessage, ChatTemplate, Cleaner, Cleaning, DocumentFormat, RecordFormat, TextTokenizer,
    TokenizerError, parse_documents, parse_rows, parse_rows_of,
};

use crate::fixtures::{CHATML, FILES, sentencepiece_json};

/// A file with some bytes changed, a part doubled, or its end cut off.
fn broken(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = good.len();
    let changes = prop::collection::vec((0..len, any::<u8>()), 0..8);
    (changes, 0..len, 0..len, 0_u8..4).prop_map(move |(changes, a, b, kind)| {
        let mut bytes = good.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        let (low, high) = (a.min(b), a.max(b));
        match kind {
            0 => bytes.truncate(high),
            1 => drop(bytes.drain(low..high)),
            2 => bytes.extend_from_within(low..high),
            _ => {}
        }
        bytes
    })
}

/// JSON of any shape with the words that the parsers look for.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "type",
        "model",
        "vocab",
        "merges",
        "BPE",
        "Sequence",
        "ByteLevel",
        "Split",
        "pattern",
        "Regex",
        "String",
        "decoder",
        "normalizer",
        "instruction",
        "output",
        "text",
        "a b",
        "",
        "(?=a*)*",
        "\u{FFFD}",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        any::<bool>().prop_map(Into::into),
        word.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

/// A tokenizer that was accepted has to work on any text, too.
fn try_out(json: &[u8], config: Option<&[u8]>) -> Result<(), TestCaseError> {
    let Ok(tokenizer) = TextTokenizer::from_files(json, config) else { return Ok(()) };
    for text in ["", "a b  c\n小😀 <s>", "\u{0}\u{301}"] {
        match tokenizer.encode(text, true) {
            Ok(encoding) => drop(tokenizer.decode(&encoding.ids, false)),
            Err(error) => prop_assert!(matches!(error, TokenizerError::Library { .. }), "{}", error),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn broken_byte_level_tokenizers_do_not_panic(bytes in broken(FILES.tokenizer_json.clone())) {
        try_out(&bytes, None)?;
    }

    #[test]
    fn broken_sentencepiece_tokenizers_do_not_panic(bytes in broken(sentencepiece_json().to_string().into_bytes())) {
        try_out(&bytes, None)?;
    }

    #[test]
    fn a_part_of_a_tokenizer_replaced_by_any_json_does_not_panic(
        part in prop::sample::select(vec![
            "/normalizer", "/normalizer/normalizers/1/pattern", "/pre_tokenizer", "/post_processor",
            "/post_processor/single", "/post_processor/special_tokens", "/decoder", "/decoder/decoders/3",
            "/added_tokens", "/added_tokens/0", "/model/merges", "/model/vocab", "/model/unk_token",
            "/model/continuing_subword_prefix", "/model/end_of_word_suffix", "/model",
        ]),
        value in json(),
    ) {
        let mut file = sentencepiece_json();
        *file.pointer_mut(part).unwrap() = value.clone();
        try_out(file.to_string().as_bytes(), Some(value.to_string().as_bytes()))?;
    }

    #[test]
    fn broken_configurations_do_not_panic(bytes in broken(FILES.tokenizer_config_json.clone())) {
        try_out(&FILES.tokenizer_json, Some(&bytes))?;
    }

    #[test]
    fn broken_rows_and_documents_do_not_panic(
        bytes in broken("[{\"instruction\": \"问\", \"output\": \"b\"},\n{\"text\": \"a\"}]\n{\"text\": 1}".into()),
        value in json(),
    ) {
        for bytes in [&bytes[..], value.to_string().as_bytes()] {
            let _ = parse_rows(bytes);
            for format in [RecordFormat::Csv, RecordFormat::Parquet] {
                let _ = parse_rows_of(bytes, format, &["text".to_owned()]);
                let _ = Cleaner::new(Cleaning::default()).records(bytes, format);
            }
            let json = DocumentFormat::Records(RecordFormat::Json);
            for format in [DocumentFormat::Text, DocumentFormat::Paragraphs, json] {
                let _ = parse_documents(bytes, format);
            }
        }
    }

    #[test]
    fn broken_parquet_and_csv_do_not_panic(
        parquet in broken(crate::formats::parquet(&[("a", "b"), ("c", "d")])),
        csv in broken("instruction,output\n\"a, b\",c\nd,\"e\"\"\n\"\n".into()),
    ) {
        let _ = parse_rows_of(&parquet, RecordFormat::Parquet, &[]);
        let _ = parse_rows_of(&csv, RecordFormat::Csv, &[]);
    }

    #[test]
    fn broken_chat_templates_do_not_panic(bytes in broken(CHATML.into()), text in "\\PC{0,40}") {
        for source in [String::from_utf8_lossy(&bytes).as_ref(), text.as_str(), &format!("{{{{ {text} }}}}")] {
            if let Ok(template) = ChatTemplate::new(source) {
                let _ = template.render(&[ChatMessage::new("user", "hi")], true, "<s>", "</s>");
            }
        }
    }
}
