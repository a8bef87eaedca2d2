//! Encoding and decoding, against the Hugging Face library that is wrapped, and over arbitrary text.

use proptest::prelude::*;
use rootstock_text::{TextTokenizer, TokenizerError, TokenizerSources};

use crate::fixtures::{CORPUS, FILES, TOKENIZER, sentencepiece, sentencepiece_json};

fn hugging_face(json: &[u8]) -> tokenizers::Tokenizer {
    tokenizers::Tokenizer::from_bytes(json).unwrap()
}

#[test]
fn ids_and_texts_are_those_of_the_hugging_face_library() {
    let json = sentencepiece_json().to_string();
    let pairs = [
        (&*TOKENIZER, hugging_face(&FILES.tokenizer_json)),
        (&sentencepiece(), hugging_face(json.as_bytes())),
    ];
    let texts = ["", "a", " ab  ab", "小小 ab 😀\n", "<s>ab</s> a", "<|endoftext|>a<|im_end|>"];
    for (ours, theirs) in &pairs {
        for text in CORPUS.into_iter().chain(texts) {
            for add_special in [false, true] {
                let expected = theirs.encode(text, add_special).unwrap();
                let got = ours.encode(text, add_special).unwrap();
                assert_eq!(got.ids, expected.get_ids(), "{text:?}");
                assert_eq!(ours.encode_ids(text, add_special).unwrap(), got.ids, "{text:?}");
                for skip in [false, true] {
                    assert_eq!(
                        ours.decode(&got.ids, skip),
                        theirs.decode(&got.ids, skip).unwrap(),
                        "{text:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn added_tokens_are_one_id_each_wherever_they_stand_and_leave_other_text_as_it_was() {
    let json = sentencepiece_json().to_string();
    let tokens = ["<call>", "naïve word", "<小>"].map(str::to_owned);
    for (before, json) in [(&*TOKENIZER, &FILES.tokenizer_json[..]), (&sentencepiece(), json.as_bytes())] {
        let extended = before.extended(json, &tokens).unwrap();
        let config = Some(&FILES.tokenizer_config_json[..]).filter(|_| json == &FILES.tokenizer_json[..]);
        let after = TextTokenizer::from_files(&extended, config).unwrap();
        assert_eq!(after.vocab_size(), before.vocab_size() + tokens.len());
        assert_ne!(after.digest(), before.digest());
        for (i, token) in tokens.iter().enumerate() {
            let id = (before.vocab_size() + i) as u32;
            assert_eq!(after.encode_ids(token, false).unwrap(), [id], "{token}");
            let within = format!("a{token}b {token}");
            let found = after.encode_ids(&within, false).unwrap();
            assert_eq!(found.iter().filter(|found| **found == id).count(), 2, "{within}");
            assert_eq!(after.decode(&[id], true), *token);
        }
        let plain = "ab a the cat";
        assert_eq!(after.encode_ids(plain, true).unwrap(), before.encode_ids(plain, true).unwrap());
        let refused = |tokens: &[&str]| {
            let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
            before.extended(json, &tokens).unwrap_err().to_string()
        };
        assert!(refused(&["new", "new"]).contains("added_tokens[1]"));
        assert!(refused(&[""]).contains("added_tokens[0]"));
        let known = before.id_to_token(5).unwrap();
        assert!(refused(&["new", &known]).contains("is empty or a token already"), "{known}");
        assert!(after.extended(&extended, &tokens[..1]).is_err());
    }
}

#[test]
fn a_batch_gives_what_single_calls_give_in_order() {
    let batch = TOKENIZER.encode_batch(&CORPUS, true).unwrap();
    for (text, encoding) in CORPUS.iter().zip(&batch) {
        assert_eq!(encoding, &TOKENIZER.encode(text, true).unwrap());
    }
}

#[test]
fn offsets_are_bytes_of_the_text() {
    let text = "语言模型 predicts";
    let encoding = TOKENIZER.encode(text, false).unwrap();
    let bytes: Vec<u8> = encoding.ids.iter().flat_map(|&id| TOKENIZER.token_bytes(id)).copied().collect();
    assert_eq!(bytes, text.as_bytes());
    assert_eq!(encoding.offsets.first().unwrap().start, 0);
    assert_eq!(encoding.offsets.last().unwrap().end, text.len());
    assert!(encoding.offsets.iter().all(|range| text.get(range.clone()).is_some()));
}

#[test]
fn special_tokens_come_from_the_configuration_and_are_skipped_on_request() {
    let special = TOKENIZER.special_tokens();
    let eos = special.eos.clone().unwrap();
    assert_eq!((eos.text.as_str(), special.bos.clone(), special.pad.clone()), ("<|im_end|>", None, None));
    let ids = TOKENIZER.encode_ids("a<|im_end|>b", false).unwrap();
    assert!(ids.contains(&eos.id) && TOKENIZER.is_special(eos.id));
    assert_eq!(TOKENIZER.decode(&ids, true), "ab");
    assert_eq!(TOKENIZER.decode(&ids, false), "a<|im_end|>b");
    assert_eq!(TOKENIZER.id_to_token(eos.id).as_deref(), Some("<|im_end|>"));
    assert_eq!(TOKENIZER.token_to_id("<|im_end|>"), Some(eos.id));
}

#[test]
fn a_token_that_only_the_configuration_calls_special_is_special() {
    let mut json = sentencepiece_json();
    json["added_tokens"] = serde_json::json!([]);
    let bytes = json.to_string();
    let plain = TextTokenizer::from_files(bytes.as_bytes(), None).unwrap();
    let named = TextTokenizer::from_files(bytes.as_bytes(), Some(br#"{"eos_token": "</s>"}"#)).unwrap();
    assert!(!plain.is_special(2) && named.is_special(2));
    assert_eq!(named.encode_ids("a</s>", false).unwrap().last(), Some(&2));
}

#[test]
fn the_digest_covers_tokenizer_template_and_special_tokens_and_nothing_else() {
    let digest = |config: &str, template: Option<&[u8]>| {
        let sources = TokenizerSources {
            tokenizer_json: &FILES.tokenizer_json,
            tokenizer_config: Some(config.as_bytes()),
            chat_template: template,
        };
        TextTokenizer::from_sources(&sources).unwrap().digest().to_owned()
    };
    let plain = digest("{}", None);
    assert_eq!(plain.len(), 64);
    assert_eq!(plain, digest(r#"{"model_max_length": 7}"#, None));
    assert_eq!(digest(r#"{"chat_template": "x"}"#, None), digest("{}", Some(b"x")));
    let others = [
        digest(r#"{"chat_template": "x"}"#, None),
        digest(r#"{"eos_token": "<|im_end|>"}"#, None),
        digest(r#"{"bos_token": "<|im_end|>"}"#, None),
        sentencepiece().digest().to_owned(),
    ];
    let all: std::collections::BTreeSet<&String> = others.iter().chain([&plain]).collect();
    assert_eq!(all.len(), 5);
}

#[test]
fn a_text_over_the_limit_is_refused_but_a_document_is_not() {
    let long = "a line of text\n".repeat(300_000);
    let error = TOKENIZER.encode(&long, false).unwrap_err();
    assert_eq!(error, TokenizerError::TextTooLong { bytes: long.len(), limit: 4 << 20 });
    let ids = TOKENIZER.encode_document(&long).unwrap();
    assert_eq!(ids.len() % 300_000, 0);
    assert_eq!(TOKENIZER.decode(&ids[..ids.len() / 300_000], false), "a line of text\n");
}

#[test]
fn a_document_in_pieces_has_the_ids_of_the_whole() {
    let document = CORPUS.join("\n\n  \n").repeat(500);
    assert!(document.len() > 3 * (64 << 10));
    assert_eq!(
        TOKENIZER.encode_document(&document).unwrap(),
        TOKENIZER.encode_ids(&document, false).unwrap()
    );
}

#[test]
fn unknown_ids_decode_to_nothing_and_are_found_by_the_check() {
    let end = u32::try_from(TOKENIZER.vocab_size()).unwrap();
    assert_eq!(TOKENIZER.decode(&[end, u32::MAX], false), "");
    TOKENIZER.check_ids(&[0, end - 1]).unwrap();
    let error = TOKENIZER.check_ids(&[0, end]).unwrap_err();
    assert_eq!((error.position, error.id), (1, end));
}

#[test]
fn a_continuation_gets_one_space_and_not_two() {
    let llama = sentencepiece();
    assert_eq!(llama.encode_continuation(" ab").unwrap(), llama.encode_ids("ab", false).unwrap());
    assert_eq!(TOKENIZER.encode_continuation(" ab").unwrap(), TOKENIZER.encode_ids(" ab", false).unwrap());
}

proptest! {
    #[test]
    fn any_text_comes_back_from_its_ids(text in "\\PC*|[\\s\\S]{0,64}") {
        let ids = TOKENIZER.encode_ids(&text, false).unwrap();
        prop_assert_eq!(TOKENIZER.decode(&ids, false), text);
    }

    #[test]
    fn chinese_english_and_emoji_mixed_come_back(text in "[ a-z\u{4e00}-\u{4eff}\u{1F600}-\u{1F64F}\n。,]{0,80}") {
        let ids = TOKENIZER.encode_ids(&text, false).unwrap();
        prop_assert_eq!(TOKENIZER.decode(&ids, false), text.clone());
        prop_assert_eq!(TOKENIZER.encode_document(&text).unwrap(), ids);
    }
}
