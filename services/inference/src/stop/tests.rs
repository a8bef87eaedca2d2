//! Whatever pieces a text comes in, the same of it gets out.

use proptest::prelude::*;

use super::*;

/// All that gets out of a text in pieces, and whether it was stopped.
fn run<'a>(stops: &[&str], pieces: impl IntoIterator<Item = &'a str>) -> (String, bool) {
    let mut filter = StopFilter::new(stops.iter().map(|&stop| stop.to_owned()).collect());
    let mut out = String::new();
    for piece in pieces {
        let filtered = filter.push(piece);
        out.push_str(&filtered.text);
        if filtered.stopped {
            return (out, true);
        }
    }
    out.push_str(&filter.finish());
    (out, false)
}

#[test]
fn what_may_become_a_stop_string_is_held_back_until_it_is_decided() {
    let mut filter = StopFilter::new(vec!["END".into()]);
    let mut push = |piece| filter.push(piece).text;
    assert_eq!(push("the E"), "the ");
    assert_eq!(push("N"), "");
    assert_eq!(push("EN"), "EN");
    assert_eq!(push("s"), "ENs");
    assert_eq!(filter.push("END"), Filtered { text: String::new(), stopped: true });
    assert_eq!(filter.push("more"), Filtered { text: String::new(), stopped: true });
}

#[test]
fn the_text_ends_before_the_stop_string_that_is_complete_first() {
    assert_eq!(run(&["b", "cd"], ["abcd"]), ("a".into(), true));
    assert_eq!(run(&["abcd", "bc"], ["x", "abc", "d"]), ("xa".into(), true));
    assert_eq!(run(&["abcd", "bc"], ["xabcd"]), ("xa".into(), true));
    // Of those that end together the longest.
    assert_eq!(run(&["bc", "abc"], ["x", "a", "bc"]), ("x".into(), true));
}

#[test]
fn stop_strings_of_several_bytes_are_cut_between_characters() {
    assert_eq!(run(&["问题"], ["回答: 好", "问", "好问", "题"]), ("回答: 好问好".into(), true));
    assert_eq!(run(&["é!"], ["caf", "é", "?"]), ("café?".into(), false));
}

#[test]
fn what_was_held_back_at_the_end_is_text_after_all() {
    assert_eq!(run(&["\n\n"], ["line\n"]), ("line\n".into(), false));
    assert_eq!(run(&[], ["a", "b"]), ("ab".into(), false));
}

proptest! {
    #[test]
    fn any_split_of_a_text_gives_the_same_result(
        text in "[abc é]{0,40}",
        stops in prop::collection::vec("[abc é]{1,4}", 0..4),
        cuts in prop::collection::vec(0_usize..41, 0..12),
    ) {
        let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
        let mut ends: Vec<usize> = cuts.into_iter().filter(|&cut| text.is_char_boundary(cut.min(text.len()))).collect();
        ends.iter_mut().for_each(|end| *end = (*end).min(text.len()));
        ends.push(text.len());
        ends.sort_unstable();
        let mut start = 0;
        let pieces: Vec<&str> = ends
            .into_iter()
            .map(|end| {
                let piece = &text[start..end];
                start = end;
                piece
            })
            .collect();
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let split = run(&stops, pieces);
        prop_assert_eq!(&split, &run(&stops, [text.as_str()]));
        prop_assert_eq!(&split, &run(&stops, letters.iter().map(String::as_str)));
        // And it is right: the text up to the first stop string, or all of it.
        prop_assert!(text.starts_with(&split.0));
        prop_assert!(stops.iter().all(|stop| !split.0.contains(stop)));
        prop_assert_eq!(split.1, stops.iter().any(|stop| text.contains(stop)));
    }
}
