//! Texts on their way to a caller: cut to what fits in metadata, and with nothing in them that moves a terminal.

/// The most bytes of a message. It travels three times over (percent-encoded, in the details, and as the field's
/// description), and clients take 16 KiB of metadata.
pub const MAX_MESSAGE_BYTES: usize = 2 << 10;
/// The most bytes of a field's path.
pub const MAX_FIELD_BYTES: usize = 256;
const CUT: &str = "…";

/// The text with control characters escaped, at most `most` bytes long; what was cut off shows as an ellipsis.
pub(super) fn presentable(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    let mut fits = 0;
    for character in text.chars() {
        if moves_a_terminal(character) {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
        if shown.len() > most {
            shown.truncate(fits);
            shown.push_str(CUT);
            return shown;
        }
        if shown.len() + CUT.len() <= most {
            fits = shown.len();
        }
    }
    shown
}

/// Control characters, and the invisible ones that reorder or hide text.
fn moves_a_terminal(character: char) -> bool {
    let invisible = matches!(character,
        '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    character.is_control() || invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_a_terminal_is_escaped_and_everything_else_stays() {
        let text = presentable("模型 \"a\" — \u{1b}[2J\r\n\u{202e}txt", MAX_MESSAGE_BYTES);
        assert_eq!(text, "模型 \"a\" — \\u{1b}[2J\\r\\n\\u{202e}txt");
        assert_eq!(presentable(&text, MAX_MESSAGE_BYTES), text, "twice is once");
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_those_that_fit_are_not() {
        assert_eq!(presentable("abcdef", 6), "abcdef");
        assert_eq!(presentable("abcdefg", 6), "abc…");
        assert_eq!(presentable("模型模型", 10), "模型…");
        assert_eq!(presentable("ab\u{1b}\u{1b}", 8), "ab…", "no half of an escape");
        let cut = presentable(&"\u{1b}".repeat(100_000), MAX_MESSAGE_BYTES);
        assert!(cut.len() <= MAX_MESSAGE_BYTES && cut.ends_with("\\u{1b}…"));
    }
}
