//! Runs that go on with the optimizer of the run before: two halves are one whole, and what doesn't belong together is refused.

use super::*;
use crate::spec::{Pace, Scheduler, Stage};

/// Runs of steps that are all alike: at one rate, of one row.
fn alike(learner: Trainee, optim: Optim, steps: u64) -> Prepared {
    let arguments = Arguments {
        optim,
        length: Length::Steps(steps),
        scheduler: Scheduler::Constant,
        warmup: Warmup::Steps(0),
        save_steps: Some(100),
        batch_size: 1,
        accumulation: 1,
        ..short()
    };
    Prepared { stages: vec![stage(rows(1), rows(0))], ..prepared(learner, arguments, 0) }
}

fn moments(script: &Script) -> Vec<u32> {
    let saved = script.saved.borrow();
    let moments = saved.last().unwrap().moments.iter();
    let flat = moments.flat_map(|(_, tensor)| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    flat.map(f32::to_bits).collect()
}

/// Trains and gives the model with the state after its last step.
fn first(prepared: Prepared) -> (Trainee, Saved) {
    let script = Script::default();
    let finished = run(prepared, &script).unwrap();
    (finished.learner, read_back(&script))
}

#[test]
fn two_runs_of_which_the_second_keeps_the_optimizer_are_one_run_of_all_their_steps() {
    let momentum = SgdOptions { momentum: 0.9, nesterov: false };
    let optimizers =
        [arguments().optim, Optim::Lion(LionOptions::default()), Optim::Sgd(momentum), Optim::Adafactor];
    for (learner, optim) in [full as fn() -> Trainee, || lora(0.0)]
        .into_iter()
        .flat_map(|learner| optimizers.map(move |optim| (learner, optim)))
    {
        let whole = Script::default();
        let once = run(alike(learner(), optim, 14), &whole).unwrap();
        let (half, state) = first(alike(learner(), optim, 7));
        let again = Script::default();
        let second = Prepared { before: Some(state.clone()), ..alike(half, optim, 7) };
        let twice = run(second, &again).unwrap();
        assert_eq!(bits(&twice.learner), bits(&once.learner), "{optim:?}");
        assert_eq!(moments(&again), moments(&whole), "{optim:?}");
        assert_eq!(again.saved.borrow().last().unwrap().state.carried, 7);

        let (half, _) = first(alike(learner(), optim, 7));
        let anew = run(alike(half, optim, 7), &Script::default()).unwrap();
        assert_ne!(bits(&anew.learner), bits(&once.learner), "{optim:?}, begun anew");
    }
}

#[test]
fn a_run_that_keeps_the_optimizer_comes_to_the_same_bits_after_a_cut() {
    let optim = arguments().optim;
    let saving = |prepared: Prepared| {
        let mut prepared = prepared;
        Arc::make_mut(&mut prepared.spec).arguments.save_steps = Some(2);
        prepared
    };
    let second = || {
        let (half, state) = first(alike(full(), optim, 7));
        saving(Prepared { before: Some(state), ..alike(half, optim, 9) })
    };
    let whole = run(second(), &Script::default()).unwrap();
    let before = Script::cut_after(5);
    assert!(run(second(), &before).is_err());
    let again = Prepared { before: None, resume: Some(read_back(&before)), ..second() };
    let resumed = run(again, &Script::default()).unwrap();
    assert_eq!(bits(&resumed.learner), bits(&whole.learner));
}

#[test]
fn a_run_in_stages_is_a_run_for_each_that_keeps_the_optimizer_of_the_one_before() {
    let of = |steps: u64, rate: f64| Pace {
        length: Length::Steps(steps),
        learning_rate: rate,
        warmup: Warmup::Steps(2),
        scheduler: Scheduler::Linear,
    };
    let mut both = prepared(lora(0.2), short(), 0);
    let pace = |pace| Stage { pace: Some(pace), ..Stage::default() };
    Arc::make_mut(&mut both.spec).stages = vec![pace(of(5, 1e-2)), pace(of(7, 3e-3))];
    both.stages = vec![stage(rows(10), rows(0)), stage(rows(9), rows(0))];
    let together = run(both, &Script::default()).unwrap();

    let alone = |Pace { length, learning_rate, warmup, scheduler }: Pace| Arguments {
        save_steps: Some(100),
        length,
        learning_rate,
        warmup,
        scheduler,
        ..short()
    };
    let (half, state) = first(prepared(lora(0.2), alone(of(5, 1e-2)), 0));
    let arguments = Arguments { seed: short().seed + 1, ..alone(of(7, 3e-3)) };
    let second = Prepared {
        before: Some(state),
        stages: vec![stage(rows(9), rows(0))],
        ..prepared(half, arguments, 0)
    };
    let apart = run(second, &Script::default()).unwrap();
    assert_eq!(bits(&together.learner), bits(&apart.learner));
}

#[test]
fn weights_that_join_later_are_counted_from_their_first_step_in_the_next_run_too() {
    let mut gradual = alike(full(), arguments().optim, 6);
    let every = Full { unfreeze_every_steps: Some(2), ..Full::default() };
    Arc::make_mut(&mut gradual.spec).method = Method::Full(every);
    let (half, state) = first(gradual);
    let script = Script::default();
    run(Prepared { before: Some(state), ..alike(half, arguments().optim, 1) }, &script).unwrap();
    let begun = script.saved.borrow().last().unwrap().state.begun.clone().unwrap();
    assert_eq!(begun["model.embed_tokens.weight"], 4);
    assert_eq!(begun["model.layers.0.mlp.up_proj.weight"], 2);
    assert!(!begun.contains_key("model.norm.weight"));
}

#[test]
fn a_state_of_other_weights_is_refused_with_the_first_that_differs() {
    let optim = arguments().optim;
    let refused = |learner: Trainee, state: Saved| {
        let prepared = Prepared { before: Some(state), ..alike(learner, optim, 7) };
        match Training::new(prepared, Script::default()).err() {
            Some(Fault::Job(message)) => message,
            other => panic!("{other:?}"),
        }
    };
    let (_, state) = first(alike(full(), optim, 7));
    let message = refused(full(), state.clone());
    assert!(
        message.starts_with("spec.keep_optimizer_state") && message.contains("after step 7"),
        "{message}"
    );
    assert!(message.contains("model."), "{message}");
    let message = refused(partial(&["layers.1"]), state);
    assert!(message.contains("only one of the two has the tensor"), "{message}");
}
