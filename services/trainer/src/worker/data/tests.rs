//! Cutting documents, finding the user's words, leaving out what is too long.

use super::*;

#[test]
fn documents_are_cut_at_line_ends_and_nothing_is_lost() {
    let document = "a line of text\n".repeat(20_000) + "the end";
    let pieces = cut(&document, true);
    assert!(pieces.len() > 3);
    assert_eq!(pieces.concat(), document);
    for piece in &pieces[..pieces.len() - 1] {
        assert!(piece.len() >= PIECE_BYTES && piece.len() < PIECE_BYTES + 20 && piece.ends_with('\n'));
    }
}

#[test]
fn a_document_without_line_ends_is_cut_between_characters() {
    let document = "文".repeat(MAX_PIECE_BYTES / 2);
    for at_lines in [true, false] {
        let pieces = cut(&document, at_lines);
        assert_eq!(pieces.concat(), document);
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= MAX_PIECE_BYTES));
    }
    assert_eq!(cut("short", true), ["short"]);
    assert!(cut("", true).is_empty());
}

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

#[test]
fn a_row_that_is_too_long_is_left_out_whole() {
    let prompt = EncodedPrompt::opaque(vec![1, 2, 3]);
    let kept = example(&prompt, &[4, 5], 0, 6).unwrap();
    assert_eq!(kept.input_ids, [1, 2, 3, 4, 5, 0]);
    assert_eq!(kept.prompt_len, 3);
    assert!(example(&prompt, &[4, 5], 0, 5).is_none());
    assert!(example(&prompt, &[4, 5], 0, 2).is_none());
}
