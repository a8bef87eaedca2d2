//! Whole runs on a tiny model: what is told, what is saved, and that a run which was cut comes to the same bits.

use std::{
    cell::{Cell, RefCell},
    path::Path,
    rc::Rc,
    sync::Arc,
};

use rootstock_client::Source;
use rootstock_kernels::{LionOptions, SgdOptions};
use rootstock_model::Regularization;
use rootstock_proto::training::v1::training_event::Event;
use rootstock_text::{Corruption, Denoiser, Denoising};
use tempfile::TempDir;

use super::*;
use crate::{
    convert::tests::{arguments, causal, supervised},
    spec::{EarlyStopping, Full, Length, Validation, Warmup},
    worker::{
        infilling::Infilling,
        inputs::Files,
        learner::tests as learners,
        passes::Passes,
        replayed::Replayed,
        rows::{Example, Rows},
        snapshot::{Snapshot, TrainerState},
        stage::StageData,
        stop::Ended,
    },
};

mod bars;
mod elastic;
mod encoders;
mod lineage;
mod mixes;
mod proof;
mod rest;
mod stages;

fn full() -> Trainee {
    learners::full().into()
}

fn half() -> Trainee {
    learners::half().into()
}

fn lora(lora_dropout: f64) -> Trainee {
    learners::lora(lora_dropout).into()
}

fn dora(lora_dropout: f64) -> Trainee {
    learners::dora(lora_dropout).into()
}

fn partial(modules: &[&str]) -> Trainee {
    learners::partial(modules).into()
}

fn prefix() -> Trainee {
    learners::prefix().into()
}

fn bottlenecks() -> Trainee {
    learners::bottlenecks().into()
}

/// Keeps what training says, and cuts it after some steps.
#[derive(Clone, Default)]
struct Script {
    events: Rc<RefCell<Vec<Event>>>,
    saved: Rc<RefCell<Vec<Snapshot>>>,
    checks_left: Rc<Cell<Option<usize>>>,
    /// The cut is a pause.
    rests: bool,
}

impl Outside for Script {
    fn event(&self, event: Event) -> Result<(), Fault> {
        self.events.borrow_mut().push(event);
        Ok(())
    }

    fn save(&self, snapshot: impl FnOnce() -> Result<Snapshot, Fault>) -> Result<(), Fault> {
        self.saved.borrow_mut().push(snapshot()?);
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        match self.checks_left.get() {
            Some(0) if self.rests => Err(Fault::Stop(Ended::Paused)),
            Some(0) => Err(Fault::Stop(Ended::Cancelled)),
            left => {
                self.checks_left.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }
}

impl Script {
    fn cut_after(checks: usize) -> Self {
        let script = Self::default();
        script.checks_left.set(Some(checks));
        script
    }

    fn losses(&self) -> Vec<f64> {
        let loss = |event: &Event| match event {
            Event::Progress(progress) => Some(progress.loss),
            _ => None,
        };
        self.events.borrow().iter().filter_map(loss).collect()
    }

    /// Step and whether it was the best, of each validation.
    fn validations(&self) -> Vec<(i64, bool)> {
        let validation = |event: &Event| match event {
            Event::Evaluated(evaluated) => Some((evaluated.step, evaluated.best)),
            _ => None,
        };
        self.events.borrow().iter().filter_map(validation).collect()
    }
}

fn rows(count: usize) -> Rows {
    let block = |row: usize| (0..12).map(|i| ((i * (row % 3 + 2) + row) % 64) as u32).collect();
    Rows::Causal((0..count).map(block).collect())
}

fn short() -> Arguments {
    Arguments {
        length: Length::Steps(12),
        batch_size: 2,
        accumulation: 2,
        learning_rate: 1e-2,
        weight_decay: 0.1,
        logging_steps: 3,
        ..arguments()
    }
}

/// A stage that sees all rows once in a pass.
fn stage(train: Rows, validation: Rows) -> StageData {
    let passes = Passes::over(train.len());
    StageData { train: Arc::new(train), passes, validation: Arc::new(validation), trained: None }
}

fn prepared(learner: Trainee, arguments: Arguments, validation: usize) -> Prepared {
    let proto = if learner.parameters().0 == learner.parameters().1 { causal() } else { supervised() };
    let mut spec = Spec::try_from(&proto).unwrap();
    spec.arguments = arguments;
    spec.validation = if validation > 0 { Validation::Split(0.5) } else { Validation::None };
    Prepared {
        spec: Arc::new(spec),
        spec_digest: "sha256:test".into(),
        learner,
        elastic: None,
        stages: vec![stage(rows(10), rows(validation))],
        replayed: None,
        earlier: None,
        resume: None,
        before: None,
        in_f32: false,
    }
}

fn run(prepared: Prepared, script: &Script) -> Result<Finished, Fault> {
    Training::new(prepared, script.clone()).and_then(Training::run)
}

fn bits(learner: &Trainee) -> Vec<u32> {
    let numbers =
        |(_, tensor): &(String, candle_core::Tensor)| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    learner.weights().unwrap().iter().flat_map(numbers).map(f32::to_bits).collect()
}

/// The newest state, through the files it is stored in.
fn read_back(script: &Script) -> Saved {
    let dir = TempDir::new().unwrap();
    let files = written(script.saved.borrow().last().unwrap(), dir.path());
    Saved::read("sha256:state", &files, "sha256:test").unwrap()
}

/// The files of a state, as the store has them.
fn written(snapshot: &Snapshot, dir: &Path) -> Files {
    let files = snapshot.files().unwrap().into_iter().map(|(name, source)| {
        let path = dir.join(&name);
        let bytes = match source {
            Source::Made(file) => {
                let mut bytes = vec![0; file.size() as usize];
                file.read(0, &mut bytes).unwrap();
                bytes.into()
            }
            Source::Bytes(bytes) => bytes,
            Source::Path(_) => panic!("{name} is on disk"),
        };
        std::fs::write(&path, bytes).unwrap();
        (name, path)
    });
    files.collect()
}

fn assert_resumes(learner: fn() -> Trainee, arguments: &Arguments, validation: usize, cut: usize) {
    let whole = Script::default();
    let undisturbed = run(prepared(learner(), arguments.clone(), validation), &whole).unwrap();
    let before = Script::cut_after(cut);
    let end = run(prepared(learner(), arguments.clone(), validation), &before);
    assert!(matches!(end, Err(Fault::Stop(Ended::Cancelled))));
    let saved = read_back(&before);
    assert!(saved.state.step > 0 && saved.state.step < 12, "{:?}", saved.state);
    let after = Script::default();
    let mut again = prepared(learner(), arguments.clone(), validation);
    again.resume = Some(saved);
    let resumed = run(again, &after).unwrap();
    assert_eq!(bits(&resumed.learner), bits(&undisturbed.learner));
    assert_eq!(resumed.step, undisturbed.step);
    let last = |script: &Script| -> (TrainerState, Vec<u32>) {
        let saved = script.saved.borrow();
        let snapshot = saved.last().unwrap();
        let numbers = |(_, tensor): &(String, candle_core::Tensor)| {
            tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        (snapshot.state.clone(), snapshot.moments.iter().flat_map(numbers).map(f32::to_bits).collect())
    };
    assert_eq!(last(&after), last(&whole), "moments and cursor");
}

#[test]
fn a_run_that_was_cut_comes_to_the_same_bits() {
    let arguments = Arguments { save_steps: Some(3), ..short() };
    assert_resumes(full, &arguments, 0, 7);
    assert_resumes(|| lora(0.2), &arguments, 0, 5);
    assert_resumes(|| dora(0.2), &arguments, 0, 5);
    assert_resumes(|| partial(&["layers.1", "model.norm"]), &arguments, 0, 7);
    assert_resumes(prefix, &arguments, 0, 5);
    assert_resumes(bottlenecks, &arguments, 0, 5);
    let noisy = Arguments { neftune_noise_alpha: 5.0, label_smoothing: 0.1, ..arguments };
    assert_resumes(full, &noisy, 0, 7);
}

/// A run in f16 whose loss is scaled far too much in the beginning.
fn overflowing(cut: Option<usize>, resume: Option<Saved>) -> (Result<Finished, Fault>, Script) {
    let script = Script { checks_left: Rc::new(Cell::new(cut)), ..Script::default() };
    let arguments = Arguments {
        weight_dtype: WeightDtype::F16,
        save_steps: Some(1),
        logging_steps: 1,
        warmup: Warmup::Steps(4),
        ..short()
    };
    let mut prepared = prepared(half(), arguments, 0);
    let begins = || {
        let scaler = Some(LossScaler::beginning_at(f64::from(1 << 25)));
        Saved {
            digest: String::new(),
            weights: prepared.learner.weights().unwrap(),
            moments: Vec::new(),
            best: None,
            state: TrainerState { scaler, ..TrainerState::default() },
        }
    };
    prepared.resume = Some(resume.unwrap_or_else(begins));
    (run(prepared, &script), script)
}

#[test]
fn steps_that_overflow_f16_change_nothing_but_the_scale_and_leave_schedule_and_optimizer_where_they_were() {
    let (finished, script) = overflowing(None, None);
    let finished = finished.unwrap();
    let told: Vec<_> = script
        .events
        .borrow()
        .iter()
        .filter_map(|event| match event {
            Event::Progress(progress) => Some(*progress),
            _ => None,
        })
        .collect();
    let skipped = told.iter().take_while(|progress| progress.grad_norm == 0.0).count();
    assert!((2..10).contains(&skipped), "{skipped} steps were skipped");
    let saved = script.saved.borrow();
    let start = bits(&half());
    let numbers = |snapshot: &Snapshot| -> Vec<u32> {
        let of = |(_, tensor): &(String, candle_core::Tensor)| {
            tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        snapshot.weights.iter().flat_map(of).map(f32::to_bits).collect()
    };
    for (step, progress) in told.iter().enumerate().take(skipped) {
        assert_eq!(numbers(&saved[step]), start);
        assert_eq!(progress.skipped_steps, step as i64 + 1);
        assert_eq!(progress.loss_scale, f64::from(1 << 25) * 0.5_f64.powi(step as i32 + 1));
        assert_eq!((progress.learning_rate, progress.loss, progress.grad_norm), (0.0, 0.0, 0.0));
    }
    // Warm-up begins with the first step that is made, whose rate is 0; the second one's is a quarter.
    let first = &told[skipped];
    assert_eq!((first.learning_rate, first.skipped_steps), (0.0, skipped as i64));
    assert_eq!(told[skipped + 1].learning_rate, 1e-2 / 4.0);
    assert!(first.loss > 0.0 && first.grad_norm > 0.0);
    assert_eq!((finished.step, told.len()), (12, 12));
    assert_ne!(bits(&finished.learner), start);

    for cut in [skipped - 1, skipped + 3] {
        let (_, before) = overflowing(Some(cut), None);
        let (resumed, after) = overflowing(None, Some(read_back(&before)));
        assert_eq!(bits(&resumed.unwrap().learner), bits(&finished.learner), "cut after {cut} steps");
        assert_eq!(after.saved.borrow().last().unwrap().state, saved.last().unwrap().state);
    }
}

#[test]
fn layers_that_join_one_after_the_other_come_to_the_same_bits_after_a_cut() {
    let run_from = |cut: Option<usize>, resume: Option<Saved>| {
        let script = Script { checks_left: Rc::new(Cell::new(cut)), ..Script::default() };
        let arguments = Arguments { save_steps: Some(3), ..short() };
        let mut prepared = prepared(full(), arguments, 0);
        let gradual = Full { unfreeze_every_steps: Some(4), ..Full::default() };
        Arc::make_mut(&mut prepared.spec).method = Method::Full(gradual);
        prepared.resume = resume;
        (run(prepared, &script), script)
    };
    let (whole, script) = run_from(None, None);
    let whole = bits(&whole.unwrap().learner);
    let changed = |snapshot: &Snapshot| -> Vec<String> {
        let start = full().weights().unwrap();
        let numbers = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let moved = start.iter().zip(&snapshot.weights).filter(|((_, a), (_, b))| numbers(a) != numbers(b));
        moved.map(|((name, _), _)| name.clone()).collect()
    };
    let saved = script.saved.borrow();
    let at = |index: usize| changed(&saved[index]);
    assert!(
        at(0).iter().all(|name| name.contains("layers.1.") || name == "model.norm.weight"),
        "{:?}",
        at(0)
    );
    assert!(at(1).iter().any(|name| name.contains("layers.0.")) && at(1).len() < 20, "{:?}", at(1));
    assert_eq!(at(3).len(), 20);
    // Cut before and after the second layer joins.
    for cut in [4, 7, 10] {
        let (_, before) = run_from(Some(cut), None);
        let (resumed, _) = run_from(None, Some(read_back(&before)));
        assert_eq!(bits(&resumed.unwrap().learner), whole, "cut after {cut} checks");
    }
}

/// Texts that are denoised by a mixture, as rows of a job.
fn denoised(count: usize) -> Rows {
    let spans = Corruption::Spans { rate: 0.3, mean_length: 2.0 };
    let denoisers = [(spans, None), (Corruption::Continuation, Some(60))]
        .map(|(corruption, prefix)| Denoiser { corruption, prefix, weight: 1.0 });
    let denoising = Denoising::new(denoisers.to_vec(), vec![61, 62], 63).unwrap();
    let document = |row: usize| (0..12).map(|i| ((i * (row % 3 + 2) + row) % 60) as u32).collect::<Vec<_>>();
    let (infilling, dropped) = Infilling::new((0..count).map(document), denoising, (24, 5)).unwrap();
    assert_eq!((infilling.texts.len(), dropped), (count, 0));
    Rows::Infilling(infilling)
}

#[test]
fn infilling_draws_other_spans_in_each_pass_and_is_resumed_bit_for_bit() {
    let texts = denoised(3);
    let seen = |epoch| texts.augmented(0, epoch, None).input_ids;
    assert_eq!(seen(4), seen(4));
    assert!((1..20).any(|epoch| seen(epoch) != seen(0)));
    assert_eq!(texts.example(1), texts.select(&[0, 1]).example(1));
    let arguments = Arguments { save_steps: Some(3), length: Length::Steps(12), ..short() };
    let run_from = |cut: Option<usize>, resume: Option<Saved>| {
        let script = Script { checks_left: Rc::new(Cell::new(cut)), ..Script::default() };
        let mut prepared = prepared(full(), arguments.clone(), 0);
        (prepared.stages, prepared.resume) = (vec![stage(denoised(10), rows(0))], resume);
        (run(prepared, &script), script)
    };
    let (whole, script) = run_from(None, None);
    let losses = script.losses();
    assert!(losses[3] < 0.9 * losses[0], "{losses:?}");
    let (_, before) = run_from(Some(7), None);
    let (resumed, _) = run_from(None, Some(read_back(&before)));
    assert_eq!(bits(&resumed.unwrap().learner), bits(&whole.unwrap().learner));
}

#[test]
fn small_batches_accumulated_train_as_one_large_batch_does() {
    let train = |batch_size, accumulation| {
        let arguments = Arguments { batch_size, accumulation, label_smoothing: 0.1, ..short() };
        let mut prepared = prepared(full(), arguments, 0);
        // Rows of different lengths, so that a mean of means is another one than the mean over tokens.
        let Rows::Causal(mut blocks) = rows(10) else { panic!("of another kind") };
        blocks.iter_mut().enumerate().for_each(|(row, block)| block.truncate(3 + row));
        prepared.stages = vec![stage(Rows::Causal(blocks), rows(0))];
        Arc::make_mut(&mut prepared.spec).arguments.optim = Optim::Sgd(SgdOptions::default());
        let finished = run(prepared, &Script::default()).unwrap();
        bits(&finished.learner).into_iter().map(f32::from_bits).collect::<Vec<_>>()
    };
    let whole = train(4, 1);
    assert_ne!(whole, bits(&full()).into_iter().map(f32::from_bits).collect::<Vec<_>>());
    for (batch_size, accumulation) in [(2, 2), (1, 4)] {
        let parts = train(batch_size, accumulation);
        let furthest = whole.iter().zip(&parts).fold(0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(furthest < 1e-6, "{accumulation} x {batch_size}: {furthest}");
    }
}

#[test]
fn every_optimizer_comes_to_the_same_bits_after_a_cut_and_lowers_the_loss() {
    let momentum = SgdOptions { momentum: 0.9, nesterov: true };
    let optimizers = [
        (Optim::Adafactor, 1e-2),
        (Optim::Sgd(SgdOptions::default()), 0.3),
        (Optim::Sgd(momentum), 0.1),
        (Optim::Lion(LionOptions::default()), 2e-3),
    ];
    for (optim, learning_rate) in optimizers {
        let arguments = Arguments {
            optim,
            learning_rate,
            layerwise_lr_decay: 0.9,
            loraplus_lr_ratio: 4.0,
            save_steps: Some(3),
            ..short()
        };
        assert_resumes(full, &arguments, 0, 7);
        assert_resumes(|| lora(0.2), &arguments, 0, 5);
        let script = Script::default();
        run(prepared(full(), arguments, 0), &script).unwrap();
        let losses = script.losses();
        assert!(losses[3] < 0.95 * losses[0], "{optim:?}: {losses:?}");
    }
}

#[test]
fn a_run_with_early_stopping_remembers_its_best_state_over_a_cut() {
    let early_stopping = Some(EarlyStopping { patience: 3, threshold: 0.0 });
    let arguments = Arguments { save_steps: Some(4), eval_steps: Some(2), early_stopping, ..short() };
    assert_resumes(|| lora(0.0), &arguments, 4, 22);
}

#[test]
fn the_loss_falls_and_is_told_every_few_steps() {
    let script = Script::default();
    let finished = run(prepared(full(), short(), 0), &script).unwrap();
    let losses = script.losses();
    assert_eq!((losses.len(), finished.step), (4, 12));
    assert!(losses[3] < 0.8 * losses[0], "{losses:?}");
    assert!(script.validations().is_empty() && script.saved.borrow().is_empty());
}

#[test]
fn validation_is_made_before_at_intervals_and_at_the_end() {
    let script = Script::default();
    run(prepared(full(), Arguments { eval_steps: Some(5), ..short() }, 3), &script).unwrap();
    let steps: Vec<i64> = script.validations().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [0, 5, 10, 12]);
    let script = Script::default();
    run(prepared(full(), short(), 3), &script).unwrap();
    let steps: Vec<i64> = script.validations().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [0, 12]);
}

#[test]
fn early_stopping_ends_training_and_the_best_state_is_the_result() {
    let script = Script::default();
    let early_stopping = Some(EarlyStopping { patience: 2, threshold: 0.0 });
    // A rate at which training makes everything worse.
    let arguments = Arguments {
        learning_rate: 3.0,
        eval_steps: Some(1),
        early_stopping,
        length: Length::Steps(50),
        ..short()
    };
    let finished = run(prepared(lora(0.0), arguments, 3), &script).unwrap();
    let validations = script.validations();
    let best = validations.iter().rev().find(|(_, best)| *best).unwrap().0;
    assert!(validations.len() < 51, "{validations:?}");
    assert_eq!(finished.step as i64, best);
    if best == 0 {
        assert_eq!(bits(&finished.learner), bits(&lora(0.0)));
    }
}

#[test]
fn what_is_not_a_number_ends_the_job_and_is_named() {
    // In f16 too: a loss that is none is not so because of its scale.
    for (learner, weight_dtype) in [(full(), short().weight_dtype), (half(), WeightDtype::F16)] {
        let (name, variable) = &learner.variables()[3];
        let (name, nan) =
            (name.clone(), (variable.as_detached_tensor().ones_like().unwrap() * f64::NAN).unwrap());
        variable.set(&nan).unwrap();
        let arguments = Arguments { weight_dtype, ..short() };
        let Err(Fault::NotFinite(message)) = run(prepared(learner, arguments, 0), &Script::default()) else {
            panic!("trained with what is not a number");
        };
        assert!(message.contains("step 1") && message.contains(&name), "{message}");
    }
}

#[test]
fn equal_states_are_equal_bytes() {
    let write = || {
        let script = Script::default();
        run(prepared(lora(0.1), Arguments { save_steps: Some(12), ..short() }, 0), &script).unwrap();
        let dir = TempDir::new().unwrap();
        let files = written(&script.saved.borrow()[0], dir.path());
        files.into_iter().map(|(name, path)| (name, std::fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(write(), write());
}
