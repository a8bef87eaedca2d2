//! Finding the user's words, leaving out what is too long.

use super::*;

#[test]
fn the_users_words_are_found_and_space_around_them_does_not_matter() {
    let prompt =
        Prompt { text: "Question: what is it\nAnswer:".into(), user: vec![10..20], add_special: true };
    // "Question", ":", " what", " is", " it", "\n", "Answer", ":"
    let starts = vec![0, 8, 9, 14, 17, 20, 21, 27];
    let ends = vec![8, 9, 14, 17, 20, 21, 27, 28];
    let encoding = Encoding { ids: (0..8).collect(), start_offsets: starts, end_offsets: ends };
    let located = locate(&prompt, encoding);
    assert_eq!(located.user, [2..5]);
    assert_eq!(located.ids.len(), 8);
}

#[test]
fn special_tokens_belong_to_nobody() {
    let prompt = Prompt { text: "ab".into(), user: vec![0..2], add_special: true };
    let encoding = Encoding { ids: vec![9, 1, 2], start_offsets: vec![0, 0, 1], end_offsets: vec![0, 1, 2] };
    assert_eq!(locate(&prompt, encoding).user, [1..3]);
}

fn encoded(answer: &[u32]) -> Encoded {
    let wordings = vec![EncodedPrompt::opaque(vec![1, 2, 3]), EncodedPrompt::opaque(vec![8; 9])];
    Encoded { wordings, answer: answer.to_vec() }
}

#[test]
fn a_row_keeps_the_wordings_that_fit() {
    let encoded = encoded(&[4, 5]);
    let question = |max_length| {
        let length = (max_length, Truncation::Drop);
        let example = encoded.example(0, length).into_example()?;
        Some(encoded.question(example, 0, length).wordings)
    };
    assert_eq!(question(12).unwrap().len(), 2);
    let kept = question(6).unwrap();
    assert_eq!(
        kept.iter().map(|example| example.input_ids.as_slice()).collect::<Vec<_>>(),
        [[1, 2, 3, 4, 5, 0]]
    );
    assert!(question(5).is_none(), "a row that is too long is left out whole");
}
