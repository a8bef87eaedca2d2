//! Training a tokenizer: same input, same bytes; limits kept; bad options named.

use rootstock_text::{TextTokenizer, TrainError, TrainOptions, train_byte_level_bpe};

use crate::fixtures::{CORPUS, FILES, TOKENIZER, options};

#[test]
fn training_twice_gives_the_same_bytes() {
    let again = train_byte_level_bpe(CORPUS.into_iter(), &options()).unwrap();
    assert_eq!(again, *FILES);
}

#[test]
fn the_vocabulary_has_the_size_asked_for_and_special_tokens_first() {
    assert_eq!(TOKENIZER.vocab_size(), 330);
    assert_eq!(TOKENIZER.token_to_id("<|endoftext|>"), Some(0));
    assert_eq!(TOKENIZER.token_to_id("<|im_end|>"), Some(2));
    let text = CORPUS[0];
    assert!(TOKENIZER.count(text, false).unwrap() < text.len() * 2 / 3);
}

#[test]
fn the_longest_token_keeps_to_its_limit() {
    let text = "适配器只改变很少的参数".repeat(8);
    for limit in [3, 6, 7] {
        let options =
            TrainOptions { vocab_size: 300, max_token_bytes: Some(limit), ..TrainOptions::default() };
        let files = train_byte_level_bpe([text.as_str(), text.as_str()].into_iter(), &options).unwrap();
        let tokenizer = TextTokenizer::from_files(&files.tokenizer_json, None).unwrap();
        let longest = (1..300).map(|id| tokenizer.token_bytes(id).len()).max();
        assert!(longest > Some(limit / 2) && longest <= Some(limit), "{longest:?} of {limit}");
    }
}

#[test]
fn options_that_cannot_be_met_are_named() {
    let train = |options: &TrainOptions| train_byte_level_bpe(CORPUS.into_iter(), options).unwrap_err();
    let small = TrainOptions { vocab_size: 256, ..TrainOptions::default() };
    assert!(matches!(train(&small), TrainError::VocabSize { least: 257, .. }));
    let huge = TrainOptions { vocab_size: usize::MAX, ..TrainOptions::default() };
    assert!(matches!(train(&huge), TrainError::VocabSize { .. }));
    let stranger = TrainOptions { bos: Some("<s>".to_owned()), ..TrainOptions::default() };
    assert_eq!(train(&stranger).to_string(), "special_tokens: \"<s>\" is not in the list");
    let letter = TrainOptions { special_tokens: vec!["a".to_owned()], ..TrainOptions::default() };
    assert!(matches!(train(&letter), TrainError::SpecialToken { .. }));
    let nothing = train_byte_level_bpe(["", ""].into_iter(), &TrainOptions::default()).unwrap_err();
    assert_eq!(nothing, TrainError::NoText);
}

#[test]
fn berts_tokens_stand_around_each_text_and_the_mask_is_named() {
    let special_tokens = ["<|endoftext|>", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned).to_vec();
    let options = TrainOptions { special_tokens, ..options() };
    let train = |options: &TrainOptions| {
        let files = train_byte_level_bpe(CORPUS.into_iter(), options).unwrap();
        TextTokenizer::from_files(&files.tokenizer_json, Some(&files.tokenizer_config_json)).unwrap()
    };
    let tokenizer = train(&TrainOptions { bos: None, eos: None, pad: None, chat_template: None, ..options });
    assert_eq!(tokenizer.special_tokens().mask.as_ref().map(|mask| mask.id), Some(3));
    assert_eq!(tokenizer.frame().unwrap(), (vec![1], vec![2]));
    let ids = tokenizer.encode_ids("the [MASK]", true).unwrap();
    assert_eq!((ids[0], ids[ids.len() - 2..].to_vec()), (1, vec![3, 2]));
    assert_eq!(TOKENIZER.frame().unwrap(), (vec![], vec![]));
}
