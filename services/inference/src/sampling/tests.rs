//! What is chosen, against numbers worked out by hand from what transformers' processors do (`generation/logits_process.py`):
//! repetition penalty on the raw logits, then temperature, top-k, top-p and min-p.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn sampling() -> Sampling {
    Sampling { temperature: 1.0, seed: 7, ..Sampling::greedy(64) }
}

fn choose(sampling: Sampling, prompt: &[u32], logits: &[f32]) -> Token {
    Sampler::new(sampling, prompt, &[]).choose(logits).unwrap()
}

/// Everything that is ever drawn, over many positions.
fn drawn(sampling: &Sampling, prompt: &[u32], logits: &[f32]) -> BTreeSet<u32> {
    let mut sampler = Sampler::new(sampling.clone(), &[], &[]);
    (0..2000)
        .map(|_| {
            sampler.processors = Processors::new(sampling, prompt, &[]);
            sampler.choose(logits).unwrap().id
        })
        .collect()
}

/// Logits whose softmax is these probabilities.
fn logits_of(probabilities: &[f64]) -> Vec<f32> {
    probabilities.iter().map(|p| p.ln() as f32).collect()
}

#[test]
fn greedy_takes_the_largest_and_of_equals_the_lowest_id() {
    assert_eq!(choose(Sampling::greedy(1), &[], &[0.1, 2.0, -1.0, 2.0]).id, 1);
    // Filters don't matter without temperature.
    let filtered = Sampling { top_k: 1, top_p: 0.1, min_p: 1.0, ..Sampling::greedy(1) };
    assert_eq!(choose(filtered, &[], &[0.1, 0.2, 0.3]).id, 2);
}

#[test]
fn the_penalty_divides_positive_and_multiplies_negative_logits_of_what_was_seen_once() {
    let penalised = Sampling { repetition_penalty: 2.0, ..Sampling::greedy(1) };
    // 3.0 / 2 = 1.5 < 1.6, however often token 0 occurred.
    assert_eq!(choose(penalised.clone(), &[0, 0, 0], &[3.0, 1.6, -1.0]).id, 1);
    // 3.4 / 2 = 1.7 > 1.6.
    assert_eq!(choose(penalised.clone(), &[0], &[3.4, 1.6, -1.0]).id, 0);
    // -1 * 2 = -2 < -1.5: a penalty makes negative logits more negative.
    assert_eq!(choose(penalised.clone(), &[0], &[-1.0, -1.5]).id, 1);
    // What was generated counts as seen, too.
    let mut sampler = Sampler::new(penalised, &[], &[]);
    let chosen: Vec<u32> = (0..3).map(|_| sampler.choose(&[3.0, 2.0]).unwrap().id).collect();
    assert_eq!(chosen, [0, 1, 0]);
}

#[test]
fn presence_counts_once_and_frequency_each_time_that_a_token_was_generated() {
    let run = |presence_penalty, frequency_penalty, tokens: usize| -> Vec<u32> {
        let sampling = Sampling { presence_penalty, frequency_penalty, ..Sampling::greedy(1) };
        // The prompt does not count.
        let mut sampler = Sampler::new(sampling, &[0, 0, 0, 0], &[]);
        (0..tokens).map(|_| sampler.choose(&[3.0, 2.4, 0.0]).unwrap().id).collect()
    };
    // 3, 2.4 -> 2, 2.4 -> 2, 1.4, and so it stays.
    assert_eq!(run(1.0, 0.0, 5), [0, 1, 0, 0, 0]);
    // 3, 2.4 -> 2, 2.4 -> 2, 1.4 -> 1, 1.4 -> 1, 0.4.
    assert_eq!(run(0.0, 1.0, 5), [0, 1, 0, 1, 0]);
    // Together: 3, 2.4 -> 1.2, 2.4 -> 1.2, 0.6 -> 0.3, 0.6 -> 0.3, -0.3 -> -0.6, -0.3, 0.
    assert_eq!(run(0.9, 0.9, 6), [0, 1, 0, 1, 0, 2]);
    // Below zero they make what was said likelier.
    assert_eq!(run(-2.0, -2.0, 3), [0, 0, 0]);
}

#[test]
fn biases_are_added_before_penalties() {
    let biased = Sampling {
        logit_bias: vec![(0, -100.0), (2, 2.0)],
        repetition_penalty: 2.0,
        logprobs: Some(0),
        ..Sampling::greedy(1)
    };
    // 1.0 against 0.5 + 2: with the penalty on token 2, (0.5 + 2) / 2 = 1.25 rather than 0.5 / 2 + 2.
    assert_eq!(choose(biased.clone(), &[], &[9.0, 1.0, 0.5]).id, 2);
    assert_eq!(choose(biased.clone(), &[2], &[9.0, 1.3, 0.5]).id, 1);
    // The log-probability is the model's own.
    let chosen = choose(biased, &[], &logits_of(&[0.7, 0.1, 0.2]));
    assert_eq!(chosen.id, 2);
    assert!((chosen.logprob.unwrap() - 0.2_f64.ln()).abs() < 1e-6);
}

#[test]
fn what_ends_a_text_is_masked_until_enough_is_chosen_and_nothing_left_is_said() {
    let sampling = Sampling { min_tokens: 2, logit_bias: vec![(0, 100.0)], ..Sampling::greedy(8) };
    let mut sampler = Sampler::new(sampling.clone(), &[], &[0]);
    let chosen: Vec<u32> = (0..3).map(|_| sampler.choose(&[5.0, 1.0]).unwrap().id).collect();
    assert_eq!(chosen, [1, 1, 0]);
    assert_eq!(Sampler::new(sampling, &[], &[0, 1]).choose(&[5.0, 1.0]), Err(NoChoice::AllMasked));
}

#[test]
fn top_k_keeps_what_equals_the_kth() {
    let logits = [1.0, 3.0, 2.0, 2.0, 0.0];
    let kept = |top_k| drawn(&Sampling { top_k, ..sampling() }, &[], &logits);
    assert_eq!(kept(1), BTreeSet::from([1]));
    assert_eq!(kept(2), BTreeSet::from([1, 2, 3]));
    assert_eq!(kept(4), BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(kept(0).len(), 5);
}

#[test]
fn top_p_keeps_the_token_that_crosses_the_threshold() {
    let logits = logits_of(&[0.15, 0.5, 0.05, 0.3]);
    let kept = |top_p| drawn(&Sampling { top_p, ..sampling() }, &[], &logits);
    // Ascending sums are 0.05, 0.2, 0.5, 1.0; removed is what is at most 1 - p.
    assert_eq!(kept(0.4), BTreeSet::from([1]));
    assert_eq!(kept(0.6), BTreeSet::from([1, 3]));
    assert_eq!(kept(0.9), BTreeSet::from([0, 1, 3]));
    assert_eq!(kept(0.97).len(), 4);
    assert_eq!(kept(1e-9), BTreeSet::from([1]));
}

#[test]
fn min_p_is_relative_to_the_most_likely() {
    let logits = logits_of(&[0.15, 0.5, 0.05, 0.3]);
    let kept = |min_p| drawn(&Sampling { min_p, ..sampling() }, &[], &logits);
    assert_eq!(kept(0.5), BTreeSet::from([1, 3]));
    assert_eq!(kept(0.2), BTreeSet::from([0, 1, 3]));
    assert_eq!(kept(1.0), BTreeSet::from([1]));
}

#[test]
fn filters_come_after_the_temperature_and_top_p_after_top_k() {
    let logits = logits_of(&[0.15, 0.5, 0.05, 0.3]);
    // At temperature 2 the probabilities become their square roots: 0.202, 0.369, 0.117, 0.286 after normalising, so the
    // first two no longer have 0.75 together.
    let warm = Sampling { temperature: 2.0, top_p: 0.75, ..sampling() };
    assert_eq!(drawn(&warm, &[], &logits), BTreeSet::from([0, 1, 3]));
    // Of the best two, the first has 0.5 / 0.8 = 0.625.
    let both = Sampling { top_k: 2, top_p: 0.62, ..sampling() };
    assert_eq!(drawn(&both, &[], &logits), BTreeSet::from([1]));
    // The penalty comes before the temperature: 2 / 2 = 1, 1, so both are as likely and min-p 1 keeps both.
    let penalised = Sampling { repetition_penalty: 2.0, min_p: 1.0, temperature: 0.1, ..sampling() };
    assert_eq!(drawn(&penalised, &[0], &[2.0, 1.0]), BTreeSet::from([0, 1]));
}

#[test]
fn draws_follow_the_probabilities() {
    let probabilities = [0.1, 0.6, 0.3];
    let mut sampler = Sampler::new(sampling(), &[], &[]);
    let mut counts = [0_u32; 3];
    for _ in 0..30_000 {
        counts[sampler.choose(&logits_of(&probabilities)).unwrap().id as usize] += 1;
    }
    for (count, probability) in counts.iter().zip(probabilities) {
        assert!((f64::from(*count) / 30_000.0 - probability).abs() < 0.01, "{counts:?}");
    }
}

#[test]
fn a_draw_depends_on_seed_and_position_alone() {
    let logits: Vec<f32> = (0..50).map(|i| (i % 7) as f32 * 0.3).collect();
    let run = |seed, prompt: &[u32]| -> Vec<u32> {
        let mut sampler = Sampler::new(Sampling { seed, ..sampling() }, prompt, &[]);
        (0..20).map(|_| sampler.choose(&logits).unwrap().id).collect()
    };
    assert_eq!(run(1, &[4, 5]), run(1, &[6, 7]));
    assert_ne!(run(1, &[4, 5]), run(2, &[4, 5]));
    // One position further on, everything comes one draw earlier.
    assert_eq!(run(1, &[4])[1..], run(1, &[4, 5])[..19]);
}

#[test]
fn log_probabilities_are_those_of_the_model_before_any_change() {
    let changed =
        Sampling { logprobs: Some(2), repetition_penalty: 5.0, temperature: 9.0, top_k: 1, ..sampling() };
    let token = choose(changed, &[1], &logits_of(&[0.15, 0.5, 0.05, 0.3]));
    // ln 0.5 / 5 = -3.47 is below the others' after the penalty on negative logits, so 3 is chosen.
    assert_eq!(token.id, 3);
    assert!((token.logprob.unwrap() - 0.3_f64.ln()).abs() < 1e-6);
    let top: Vec<u32> = token.top.iter().map(|(id, _)| *id).collect();
    assert_eq!(top, [1, 3]);
    assert!((token.top[0].1 - 0.5_f64.ln()).abs() < 1e-6);
    let none = choose(Sampling { logprobs: Some(0), ..Sampling::greedy(1) }, &[], &[0.0, 1.0]);
    assert!(none.logprob.is_some() && none.top.is_empty());
    let all = choose(Sampling { logprobs: Some(20), ..Sampling::greedy(1) }, &[], &[0.0, 1.0]);
    assert_eq!(all.top.len(), 2);
}

#[test]
fn numbers_that_are_none_end_the_sequence() {
    for logits in [&[0.0, f32::NAN][..], &[f32::INFINITY, 0.0], &[f32::NEG_INFINITY; 2], &[]] {
        let mut sampler = Sampler::new(sampling(), &[], &[]);
        assert_eq!(sampler.choose(logits), Err(NoChoice::NotFinite), "{logits:?}");
    }
    // What the model rules out may be minus infinity.
    assert_eq!(drawn(&sampling(), &[], &[0.0, f32::NEG_INFINITY]), BTreeSet::from([0]));
}

proptest! {
    #[test]
    fn whatever_the_parameters_something_sensible_is_chosen(
        logits in prop::collection::vec(-50.0_f32..50.0, 1..40),
        temperature in prop_oneof![Just(1e-300), Just(0.0), 0.01..100.0],
        top_k in 0_usize..50,
        top_p in prop_oneof![Just(1.0), Just(f64::MIN_POSITIVE), 0.001..1.0],
        min_p in 0.0..=1.0,
        penalty in prop_oneof![Just(1.0_f32), Just(f32::MIN_POSITIVE), 0.01_f32..100.0],
        seed: u64,
    ) {
        let parameters = Sampling {
            temperature, top_k, top_p, min_p, repetition_penalty: penalty, seed, logprobs: Some(3),
            ..Sampling::greedy(1)
        };
        let mut sampler = Sampler::new(parameters, &[0], &[]);
        // A tiny penalty may carry a logit beyond what f32 holds; that is refused, never guessed.
        if let Ok(token) = sampler.choose(&logits) {
            prop_assert!((token.id as usize) < logits.len());
            prop_assert!(token.logprob.unwrap() <= 1e-9);
        } else {
            prop_assert!(penalty < 1e-30);
        }
    }
}

#[test]
fn the_smallest_penalty_leaves_a_token_that_can_be_chosen() {
    for temperature in [0.0, 1.0] {
        let sampling = Sampling { repetition_penalty: f32::MIN_POSITIVE, temperature, ..Sampling::greedy(1) };
        let mut sampler = Sampler::new(sampling, &[1], &[]);
        assert_eq!(sampler.choose(&[3.0, 100.0, 2.0]).unwrap().id, 1);
    }
}
