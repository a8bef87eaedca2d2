//! Runs on a mix of data sets: each is seen in its share, and a run which was cut comes to the same bits.

use rootstock_text::Shares;

use super::*;

/// A small data set beside a large one, of whose texts other spans are cut out each time they are seen.
fn mixed(arguments: Arguments) -> Prepared {
    let train = denoised(7).joined(denoised(3)).unwrap();
    let passes = Passes::new(vec![7, 3], &Shares::Weights(vec![1.0, 2.0])).unwrap();
    let stages = vec![StageData { passes, ..stage(train, rows(0)) }];
    Prepared { stages, ..prepared(full(), arguments, 0) }
}

#[test]
fn steps_take_rows_of_each_data_set_in_its_share() {
    let mut training = Training::new(mixed(short()), Script::default()).unwrap();
    let steps = training.stage().plan.steps_per_epoch;
    for epoch in 0..3 {
        let rows: Vec<_> = (epoch * steps..(epoch + 1) * steps)
            .flat_map(|step| training.stages[0].rows(step).micro_batches.concat())
            .map(|seen| seen.row)
            .collect();
        let small = rows.iter().filter(|row| **row >= 7).count();
        assert_eq!((rows.len(), small), (9, 6), "a third of ten rows, and two thirds, in whole rows");
    }
}

#[test]
fn a_row_that_a_pass_sees_twice_is_not_seen_alike() {
    let mut training = Training::new(mixed(short()), Script::default()).unwrap();
    let mut seen = Vec::new();
    for step in 0..training.stage().plan.steps_per_epoch {
        let rows = training.stages[0].rows(step);
        seen.extend(training.stage().batches(&rows).concat());
    }
    let all = seen.len();
    seen.sort_by(|a, b| a.input_ids.cmp(&b.input_ids));
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[test]
fn a_run_on_a_mix_that_was_cut_comes_to_the_same_bits() {
    let arguments = Arguments { save_steps: Some(3), ..short() };
    let whole = run(mixed(arguments.clone()), &Script::default()).unwrap();
    for cut in [4, 7] {
        let before = Script::cut_after(cut);
        assert!(run(mixed(arguments.clone()), &before).is_err());
        let again = Prepared { resume: Some(read_back(&before)), ..mixed(arguments.clone()) };
        let resumed = run(again, &Script::default()).unwrap();
        assert_eq!(bits(&resumed.learner), bits(&whole.learner), "cut after {cut} checks");
    }
}
