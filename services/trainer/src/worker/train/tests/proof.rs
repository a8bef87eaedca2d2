//! A run made again is compared with what was kept of it: the same, or where a bit was flipped.

use candle_core::{Device, Tensor};
use rootstock_proto::training::v1::{TrainingCheck, TrainingCheckSubject as Subject, TrainingProgress};

use super::{
    stages::{saving, staged},
    *,
};
use crate::worker::{
    replay::{Kept, Replay},
    stop::Stop,
};

/// A run, and what is kept of it.
struct Before {
    again: fn() -> Prepared,
    states: Vec<Saved>,
    progress: Vec<TrainingProgress>,
}

fn arguments() -> Arguments {
    Arguments { save_steps: Some(4), logging_steps: 2, eval_steps: Some(3), ..short() }
}

fn before() -> Before {
    before_of(|| prepared(lora(0.2), arguments(), 3))
}

fn before_of(again: fn() -> Prepared) -> Before {
    let script = Script::default();
    run(again(), &script).unwrap();
    let reported = |event: &Event| match event {
        Event::Progress(progress) => Some(*progress),
        _ => None,
    };
    let progress = script.events.borrow().iter().filter_map(reported).collect();
    let saved = script.saved.borrow().clone();
    Before { again, states: saved.into_iter().map(kept).collect(), progress }
}

fn kept(snapshot: Snapshot) -> Saved {
    let Snapshot { weights, moments, best, state } = snapshot;
    Saved { digest: format!("state {}", state.step), weights, moments, best, state }
}

impl Before {
    /// What is found when the steps after some are made again.
    fn verify(self, first: u64, end: u64) -> Vec<TrainingCheck> {
        let resume = self.states.iter().find(|saved| saved.state.step == first).cloned();
        let kept = self.states.into_iter().map(|saved| {
            let chain_digest = saved.state.chain.digest();
            (saved.state.step, Kept { saved, chain_digest })
        });
        let replay = Replay::new(kept.collect(), self.progress, (first, end), Stop::default());
        let mut again = (self.again)();
        again.resume = resume;
        let ended = Training::new(again, replay.clone()).and_then(Training::run);
        assert!(matches!(ended, Ok(_) | Err(Fault::Stop(Ended::Succeeded))), "{:?}", ended.err());
        replay.checks()
    }
}

fn found(checks: &[TrainingCheck]) -> Vec<(i64, Subject, &str)> {
    checks.iter().map(|check| (check.step, check.subject(), check.difference.as_str())).collect()
}

/// The same tensor with its lowest bit flipped at a place.
fn flip(tensor: &Tensor, place: usize) -> Tensor {
    let mut numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    numbers[place] = f32::from_bits(numbers[place].to_bits() ^ 1);
    Tensor::from_vec(numbers, tensor.shape(), &Device::Cpu).unwrap()
}

#[test]
fn a_run_made_again_from_any_state_has_the_same_bits() {
    use Subject::{Progress, State};
    let checks = before().verify(4, u64::MAX);
    let expected = [
        (6, Progress, ""),
        (8, Progress, ""),
        (8, State, ""),
        (10, Progress, ""),
        (12, Progress, ""),
        (12, State, ""),
    ];
    assert_eq!(found(&checks), expected);
    assert_eq!(checks[2].digest, "state 8");
    assert_eq!(found(&before().verify(0, 5)), [(2, Progress, ""), (4, Progress, ""), (4, State, "")]);
}

fn in_stages() -> Prepared {
    staged(Arguments { eval_steps: Some(4), ..saving() }, 4)
}

#[test]
fn a_run_in_stages_made_again_from_any_state_has_the_same_bits() {
    for first in [0, 3, 5, 7, 9] {
        let checks = before_of(in_stages).verify(first, u64::MAX);
        let found = found(&checks);
        assert_eq!(found.len() as u64, 2 * (15 - first), "a report and a state of each step");
        assert!(found.iter().all(|(_, _, difference)| difference.is_empty()), "{found:?}");
    }
}

#[test]
fn a_state_that_a_pause_saved_where_a_stage_ends_is_made_again_too() {
    let paused = |checks| {
        let script = Script { rests: true, ..Script::cut_after(checks) };
        run(in_stages(), &script).err().unwrap();
        let last = script.saved.borrow().last().cloned();
        last.filter(|saved| (saved.state.step, saved.state.place.stage) == (5, 0))
    };
    let mut before = before_of(in_stages);
    before.states[4] = kept((0..30).find_map(paused).unwrap());
    let checks = before.verify(0, 6);
    let at = |(step, subject, difference): &(i64, Subject, &str)| {
        (*step == 5 && *subject == Subject::State).then(|| difference.to_string())
    };
    assert_eq!(found(&checks).iter().filter_map(at).collect::<Vec<_>>(), [""]);
}

#[test]
fn a_flipped_bit_in_a_weight_a_moment_or_the_chain_is_found_and_named() {
    let mut weight = before();
    let (name, tensor) = &mut weight.states[1].weights[3];
    *tensor = flip(tensor, 5);
    let name = name.clone();
    let checks = weight.verify(4, u64::MAX);
    let (step, subject, difference) = found(&checks)[2];
    assert_eq!((step, subject, checks.len()), (8, Subject::State, 3), "nothing is compared after it");
    assert!(difference.contains(&format!("weights.safetensors: {name}[5]")), "{difference}");

    let mut moment = before();
    let (name, tensor) = &mut moment.states[1].moments[0];
    *tensor = flip(tensor, 0);
    let name = name.clone();
    let checks = moment.verify(4, u64::MAX);
    assert!(found(&checks)[2].2.contains(&format!("moments.safetensors: {name}[0]")), "{checks:?}");

    let mut chain = before();
    chain.states[1].state.chain = Default::default();
    let checks = chain.verify(4, u64::MAX);
    assert!(found(&checks)[2].2.contains("trainer_state.json: the chain"), "{checks:?}");
}

#[test]
fn a_flipped_bit_in_the_state_to_begin_with_comes_to_light_in_what_follows() {
    let mut begin = before();
    let (_, tensor) = &mut begin.states[0].weights[0];
    let mut numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    numbers[0] = f32::from_bits(numbers[0].to_bits() ^ (1 << 30));
    *tensor = Tensor::from_vec(numbers, tensor.shape(), &Device::Cpu).unwrap();
    let checks = begin.verify(4, u64::MAX);
    assert_eq!(checks.iter().filter(|check| !check.difference.is_empty()).count(), 1, "{checks:?}");
}

#[test]
fn a_report_that_is_not_what_the_step_gives_is_found() {
    let mut report = before();
    let told = &mut report.progress[3];
    told.grad_norm = f64::from_bits(told.grad_norm.to_bits() ^ 1);
    let checks = report.verify(4, u64::MAX);
    let (step, subject, difference) = found(&checks)[1];
    assert_eq!((step, subject), (8, Subject::Progress));
    assert!(difference.contains("gradient norm"), "{difference}");
}
