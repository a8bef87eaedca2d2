//! Judging answers.

use proptest::prelude::*;
use rootstock_text::metrics::{
    Bootstrap, Proportion, RESAMPLES, exact_match, fold, keyword_hit, mcnemar_exact, token_f1,
    wilson_interval, words,
};

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
fn words_are_folded_and_bare_and_han_characters_and_kana_are_words_each() {
    assert_eq!(words("The U.S., ＡＮ «ÉTÉ» and a $5 fine-tuning!"), ["us", "été", "and", "5", "finetuning"]);
    assert_eq!(words("低秩适配，LoRA是（什么）？"), ["低", "秩", "适", "配", "lora", "是", "什", "么"]);
    assert_eq!(words("今日は・カナ"), ["今", "日", "は", "カ", "ナ"]);
    assert_eq!(words("한국어 문장"), ["한국어", "문장"], "Korean is written with spaces");
}

#[test]
fn token_f1_is_that_of_squad_and_mlqa() {
    // Counter(answer) & Counter(reference) of collections in Python, on the words as above.
    let cases = [
        ("The adapter is a low-rank matrix.", "A low-rank matrix", 2.0 / 3.0),
        ("低秩适配LoRA是什么？", "LoRA：低秩适配", 10.0 / 13.0),
        ("今日は Tokyo", "東京は今日", 2.0 / 3.0),
        ("yes yes yes", "Yes, it is", 1.0 / 3.0),
        ("paris is it", "It is Paris.", 1.0),
        ("cat", "dog", 0.0),
        ("", "the dog", 0.0),
        ("...", "the", 1.0),
    ];
    for (answer, reference, f1) in cases {
        assert!((token_f1(answer, reference) - f1).abs() < 1e-12, "{answer} | {reference}");
    }
}

#[test]
fn mcnemars_test_is_the_sum_of_binomials() {
    // min(1, 2 * sum(comb(n, k) for k up to the smaller one) / 2**n) with Python's fractions.
    let cases = [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 5, 1.0),
        (0, 6, 0.03125),
        (9, 1, 0.021484375),
        (3, 15, 0.007537841796875),
        (121, 59, 4.434449263755176e-6),
        (600, 500, 0.0028195449914364275),
        (5100, 4900, 0.04658552770494739),
    ];
    for (gained, lost, p) in cases {
        let found = mcnemar_exact(gained, lost);
        assert!((found / p - 1.0).abs() < 1e-9, "{gained} {lost}: {found}");
        assert_eq!(found, mcnemar_exact(lost, gained));
    }
}

#[test]
fn a_bootstrap_of_many_values_has_the_interval_of_the_normal_distribution() {
    // 400 values of mean 0.5 and deviation 1 / sqrt(12): 1.96 standard errors are 0.0283.
    let values: Vec<f64> = (0..400).map(|i| (f64::from(i) + 0.5) / 400.0).collect();
    let bootstrap = Bootstrap::of_mean(&values, below);
    let mean = bootstrap.mean();
    assert!((mean.value - 0.5).abs() < 1e-12);
    assert!((mean.lower - (0.5 - 0.0283)).abs() < 0.003, "{mean:?}");
    assert!((mean.upper - (0.5 + 0.0283)).abs() < 0.003, "{mean:?}");
    assert_eq!(bootstrap.p_value(), 2.0 / (RESAMPLES + 1) as f64, "no resample comes near 0");
    assert_eq!(bootstrap, Bootstrap::of_mean(&values, below));
}

#[test]
fn differences_that_cancel_out_are_chance_and_of_nothing_nothing_is_known() {
    let even: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let bootstrap = Bootstrap::of_mean(&even, below);
    let mean = bootstrap.mean();
    assert!(mean.lower < 0.0 && mean.upper > 0.0 && bootstrap.p_value() > 0.8, "{mean:?}");
    // Two standard errors away from 0: p is 0.0455 by the normal distribution.
    let shifted: Vec<f64> = even.iter().map(|value| value + 0.2).collect();
    let p = Bootstrap::of_mean(&shifted, below).p_value();
    assert!((p - 0.0455).abs() < 0.02, "{p}");
    let nothing = Bootstrap::of_mean(&[], below);
    assert_eq!((nothing.mean().value, nothing.p_value()), (0.0, 1.0));
}

#[test]
fn a_share_of_nothing_is_zero_and_may_be_anything() {
    assert_eq!(Proportion::new(0, 0), Proportion { value: 0.0, lower: 0.0, upper: 1.0, hits: 0, total: 0 });
    assert_eq!(Proportion::new(3, 4).value, 0.75);
}

/// A number below a bound, by SplitMix64 (Steele, Lea and Flood, 2014).
fn below(position: u64, bound: u64) -> u64 {
    let mut bits = (position + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits ^ (bits >> 31)) % bound
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
    fn token_f1_is_a_share_and_the_same_from_both_sides(answer in "\\PC{0,30}", reference in "\\PC{0,30}") {
        let f1 = token_f1(&answer, &reference);
        prop_assert!((0.0..=1.0).contains(&f1));
        prop_assert_eq!(f1, token_f1(&reference, &answer));
        prop_assert_eq!(token_f1(&answer, &answer), 1.0);
    }

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
