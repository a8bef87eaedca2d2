//! Which constraints are compiled and which are refused, in what time, and how tokens are seen.

use std::time::{Duration, Instant};

use candle_core::Device;
use rootstock_artifacts::Digest;
use rootstock_model::Decoder;
use rootstock_runtime::{Shutdown, Tasks};
use rootstock_text::TextTokenizer;
use serde_json::json;

use super::*;
use crate::{
    error::Error,
    models::Model,
    tests::{model, tiny_config},
};

/// Far more than any refusal takes on a loaded machine, and far less than an exploding constraint would.
const SOON: Duration = Duration::from_secs(10);

async fn compile(constraint: Constraint) -> Result<Matcher, Error> {
    Compiler::new(Tasks::new(Shutdown::new())).compile(constraint, model(1)).await
}

/// The field and the message of a refusal.
#[track_caller]
fn refusal(result: Result<Matcher, Error>) -> (String, String) {
    match result.unwrap_err() {
        Error::Invalid { field, message } => (field, message),
        other => panic!("{other}"),
    }
}

async fn json_refused(schema: &str) -> String {
    let began = Instant::now();
    let (field, message) = refusal(compile(Constraint::Json(schema.to_owned())).await);
    assert!(began.elapsed() < SOON, "{message}");
    assert_eq!(field, "sampling.constraint.json");
    assert!(message.len() < 400, "{message}");
    message
}

async fn regex_refused(regex: &str) -> String {
    let began = Instant::now();
    let (field, message) = refusal(compile(Constraint::Regex(regex.to_owned())).await);
    assert!(began.elapsed() < SOON, "{message}");
    assert_eq!(field, "sampling.constraint.regex");
    assert!(message.len() < 400, "{message}");
    message
}

#[tokio::test]
async fn a_schema_that_cant_be_held_to_is_refused_by_what_is_wrong_with_it() {
    for (schema, says) in [
        ("{", "not JSON"),
        ("5", "object or boolean"),
        ("false", "schema is false"),
        (r#"{"not": {}}"#, r#"["not"]"#),
        (r#"{"if": {"type": "string"}, "then": {"minLength": 3}}"#, r#"["if", "then"]"#),
        (r#"{"type": "string", "pattern": "(a"}"#, "unclosed group"),
        (r#"{"$ref": "http://localhost/schema.json"}"#, "$ref"),
        (r#"{"type": "integer", "multipleOf": 1000007}"#, "multipleOf"),
        (r#"{"x-guidance": {"whitespace_pattern": ".*"}}"#, "x-guidance"),
        // A text that can't begin.
        (r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##, ""),
    ] {
        let message = json_refused(schema).await;
        assert!(message.contains(says), "{schema}: {message}");
    }
}

#[tokio::test]
async fn schemas_made_to_explode_are_refused_soon() {
    let nested = |open: &str, close: &str| format!("{}{{}}{}", open.repeat(200), close.repeat(200));
    assert!(json_refused(&nested(r#"{"items":"#, "}")).await.contains("recursion"));
    let patterns = json!({"type": "string", "pattern": r"\w*".repeat(2000)}).to_string();
    assert!(json_refused(&patterns).await.contains("regular expressions"));
    let keys: serde_json::Map<_, _> = (0..2000).map(|i| (format!("k{i}"), json!(true))).collect();
    assert!(
        json_refused(&json!({"patternProperties": keys}).to_string()).await.contains("regular expressions")
    );
    // Each part has eight forms, and all parts together eight to the power of thirty.
    let form = |part: usize, form: usize| json!({"properties": {format!("p{part}"): {"const": form}}});
    let part = |part| json!({"anyOf": (0..8).map(|i| form(part, i)).collect::<Vec<_>>()});
    json_refused(&json!({"allOf": (0..30).map(part).collect::<Vec<_>>()}).to_string()).await;
    // Two ways at each of forty definitions.
    let side = |next: usize, limit| json!({"allOf": [{"$ref": format!("#/$defs/d{next}")}, limit]});
    let both = |i: usize| json!({"anyOf": [side(i + 1, json!({"minLength": i})), side(i + 1, json!({"maxLength": 900 - i}))]});
    let mut defs: serde_json::Map<_, _> = (0..40).map(|i| (format!("d{i}"), both(i))).collect();
    defs.insert("d40".into(), json!({"type": "string"}));
    json_refused(&json!({"$ref": "#/$defs/d0", "$defs": defs}).to_string()).await;
}

#[tokio::test]
async fn a_schema_may_be_deep_and_its_enum_long() {
    let deep = format!("{}{{}}{}", r#"{"items":"#.repeat(100), "}".repeat(100));
    compile(Constraint::Json(deep)).await.unwrap();
    let values: Vec<String> = (0..3000).map(|i| format!("v{i}")).collect();
    compile(Constraint::Json(json!({"enum": values}).to_string())).await.unwrap();
    compile(Constraint::Json("true".into())).await.unwrap();
}

#[tokio::test]
async fn a_regex_that_cant_be_held_to_is_refused_by_what_is_wrong_with_it() {
    for (regex, says) in [
        ("(a", "unclosed group"),
        (r"(?P<x>a)\1", "backreferences"),
        ("(?=a)b", "look-around"),
        (r"\bfoo", "lookarounds"),
        (r"a\", "backslash"),
        (r"[^\s\S]", "no text satisfies it"),
    ] {
        let message = regex_refused(regex).await;
        assert!(message.contains(says), "{regex}: {message}");
    }
    // It is a regex to its end, whatever the grammar around it is written in.
    compile(Constraint::Regex("a/ | start: b".into())).await.unwrap();
}

#[tokio::test]
async fn a_regex_made_to_explode_takes_no_longer_than_another() {
    regex_refused(&("(".repeat(1000) + "a" + &")".repeat(1000))).await;
    compile(Constraint::Regex("(".repeat(200) + "a" + &")".repeat(200))).await.unwrap();
    // Its states are made as they are met: too many for one token fail the request on its way.
    let began = Instant::now();
    compile(Constraint::Regex(r"(((((\w{1,99}){1,99}){1,99}){1,99}){1,99})".into())).await.unwrap();
    assert!(began.elapsed() < SOON);
}

/// A model of a tokenizer with `<0xHH>` for bytes and a space before each word, whose token 2 ends a text.
fn sentencepiece() -> Model {
    let mut vocab: serde_json::Map<_, _> = [("<unk>", 0), ("<s>", 1), ("</s>", 2)]
        .into_iter()
        .map(|(piece, id)| (piece.to_owned(), json!(id)))
        .collect();
    vocab.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), json!(3 + byte))));
    vocab.extend(["▁", "a", "▁a", "{"].iter().zip(259..).map(|(piece, id)| ((*piece).to_owned(), json!(id))));
    let added = |id: u32, content: &str| {
        json!({"id": id, "content": content, "special": true, "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": false})
    };
    let file = json!({
        "version": "1.0",
        "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true, "vocab": vocab,
            "merges": [["▁", "a"]]}
    });
    let tokenizer =
        TextTokenizer::from_files(file.to_string().as_bytes(), Some(br#"{"eos_token": "</s>"}"#)).unwrap();
    let decoder = Decoder::init(tiny_config(), 1, &Device::Cpu).unwrap();
    Model::new(Digest::of(b"sentencepiece"), decoder, Some(tokenizer))
}

/// The tokens that may come next.
fn allowed(matcher: &mut Matcher) -> Vec<u32> {
    let mut logits = vec![0.0; tiny_config().vocab_size];
    matcher.mask(&mut logits).unwrap();
    (0..).zip(logits).filter(|(_, logit)| *logit == 0.0).map(|(id, _)| id).collect()
}

#[test]
fn bytes_and_pieces_spell_a_text_and_special_tokens_do_not() {
    let model = sentencepiece();
    let byte = |byte: u8| 3 + u32::from(byte);
    // The end is the model's, token 0 of its configuration, or the tokenizer's.
    let ends = vec![0, 2];
    let compile = |regex: &str| Constraint::Regex(regex.into()).compile(model.vocabulary().unwrap()).unwrap();
    let mut matcher = compile(" a(</s>)?");
    let mut expected = vec![byte(b' '), 259, 261];
    assert_eq!(allowed(&mut matcher), expected);
    matcher.note(261).unwrap();
    // The text may end, or go on with the characters that also name a token.
    expected = vec![byte(b'<')];
    expected.extend(&ends);
    expected.sort_unstable();
    assert_eq!(allowed(&mut matcher), expected);
    // A character in bytes, which a mask never leaves half done.
    let mut matcher = compile("是a?");
    for part in "是".bytes() {
        assert_eq!(allowed(&mut matcher), [byte(part)]);
        matcher.note(byte(part)).unwrap();
    }
    assert!(!matcher.is_complete());
    matcher.note(260).unwrap();
    assert!(matcher.is_complete(), "nothing may follow");
}

#[test]
fn a_clone_goes_its_own_way() {
    let model = sentencepiece();
    let mut one =
        Constraint::Choice(vec!["a{".into(), "aa".into()]).compile(model.vocabulary().unwrap()).unwrap();
    one.note(260).unwrap();
    let mut other = one.clone();
    one.note(262).unwrap();
    other.note(260).unwrap();
    assert!(one.is_complete() && other.is_complete());
}

#[test]
fn choices_are_taken_as_they_are_written() {
    let model = sentencepiece();
    for text in [r#"say "i" \x41 \n / | i"#, "\u{7f}\n\t", "a\" | \"b", r"<a>*^$ #&~-{1,2}[]().+?\\"] {
        let mut matcher = Constraint::Choice(vec![text.into()]).compile(model.vocabulary().unwrap()).unwrap();
        for byte in text.bytes() {
            assert!(!matcher.is_complete());
            matcher.note(3 + u32::from(byte)).unwrap();
        }
        assert!(matcher.is_complete(), "{text}");
    }
}

#[test]
fn a_model_without_a_tokenizer_is_held_to_nothing() {
    let decoder = Decoder::init(tiny_config(), 1, &Device::Cpu).unwrap();
    let bare = Model::new(Digest::of(b"bare"), decoder, None);
    assert!(bare.vocabulary().unwrap_err().to_string().contains("no tokenizer"));
}
