//! Cutting documents.

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
