//! Runs in stages: each is a run of its own that goes on from the one before, and a cut anywhere changes no bit.

use std::collections::BTreeSet;

use super::*;
use crate::spec::{Pace, Scheduler, Stage};

/// Steps of each stage.
const STEPS: [u64; 3] = [5, 4, 6];

fn pace(steps: u64, learning_rate: f64) -> Option<Pace> {
    let length = Length::Steps(steps);
    Some(Pace { length, learning_rate, warmup: Warmup::Steps(1), scheduler: Scheduler::Linear })
}

/// The names of the weights in these modules.
fn names(modules: &[&str]) -> BTreeSet<String> {
    partial(modules).variables().iter().map(|(name, _)| name.clone()).collect()
}

/// What each stage trains: layer after layer, as gradual unfreezing has it, and the first rests in the end.
fn trained() -> [BTreeSet<String>; 3] {
    [
        names(&["layers.1", "model.norm"]),
        names(&["layers.0", "layers.1"]),
        names(&["layers.0", "embed_tokens"]),
    ]
}

/// Other rows, rates and weights in each stage.
pub(super) fn staged(arguments: Arguments, validation: usize) -> Prepared {
    let mut prepared = prepared(full(), arguments, validation);
    let spec = Arc::make_mut(&mut prepared.spec);
    let rates = [1e-2, 5e-3, 2e-2];
    spec.stages = STEPS
        .iter()
        .zip(rates)
        .map(|(steps, rate)| Stage { pace: pace(*steps, rate), ..Stage::default() })
        .collect();
    let of_stage = |(number, trained): (usize, BTreeSet<String>)| StageData {
        trained: Some(trained),
        ..stage(rows(10 - number), rows(validation))
    };
    prepared.stages = trained().into_iter().enumerate().map(of_stage).collect();
    prepared
}

pub(super) fn saving() -> Arguments {
    Arguments { save_steps: Some(1), logging_steps: 1, ..short() }
}

/// The places of the states that are saved, and how often there is one.
fn places(script: &Script) -> Vec<(u64, usize)> {
    script.saved.borrow().iter().map(|saved| (saved.state.step, saved.state.place.stage)).collect()
}

#[test]
fn a_run_that_is_cut_in_any_stage_and_between_them_comes_to_the_same_bits() {
    for (arguments, validation) in [(saving(), 0), (Arguments { eval_steps: Some(2), ..saving() }, 4)] {
        let whole = Script::default();
        let undisturbed = run(staged(arguments.clone(), validation), &whole).unwrap();
        let last = |script: &Script| script.saved.borrow().last().unwrap().state.clone();
        assert_eq!((undisturbed.step, last(&whole).place.stage), (15, 2));
        for rests in [false, true] {
            for cut in 1.. {
                let before = Script { rests, ..Script::cut_after(cut) };
                if run(staged(arguments.clone(), validation), &before).is_ok() {
                    break;
                }
                if before.saved.borrow().is_empty() {
                    continue;
                }
                let after = Script::default();
                let again =
                    Prepared { resume: Some(read_back(&before)), ..staged(arguments.clone(), validation) };
                let resumed = run(again, &after).unwrap();
                assert_eq!(bits(&resumed.learner), bits(&undisturbed.learner), "cut after {cut} checks");
                if !after.saved.borrow().is_empty() {
                    assert_eq!(last(&after), last(&whole), "cut after {cut} checks");
                }
            }
        }
    }
}

#[test]
fn early_stopping_ends_a_stage_whose_best_weights_the_next_one_goes_on_from() {
    let early_stopping = Some(EarlyStopping { patience: 1, threshold: 0.0 });
    // A rate at which the first stages make everything worse.
    let arguments = Arguments { eval_steps: Some(1), early_stopping, ..saving() };
    let spoilt = || {
        let mut prepared = staged(arguments.clone(), 4);
        for stage in &mut Arc::make_mut(&mut prepared.spec).stages[..2] {
            stage.pace = pace(9, 3.0).map(|pace| Pace { warmup: Warmup::Steps(0), ..pace });
        }
        prepared
    };
    let whole = Script::default();
    let undisturbed = run(spoilt(), &whole).unwrap();
    let told = |script: &Script| -> Vec<(i64, i64, i64)> {
        let told = |event: &Event| match event {
            Event::StageChange(change) => Some((change.stage, change.step, change.stage_steps)),
            _ => None,
        };
        script.events.borrow().iter().filter_map(told).collect()
    };
    let stages = told(&whole);
    assert_eq!(stages.len(), 3);
    assert!(stages[1].1 < 9 && stages[2].1 < 18, "{stages:?}");
    let (states, start) = (whole.saved.borrow().clone(), full().weights().unwrap());
    let turned = states.iter().find(|state| state.state.place.stage == 1).unwrap();
    let flat = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(turned.weights.iter().zip(&start).all(|((_, now), (_, before))| flat(now) == flat(before)));
    assert!(turned.moments.is_empty(), "the optimizer begins anew with weights that aren't the last");
    for cut in 1.. {
        let before = Script::cut_after(cut);
        if run(spoilt(), &before).is_ok() {
            break;
        }
        if before.saved.borrow().is_empty() {
            continue;
        }
        let again = Prepared { resume: Some(read_back(&before)), ..spoilt() };
        let resumed = run(again, &Script::default()).unwrap();
        assert_eq!(bits(&resumed.learner), bits(&undisturbed.learner), "cut after {cut} checks");
    }
}

#[test]
fn steps_total_and_stage_are_told_and_a_stage_is_validated_before_and_after() {
    let script = Script::default();
    run(staged(saving(), 3), &script).unwrap();
    let told = |event: &Event| match event {
        Event::Progress(progress) => Some((progress.step, progress.total_steps, progress.stage)),
        _ => None,
    };
    let told: Vec<_> = script.events.borrow().iter().filter_map(told).collect();
    let stage = |step: i64| 1 + i64::from(step > 5) + i64::from(step > 9);
    assert_eq!(told, (1..=15).map(|step| (step, 15, stage(step))).collect::<Vec<_>>());
    let steps: Vec<i64> = script.validations().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [0, 5, 5, 9, 9, 15]);
    let rates = |event: &Event| match event {
        Event::Progress(progress) => Some(progress.learning_rate),
        _ => None,
    };
    let rates: Vec<f64> = script.events.borrow().iter().filter_map(rates).collect();
    assert_eq!((rates[0], rates[5], rates[9]), (0.0, 0.0, 0.0), "each stage has a warm-up of its own");
    assert_eq!((rates[1], rates[6], rates[10]), (1e-2, 5e-3, 2e-2));
    assert_eq!(places(&script)[4..6], [(5, 1), (6, 1)], "a state between two stages is the second's");
}

#[test]
fn a_stage_changes_nothing_that_it_does_not_train_and_forgets_its_moments() {
    let script = Script::default();
    run(staged(saving(), 0), &script).unwrap();
    let saved = script.saved.borrow();
    let flat = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let changed = |from: &Snapshot, to: &Snapshot| -> BTreeSet<String> {
        let pairs = from.weights.iter().zip(&to.weights);
        pairs.filter(|((_, a), (_, b))| flat(a) != flat(b)).map(|((name, _), _)| name.clone()).collect()
    };
    let [_, second, third] = trained();
    assert_eq!(changed(&saved[4], &saved[8]), second);
    assert_eq!(changed(&saved[8], &saved[14]), third);
    let moments = |state: &Snapshot| -> BTreeSet<String> {
        let owner = |(name, _): &(String, candle_core::Tensor)| name.rsplit_once('.').unwrap().0.to_owned();
        state.moments.iter().map(owner).collect()
    };
    let both: BTreeSet<String> = second.intersection(&third).cloned().collect();
    assert_eq!(moments(&saved[8]), both, "what the third stage trains too keeps its moments");
    assert_eq!(moments(&saved[14]), third);
    let begun = saved[14].state.begun.clone().unwrap();
    assert_eq!(begun["model.embed_tokens.weight"], 9);
    assert!(both.iter().all(|name| begun[name] == 5), "{begun:?}");
}

#[test]
fn what_the_second_stage_makes_is_what_a_run_of_its_own_makes_that_goes_on() {
    // Stochastic gradient descent without momentum keeps nothing that a run of its own would lack.
    let plain = |steps: u64| Arguments {
        optim: Optim::Sgd(SgdOptions::default()),
        length: Length::Steps(steps),
        warmup: Warmup::Steps(1),
        neftune_noise_alpha: 5.0,
        ..short()
    };
    let mut both = prepared(full(), plain(5), 0);
    let of = |steps| Stage { pace: pace(steps, 1e-2), ..Stage::default() };
    Arc::make_mut(&mut both.spec).stages = vec![of(5), of(7)];
    both.stages = vec![stage(denoised(6), rows(0)), stage(rows(10), rows(0))];
    let together = run(both, &Script::default()).unwrap();

    let mut first = prepared(full(), plain(5), 0);
    first.stages = vec![stage(denoised(6), rows(0))];
    let first = run(first, &Script::default()).unwrap();
    let second = Arguments { seed: plain(7).seed + 1, ..plain(7) };
    let second = run(prepared(first.learner, second, 0), &Script::default()).unwrap();
    assert_eq!(bits(&together.learner), bits(&second.learner));
}
