//! Judging answers.

use proptest::prelude::*;
use rootstock_text::metrics::{exact_match, fold, keyword_hit, wilson_interval};

#[test]
fn all_keywords_must_occur_whatever_their_width_and_case() {
    let answer = "The ＬｏＲＡ adapter; STRASSE und ﬁne-tuning,低秩适配。";
    let hit = keyword_hit(answer, &["lora", "straße", "FINE", "低秩"]);
    assert!(hit.hit && hit.found.iter().all(|&found| found));
    let miss = keyword_hit(answer, &["lora", "quantisation"]);
    assert_eq!((miss.hit, miss.found), (false, vec![true, false]));
}

#[test]
fn no_keyword_and_blank_keywords_never_hit() {
    assert!(!keyword_hit::<&str>("anything", &[]).hit);
    assert!(!keyword_hit("anything", &["any", " "]).hit);
}

#[test]
fn exact_match_looks_past_width_case_and_space() {
    assert!(exact_match(" Paris\n is ＢＩＧ", "paris is big "));
    assert!(!exact_match("paris", "paris."));
}

#[test]
fn wilson_intervals_are_those_of_pythons_statistics() {
    // z = statistics.NormalDist().inv_cdf(0.5 + confidence / 2); Wilson's formula in Python.
    for (k, n, confidence, low, high) in WILSON {
        let interval = wilson_interval(k, n, confidence);
        assert!(
            (interval.low - low).abs() < 1e-9 && (interval.high - high).abs() < 1e-9,
            "{k}/{n}: {interval:?}"
        );
    }
    let nothing = wilson_interval(0, 0, 0.95);
    assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
}

const WILSON: [(u64, u64, f64, f64, f64); 6] = [
    (0, 10, 0.95, 0.0, 0.27753279986288915),
    (10, 10, 0.95, 0.7224672001371109, 1.0),
    (5, 10, 0.95, 0.23659309051256405, 0.763406909487436),
    (24, 60, 0.95, 0.2856949053488255, 0.5263394650795924),
    (1, 3, 0.99, 0.04042662929608465, 0.855783984952333),
    (450, 1000, 0.9, 0.4242924393094884, 0.47597738501448766),
];

proptest! {
    #[test]
    fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }

    #[test]
    fn a_wilson_interval_holds_the_share(n in 1_u64..100_000, share in 0.0_f64..=1.0, confidence in 0.5_f64..0.999) {
        let k = (share * n as f64) as u64;
        let interval = wilson_interval(k, n, confidence);
        let p = k as f64 / n as f64;
        prop_assert!(0.0 <= interval.low && interval.low <= p && p <= interval.high && interval.high <= 1.0);
    }
}
