//! Cleaning and near duplicates: each filter takes out what it is for, counts it, and nothing else.

use proptest::prelude::*;
use rootstock_text::{Cleaner, Cleaning, NearDuplicates, RecordFormat, Removal};

use crate::fixtures::uniform;

/// A text of so many of 200 words.
fn words(seed: u64, count: usize) -> Vec<String> {
    let draw = uniform(seed);
    let word = |n: u64| format!("word{}", (draw(n) * 200.0) as u32);
    (0..count as u64).map(word).collect()
}

fn cleaned(cleaning: Cleaning, texts: &[&str]) -> (Vec<usize>, Cleaner) {
    let mut cleaner = Cleaner::new(cleaning);
    let rows: String =
        texts.iter().map(|text| serde_json::json!({"text": text}).to_string() + "\n").collect();
    let kept = String::from_utf8(cleaner.records(rows.as_bytes(), RecordFormat::Json).unwrap()).unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let kept = kept.lines().map(|line| rows.iter().position(|row| *row == line).unwrap()).collect();
    (kept, cleaner)
}

#[test]
fn each_filter_takes_out_what_it_is_for_and_counts_it() {
    let mixed = "这是一个中文句子 with some English words";
    let cases: [(Cleaning, &[&str], Removal); 7] = [
        (
            Cleaning { exact_duplicates: true, ..Cleaning::default() },
            &["a", "b", "a"],
            Removal::ExactDuplicate,
        ),
        (Cleaning { min_characters: 2, ..Cleaning::default() }, &["aa", "中文", "a"], Removal::Length),
        (
            Cleaning { max_characters: Some(2), ..Cleaning::default() },
            &["aa", "中文", "abc"],
            Removal::Length,
        ),
        (
            Cleaning { max_foreign_share: Some(0.1), ..Cleaning::default() },
            &["a\tb\n", "中，文。😀", "a\u{FFFD}\u{0}b"],
            Removal::Characters,
        ),
        (
            Cleaning { min_han_share: 0.5.into(), ..Cleaning::default() },
            &["全是中文 1", "中文字 a", mixed],
            Removal::Language,
        ),
        (
            Cleaning { min_latin_share: 0.8.into(), ..Cleaning::default() },
            &["all Latin é", "ｆｕｌｌ", mixed],
            Removal::Language,
        ),
        (
            Cleaning { max_repetition: Some(0.3), ..Cleaning::default() },
            &["nothing said twice here", "short", "again and again and again and again"],
            Removal::Repetition,
        ),
    ];
    for (cleaning, texts, why) in cases {
        let (kept, cleaner) = cleaned(cleaning, texts);
        assert_eq!((kept, cleaner.kept(), cleaner.read), (vec![0, 1], 2, 3), "{cleaning:?}");
        assert!(
            Removal::ALL.iter().all(|other| cleaner.removed(*other) == u64::from(*other == why)),
            "{why:?}"
        );
    }
}

#[test]
fn what_can_not_be_read_is_taken_out_and_the_same_comes_from_any_format() {
    let mut cleaner = Cleaner::new(Cleaning { exact_duplicates: true, ..Cleaning::default() });
    let json = b"{\"output\": \"b\", \"instruction\": \"a\"}\nnot json\n[1]\n{\"instruction\": \"\xff\"}\n";
    let kept = cleaner.records(json, RecordFormat::Json).unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), "{\"instruction\":\"a\",\"output\":\"b\"}\n");
    assert_eq!((cleaner.read, cleaner.removed(Removal::Unreadable)), (4, 3));
    assert!(
        cleaner.records(b"instruction,output\na,b\n", RecordFormat::Csv).unwrap().is_empty(),
        "across files"
    );
    assert_eq!(cleaner.removed(Removal::ExactDuplicate), 1);
}

#[test]
fn a_text_is_cleaned_paragraph_by_paragraph() {
    let mut cleaner = Cleaner::new(Cleaning { exact_duplicates: true, ..Cleaning::default() });
    assert_eq!(
        cleaner.text("one\ntwo\n\nthree\n\n\none\ntwo\n\n四".as_bytes()).unwrap(),
        "one\ntwo\n\nthree\n\n四\n"
    );
    assert_eq!((cleaner.read, cleaner.kept()), (4, 3));
}

#[test]
fn a_text_with_some_words_changed_is_a_near_duplicate_and_one_with_many_is_not() {
    let original = words(1, 200);
    let changed = |every: usize| {
        let word =
            |(i, word): (usize, &String)| if i % every == 0 { format!("other{i}") } else { word.clone() };
        original.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
    };
    let mut near = NearDuplicates::new(0.8);
    assert_eq!(near.insert(&original.join(" ")), None);
    assert_eq!(near.insert(&changed(50)), Some(0));
    assert_eq!(near.insert(&original.join("\n ").to_uppercase()), Some(0), "case and space don't matter");
    assert_eq!(near.insert(&changed(3)), None);
    assert_eq!(near.insert(&words(2, 200).join(" ")), None);
    assert_eq!(near.insert(&words(2, 200).join(" ")), Some(4));
    assert_eq!(near.insert("abc"), None);
    assert_eq!(near.insert("abc"), None, "too short to be alike");
    let (kept, cleaner) = cleaned(
        Cleaning { near_duplicates: Some(0.8), ..Cleaning::default() },
        &[&changed(1000), &changed(50), &changed(2)],
    );
    assert_eq!((kept, cleaner.removed(Removal::NearDuplicate)), (vec![0, 2], 1));
}

#[test]
fn what_is_broken_ends_the_cleaning_of_an_array_and_long_paragraphs_go() {
    let mut cleaner = Cleaner::new(Cleaning::default());
    let broken = cleaner.records(br#"[{"text": "a"}, {"text": "b"} {"text": "c"}]"#, RecordFormat::Json);
    assert!(broken.unwrap_err().to_string().contains("a comma or ] must follow"));
    let long = format!("{}\n\nshort\n", "a".repeat(5 << 20));
    assert_eq!(cleaner.text(long.as_bytes()).unwrap(), "short\n");
    assert_eq!(cleaner.removed(Removal::Length), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_estimate_of_likeness_is_near_the_exact_one(seed in any::<u64>(), every in 4_usize..40) {
        let original = words(seed, 120);
        let word = |(i, word): (usize, &String)| if i % every == 0 { format!("x{i}y{seed}") } else { word.clone() };
        let changed: Vec<String> = original.iter().enumerate().map(word).collect();
        let (one, other) = (original.join(" "), changed.join(" "));
        let runs = |text: &str| -> std::collections::HashSet<Vec<char>> {
            text.chars().collect::<Vec<_>>().windows(5).map(<[char]>::to_vec).collect()
        };
        let (a, b) = (runs(&one), runs(&other));
        let exact = a.intersection(&b).count() as f64 / a.union(&b).count() as f64;
        let found = |threshold: f64| {
            let mut near = NearDuplicates::new(threshold);
            near.insert(&one);
            near.insert(&other).is_some()
        };
        // Five standard deviations, and far from where bands miss.
        prop_assume!(exact > 0.75);
        prop_assert!(found(exact - 0.19), "{exact}");
        prop_assert!(exact + 0.19 > 1.0 || !found(exact + 0.19), "{exact}");
    }
}
