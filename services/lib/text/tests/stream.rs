//! Streaming: what comes out in steps is what comes out at once, and whole at every step.

use proptest::prelude::*;
use rootstock_text::TextTokenizer;

use crate::fixtures::{TOKENIZER, sentencepiece};

fn parts(tokenizer: &TextTokenizer, ids: &[u32], skip_special: bool) -> Vec<String> {
    let mut decoder = tokenizer.stream_decoder(skip_special);
    let mut parts: Vec<String> = ids.iter().filter_map(|&id| decoder.push(id)).collect();
    parts.extend(decoder.flush());
    parts
}

fn byte_ids(text: &str) -> Vec<u32> {
    let id_of = |byte: u8| (0..330).find(|&id| TOKENIZER.token_bytes(id) == [byte]).unwrap();
    text.bytes().map(id_of).collect()
}

#[test]
fn a_chinese_character_over_three_tokens_comes_out_once_and_whole() {
    let ids = byte_ids("小猫a😀");
    assert_eq!(ids.len(), 3 + 3 + 1 + 4);
    assert_eq!(parts(&TOKENIZER, &ids, true), ["小", "猫", "a", "😀"]);
}

#[test]
fn what_is_held_back_at_the_end_becomes_one_replacement_character() {
    let ids = byte_ids("a😀");
    assert_eq!(parts(&TOKENIZER, &ids[..4], true), ["a", "\u{FFFD}"]);
}

#[test]
fn a_wrong_byte_does_not_hold_the_stream_up() {
    let mut ids = byte_ids("小");
    ids.truncate(2);
    ids.extend(byte_ids("ok"));
    assert_eq!(parts(&TOKENIZER, &ids, true), ["\u{FFFD}o", "k"]);
}

#[test]
fn the_first_space_of_a_sentencepiece_text_goes_and_the_others_stay() {
    let llama = sentencepiece();
    let ids = llama.encode_ids("ab ab é", true).unwrap();
    let parts = parts(&llama, &ids, true);
    assert_eq!(parts.concat(), "ab ab é");
    assert!(parts.len() > 2);
}

#[test]
fn a_text_whose_start_is_kept_is_the_bytes_of_its_tokens() {
    let llama = sentencepiece();
    let ids = llama.encode_ids("ab ab", false).unwrap();
    let mut decoder = llama.stream_decoder(true).keep_start();
    let text: String = ids.iter().filter_map(|&id| decoder.push(id)).collect();
    assert_eq!(text, " ab ab");
}

#[test]
fn special_tokens_are_left_out_on_request() {
    let ids = TOKENIZER.encode_ids("a<|im_end|>b", false).unwrap();
    assert_eq!(parts(&TOKENIZER, &ids, true).concat(), "ab");
    assert_eq!(parts(&TOKENIZER, &ids, false).concat(), "a<|im_end|>b");
}

proptest! {
    #[test]
    fn any_ids_in_steps_give_the_text_of_all_at_once(
        ids in prop::collection::vec(0_u32..350, 0..64),
        skip in any::<bool>(),
    ) {
        prop_assert_eq!(parts(&TOKENIZER, &ids, skip).concat(), TOKENIZER.decode(&ids, skip));
        let llama = sentencepiece();
        prop_assert_eq!(parts(&llama, &ids, skip).concat(), llama.decode(&ids, skip));
    }

    #[test]
    fn valid_text_never_shows_a_broken_character(text in "[a-z \u{4e00}-\u{9fff}\u{1F600}-\u{1F64F}]{0,40}") {
        let ids = TOKENIZER.encode_ids(&text, false).unwrap();
        let parts = parts(&TOKENIZER, &ids, false);
        let broken = parts.iter().any(|part| part.contains(char::REPLACEMENT_CHARACTER));
        prop_assert!(!broken);
        prop_assert_eq!(parts.concat(), text);
    }
}
