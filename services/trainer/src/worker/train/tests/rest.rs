//! Pauses: whenever one comes, the state after the last whole step is saved, and the run goes on to the same bits.

use super::*;

fn paused_after(checks: usize) -> Script {
    Script { rests: true, ..Script::cut_after(checks) }
}

/// Runs once without a pause, and for each moment with one; every state and the end must be the same.
fn assert_rests(learner: fn() -> Trainee, arguments: &Arguments, validation: usize) {
    let whole = Script::default();
    let undisturbed = run(prepared(learner(), arguments.clone(), validation), &whole).unwrap();
    let mut moment = 0;
    loop {
        let before = paused_after(moment);
        match run(prepared(learner(), arguments.clone(), validation), &before) {
            Err(Fault::Stop(Ended::Paused)) => {}
            Ok(_) => break,
            other => panic!("{:?}", other.err()),
        }
        let mut again = prepared(learner(), arguments.clone(), validation);
        again.resume = (!before.saved.borrow().is_empty()).then(|| read_back(&before));
        let after = Script::default();
        let resumed = run(again, &after).unwrap();
        assert_eq!(bits(&resumed.learner), bits(&undisturbed.learner), "paused at moment {moment}");
        assert_eq!(resumed.step, undisturbed.step, "paused at moment {moment}");
        let mut seen = [before.validations(), after.validations()].concat();
        // Before the first step there is nothing to save, and what was measured there is measured again.
        seen.dedup();
        assert_eq!(seen, whole.validations(), "paused at moment {moment}");
        let last = |script: &Script| script.saved.borrow().last().map(|saved| saved.state.clone());
        assert_eq!(last(&after).or(last(&before)), last(&whole), "paused at moment {moment}");
        moment += 1;
    }
    assert!(moment >= 12, "only {moment} moments");
}

#[test]
fn a_pause_at_any_moment_of_training_and_validation_changes_no_bit() {
    let arguments = Arguments { save_steps: Some(6), eval_steps: Some(4), ..short() };
    assert_rests(|| lora(0.2), &arguments, 5);
    assert_rests(full, &arguments, 0);
    let early_stopping = Some(EarlyStopping { patience: 3, threshold: 0.0 });
    assert_rests(|| dora(0.1), &Arguments { early_stopping, ..arguments }, 3);
}

#[test]
fn a_pause_saves_the_last_whole_step_once_and_nothing_before_the_first() {
    let arguments = Arguments { save_steps: Some(2), ..short() };
    let saved = |moment: usize| {
        let script = paused_after(moment);
        run(prepared(lora(0.0), arguments.clone(), 0), &script).err().unwrap();
        let saved = script.saved.borrow();
        saved.iter().map(|snapshot| snapshot.state.step).collect::<Vec<_>>()
    };
    assert_eq!((saved(0), saved(1), saved(2)), (vec![], vec![1], vec![2]));
    assert_eq!(saved(5), [2, 4, 5]);
}

#[test]
fn a_finished_run_can_still_be_put_off_with_its_last_weights_and_not_the_best() {
    let early_stopping = Some(EarlyStopping { patience: 9, threshold: 0.0 });
    let arguments = Arguments { learning_rate: 3.0, eval_steps: Some(1), early_stopping, ..short() };
    let finished = run(prepared(lora(0.0), arguments.clone(), 3), &Script::default()).unwrap();
    let kept = finished.unsaved().unwrap().unwrap();
    assert!(kept.state.step > finished.step && kept.best.is_some());
    let script = Script::default();
    script.saved.borrow_mut().push(kept);
    let mut again = prepared(lora(0.0), arguments, 3);
    again.resume = Some(read_back(&script));
    let resumed = run(again, &Script::default()).unwrap();
    assert_eq!((bits(&resumed.learner), resumed.step), (bits(&finished.learner), finished.step));
    assert!(resumed.unsaved().is_none(), "it is saved");
}

#[test]
fn the_phases_are_told() {
    let script = Script::default();
    run(prepared(lora(0.0), Arguments { length: Length::Steps(1), ..short() }, 3), &script).unwrap();
    let phase = |event: &Event| match event {
        Event::PhaseChange(change) => Some(change.phase()),
        _ => None,
    };
    let phases: Vec<_> = script.events.borrow().iter().filter_map(phase).collect();
    use TrainingPhase::{Saving, Training, Validating};
    assert_eq!(phases, [Training, Validating, Training, Validating, Training, Saving]);
}
