//! WordPiece and Unigram: trained, and as they are published.

use rootstock_text::{
    TextTokenizer, TokenizerFiles, TrainError, TrainOptions, WordPieceOptions, train_unigram, train_wordpiece,
};
use serde_json::{Value, json};

use crate::fixtures::{CORPUS, load};

const BERT: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

fn options(vocab_size: usize, special: &[&str], pad: &str) -> TrainOptions {
    let special_tokens = special.iter().map(|&token| token.to_owned()).collect();
    TrainOptions {
        vocab_size,
        special_tokens,
        eos: None,
        pad: Some(pad.to_owned()),
        ..TrainOptions::default()
    }
}

fn wordpiece() -> TokenizerFiles {
    let options = options(260, &BERT, "[PAD]");
    train_wordpiece(CORPUS.into_iter(), WordPieceOptions::default(), &options).unwrap()
}

fn unigram() -> TokenizerFiles {
    train_unigram(CORPUS.into_iter(), &options(140, &["</s>", "<unk>"], "</s>")).unwrap()
}

fn built(files: &TokenizerFiles) -> TextTokenizer {
    TextTokenizer::from_files(&files.tokenizer_json, Some(&files.tokenizer_config_json)).unwrap()
}

fn streamed(tokenizer: &TextTokenizer, ids: &[u32]) -> String {
    let mut decoder = tokenizer.stream_decoder(true);
    let mut parts: Vec<Option<String>> = ids.iter().map(|&id| decoder.push(id)).collect();
    parts.push(decoder.flush());
    parts.into_iter().flatten().collect()
}

/// A WordPiece as it is published with BERT, with a vocabulary of a few words.
fn published() -> Value {
    let words = ["play", "##ing", "##ed", "the", "game", ".", ",", "do", "##s"];
    let vocab: serde_json::Map<String, Value> =
        BERT.iter().chain(&words).enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect();
    let special = |id: usize| {
        json!({"id": id, "special": true, "content": BERT[id], "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false})
    };
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": (0..BERT.len()).map(special).collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                               "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab}
    })
}

fn refused(mut json: Value, change: impl FnOnce(&mut Value)) -> String {
    change(&mut json);
    load(&json).unwrap_err().to_string()
}

/// What is wrong with a file, and how it comes to be.
type Fault<'a> = (&'a str, fn(&mut Value));

#[test]
fn training_either_kind_again_gives_the_same_bytes() {
    let (first_wordpiece, first_unigram) = (wordpiece(), unigram());
    for _ in 0..4 {
        assert_eq!(wordpiece(), first_wordpiece);
        assert_eq!(unigram(), first_unigram);
    }
}

#[test]
fn a_trained_wordpiece_takes_words_apart_as_bert_does() {
    let tokenizer = built(&wordpiece());
    assert!(tokenizer.vocab_size() <= 260);
    assert_eq!(tokenizer.special_tokens().pad.as_ref().map(|pad| pad.id), Some(0));
    assert_eq!(tokenizer.special_tokens().mask.as_ref().map(|mask| mask.id), Some(4));
    assert_eq!(tokenizer.frame().unwrap(), (vec![2], vec![3]));
    let ids = tokenizer.encode_ids("Adàpters are TRAINED, 模型.", true).unwrap();
    let text = "adapters are trained, 模 型.";
    assert_eq!(tokenizer.decode(&ids, true), text);
    assert_eq!(streamed(&tokenizer, &ids), text);
    assert_eq!(tokenizer.encode_ids("ж", false).unwrap(), [1], "a word with no pieces is unknown");
    let cased = WordPieceOptions { lowercase: false, ..WordPieceOptions::default() };
    let cased = train_wordpiece(CORPUS.into_iter(), cased, &options(260, &BERT, "[PAD]")).unwrap();
    let ids = built(&cased).encode_ids("Large models", false).unwrap();
    assert_eq!(built(&cased).decode(&ids, true), "Large models");
}

#[test]
fn a_trained_unigram_gives_the_text_back() {
    let tokenizer = built(&unigram());
    assert!(tokenizer.vocab_size() <= 140);
    for text in CORPUS {
        let ids = tokenizer.encode_ids(text, true).unwrap();
        assert!(!ids.contains(&1), "{text}");
        assert_eq!(tokenizer.decode(&ids, true), text);
        assert_eq!(streamed(&tokenizer, &ids), text);
    }
    let ids = tokenizer.encode_ids("a ж", false).unwrap();
    assert_eq!(ids.last(), Some(&1), "a character with no piece is unknown");
    assert!(tokenizer.count(CORPUS[0], false).unwrap() < CORPUS[0].len() * 2 / 3);
}

#[test]
fn berts_published_tokenizer_is_read_with_its_padding_and_mask() {
    let tokenizer = load(&published()).unwrap();
    let ids = tokenizer.encode_ids("Playing the games, [MASK].", true).unwrap();
    assert_eq!(ids, [2, 5, 6, 8, 9, 13, 11, 4, 10, 3]);
    assert_eq!(tokenizer.decode(&ids, true), "playing the games,.");
    assert_eq!(streamed(&tokenizer, &ids[2..]), "ing the games,.");
    assert_eq!(tokenizer.special_tokens().pad.as_ref().map(|pad| pad.id), Some(0));
    assert_eq!(tokenizer.special_tokens().mask.as_ref().map(|mask| mask.id), Some(4));
    assert_eq!(tokenizer.encode_ids(&"s".repeat(101), false).unwrap(), [1]);
}

#[test]
fn what_a_kind_cannot_be_applied_with_is_refused_by_its_field() {
    let wordpiece: [Fault<'_>; 5] = [
        ("model.unk_token", |j| j["model"]["unk_token"] = json!("[NONE]")),
        ("model.max_input_chars_per_word", |j| j["model"]["max_input_chars_per_word"] = json!(1_000_000)),
        ("model.vocab", |j| j["model"]["vocab"]["again"] = json!(5)),
        ("model.vocab", |j| j["model"]["vocab"]["far"] = json!(4_000_000_000_u32)),
        ("decoder", |j| j["decoder"]["prefix"] = json!("")),
    ];
    for (field, change) in wordpiece {
        let message = refused(published(), change);
        assert!(message.contains(&format!(": {field}: ")), "{message}");
    }
    let trained: Value = serde_json::from_slice(&unigram().tokenizer_json).unwrap();
    let unigram: [Fault<'_>; 5] = [
        ("model.unk_id", |j| j["model"]["unk_id"] = json!(null)),
        ("model.unk_id", |j| j["model"]["unk_id"] = json!(5000)),
        ("model.vocab[9]", |j| j["model"]["vocab"][9][0] = json!("</s>")),
        ("model.vocab[9]", |j| j["model"]["vocab"][9][0] = json!("a".repeat(1000))),
        ("decoder.replacement", |j| j["decoder"]["replacement"] = json!("")),
    ];
    for (field, change) in unigram {
        let message = refused(trained.clone(), change);
        assert!(message.contains(&format!(": {field}: ")), "{message}");
    }
}

#[test]
fn a_vocabulary_without_room_for_the_characters_is_refused_with_what_it_needs() {
    let small = options(40, &["<unk>", "</s>"], "</s>");
    let error = train_unigram(CORPUS.into_iter(), &small).unwrap_err();
    assert!(matches!(error, TrainError::VocabSize { least: 41.., .. }), "{error}");
    let small = options(20, &BERT, "[PAD]");
    let train = |texts: [&'static str; 1], options: &TrainOptions| {
        train_wordpiece(texts.into_iter(), WordPieceOptions::default(), options).unwrap_err()
    };
    let error = train([CORPUS[3]], &small);
    assert!(matches!(error, TrainError::VocabSize { least: 21.., .. }), "{error}");
    assert_eq!(train([" "], &small), TrainError::NoText);
    let stranger = train([CORPUS[0]], &options(100, &["[PAD]"], "[PAD]"));
    assert_eq!(stranger.to_string(), "special_tokens: \"[UNK]\" is not in the list");
}
