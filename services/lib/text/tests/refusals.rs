//! Foreign tokenizer files: what can't be applied is refused before the library sees it, by field.

use rootstock_text::{TextTokenizer, TokenizerError, TokenizerSources};
use serde_json::{Value, json};

use crate::fixtures::{FILES, byte_level_json, load, sentencepiece_json};

/// A field, and how it is broken.
type Change = fn(&mut Value);

/// Breaks a good file with `change` and gives the field and the whole message of the refusal.
fn refused(mut json: Value, change: impl FnOnce(&mut Value)) -> (String, String) {
    change(&mut json);
    let error = load(&json).unwrap_err();
    match &error {
        TokenizerError::Field { field, .. } => (field.clone(), error.to_string()),
        other => panic!("expected a field, got: {other}"),
    }
}

#[test]
fn a_merge_of_unknown_tokens_is_refused_and_does_not_panic() {
    let merges = [json!(["a", "never"]), json!("zz zz"), json!(["a", "一个很长很长很长很长的词"])];
    for merge in merges {
        let (field, message) = refused(byte_level_json(), |j| j["model"]["merges"][3] = merge);
        assert_eq!(field, "model.merges[3]");
        assert!(message.contains("is not in the vocabulary"), "{message}");
    }
}

#[test]
fn a_merge_shorter_than_its_prefix_is_refused() {
    // The library cuts the prefix off by length, without a look at what it cuts.
    let (field, _) = refused(sentencepiece_json(), |j| {
        j["model"]["continuing_subword_prefix"] = json!("小小");
    });
    assert_eq!(field, "model.merges[0]");
}

#[test]
fn each_bad_field_is_named() {
    let byte_level: [(&str, Change); 12] = [
        ("model.type", |j| j["model"]["type"] = json!("WordLevel")),
        ("version", |j| j["version"] = json!("2.0")),
        ("model.dropout", |j| j["model"]["dropout"] = json!(0.1)),
        ("model.unk_token", |j| j["model"]["unk_token"] = json!("<none>")),
        ("model.vocab", |j| j["model"]["vocab"]["again"] = json!(5)),
        ("model.vocab", |j| j["model"]["vocab"]["far"] = json!(4_000_000_000_u32)),
        ("model.vocab", |j| drop(j["model"]["vocab"].as_object_mut().unwrap().remove("Q"))),
        ("model.merges[0]", |j| j["model"]["merges"][0] = json!("one two three")),
        ("added_tokens[0].id", |j| j["added_tokens"][0]["id"] = json!(9)),
        ("added_tokens[0].content", |j| j["added_tokens"][0]["content"] = json!("")),
        ("pre_tokenizer.type", |j| j["pre_tokenizer"]["type"] = json!("FixedLength")),
        ("decoder", |j| j["decoder"] = json!(null)),
    ];
    for (expected, change) in byte_level {
        assert_eq!(refused(byte_level_json(), change).0, expected);
    }
    let sentencepiece: [(&str, Change); 8] = [
        ("normalizer.normalizers[0].type", |j| {
            j["normalizer"]["normalizers"][0]["type"] = json!("Precompiled");
        }),
        ("normalizer.normalizers[0].prepend", |j| {
            j["normalizer"]["normalizers"][0]["prepend"] = json!("long ".repeat(20));
        }),
        ("normalizer.normalizers[1].pattern", |j| {
            j["normalizer"]["normalizers"][1]["pattern"] = json!({"Regex": "((a{100}){100}){100}"});
        }),
        ("post_processor.special_tokens.<s>", |j| {
            j["post_processor"]["special_tokens"]["<s>"]["ids"] = json!([77]);
        }),
        ("post_processor.single[0]", |j| {
            j["post_processor"]["single"][0]["SpecialToken"]["id"] = json!("<x>");
        }),
        ("post_processor.single[1]", |j| j["post_processor"]["single"][1]["Sequence"]["id"] = json!("B")),
        ("decoder[3]", |j| j["decoder"]["decoders"][3]["stop"] = json!(5)),
        ("decoder[1]", |j| j["decoder"]["decoders"][1]["type"] = json!("CTC")),
    ];
    for (expected, change) in sentencepiece {
        assert_eq!(refused(sentencepiece_json(), change).0, expected);
    }
}

#[test]
fn text_that_would_be_lost_in_silence_is_found_at_loading() {
    let (field, message) = refused(sentencepiece_json(), |j| {
        j["model"]["unk_token"] = json!(null);
        j["model"]["byte_fallback"] = json!(false);
    });
    assert_eq!(field, "model.unk_token");
    assert!(message.contains("text would be lost"), "{message}");
}

#[test]
fn sequences_without_end_are_refused() {
    let (_, message) = refused(byte_level_json(), |j| {
        for _ in 0..40 {
            let inner = j["normalizer"].take();
            let inner = if inner.is_null() { json!({"type": "NFC"}) } else { inner };
            j["normalizer"] = json!({"type": "Sequence", "normalizers": [inner]});
        }
    });
    assert!(message.contains("deep"), "{message}");
}

#[test]
fn a_regular_expression_that_does_not_compile_is_refused() {
    let (field, _) = refused(byte_level_json(), |j| {
        j["pre_tokenizer"] =
            json!({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated", "invert": false});
    });
    assert_eq!(field, "pre_tokenizer");
}

#[test]
fn special_tokens_outside_of_the_vocabulary_are_refused() {
    let config = br#"{"eos_token": "</s>"}"#;
    let error = TextTokenizer::from_files(&FILES.tokenizer_json, Some(config)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tokenizer_config.json: eos_token: \"</s>\" is not a token of tokenizer.json"
    );
}

#[test]
fn truncation_and_padding_in_the_file_change_nothing() {
    let mut json = byte_level_json();
    json["truncation"] =
        json!({"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0});
    let ids = load(&json).unwrap().encode_ids("a text of many tokens", false).unwrap();
    assert!(ids.len() > 5);
}

#[test]
fn files_that_are_too_large_or_not_json_say_so() {
    let large = vec![b' '; (64 << 20) + 1];
    let error = TextTokenizer::from_files(&large, None).unwrap_err();
    assert!(matches!(error, TokenizerError::TooLarge { file: "tokenizer.json", .. }));
    for bytes in [&b""[..], b"{", b"[]", b"\x80\x04\x95", &b"[".repeat(100_000)] {
        let error = TextTokenizer::from_files(bytes, None).unwrap_err();
        assert!(matches!(error, TokenizerError::Json { file: "tokenizer.json", .. }), "{error}");
    }
}

#[test]
fn of_several_chat_templates_the_default_is_taken() {
    let load = |config: &str| TextTokenizer::from_files(&FILES.tokenizer_json, Some(config.as_bytes()));
    let two =
        r#"{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#;
    assert_eq!(load(two).unwrap().render_chat(&[], false).unwrap(), "d");
    let none = r#"{"chat_template": [{"name": "rag", "template": "r"}]}"#;
    assert!(load(none).unwrap_err().to_string().ends_with("no template named \"default\", only: rag"));
    let sources = TokenizerSources {
        tokenizer_json: &FILES.tokenizer_json,
        tokenizer_config: Some(two.as_bytes()),
        chat_template: Some(b"own file"),
    };
    assert_eq!(TextTokenizer::from_sources(&sources).unwrap().render_chat(&[], false).unwrap(), "own file");
    let broken = TokenizerSources { chat_template: Some(b"\xFF"), ..sources };
    assert!(TextTokenizer::from_sources(&broken).unwrap_err().to_string().contains("not UTF-8 from byte 0"));
}
