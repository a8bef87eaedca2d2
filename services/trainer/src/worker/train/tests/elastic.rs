//! Weights that are held and earlier data that is seen again: what is measured, and that such runs resume to the same bits.

use std::collections::BTreeMap;

use super::*;
use crate::spec::Fisher;

/// What a learner's weights matter for all rows, or for some of them.
fn measured(max_rows: Option<usize>, script: &Script) -> BTreeMap<String, candle_core::Tensor> {
    let dir = TempDir::new().unwrap();
    let how = Fisher { max_rows };
    let arguments = Arguments { logging_steps: 3, batch_size: 1, accumulation: 1, ..short() };
    let finished = measure(prepared(full(), arguments, 0), how, script);
    let files = crate::worker::fisher::save(&finished.unwrap().fisher.unwrap(), dir.path()).unwrap();
    candle_core::safetensors::load(dir.path().join(files[0]), &candle_core::Device::Cpu)
        .unwrap()
        .into_iter()
        .collect()
}

fn flat(tensor: &candle_core::Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn what_is_measured_is_the_mean_square_of_each_rows_summed_gradient() {
    let script = Script::default();
    let fisher = measured(None, &script);
    assert_eq!(script.losses().len(), 4, "ten rows, told of after each third and the last");
    let learner = full();
    let name = "model.layers.0.mlp.up_proj.weight";
    let all = rows(10);
    let squares = (0..10).map(|row| {
        let made =
            learner.step(learner.variables(), &[vec![all.example(row)]], Regularization::default(), 1.0);
        let made = made.unwrap();
        let gradient = made.gradients.0[name].dense().unwrap();
        flat(&(gradient * made.loss.tokens as f64).unwrap().sqr().unwrap())
    });
    let sum = squares.reduce(|a, b| a.iter().zip(&b).map(|(a, b)| a + b).collect()).unwrap();
    for (found, expected) in flat(&fisher[name]).into_iter().zip(sum) {
        assert!((found - expected / 10.0).abs() <= 1e-4 * found.abs().max(1e-6), "{found} {expected}");
    }
    assert_eq!(fisher.len(), learner.variables().len());
    let some = measured(Some(4), &Script::default());
    assert_eq!(flat(&some[name]), flat(&measured(Some(4), &Script::default())[name]));
    assert_ne!(flat(&some[name]), flat(&fisher[name]));
}

/// A learner, and what holds it as it is.
fn held(strength: f64) -> impl Fn() -> Prepared {
    let fisher = measured(None, &Script::default());
    move || {
        let mut prepared = prepared(full(), Arguments { save_steps: Some(3), ..short() }, 0);
        let penalty = ElasticPenalty::new(strength, fisher.clone(), prepared.learner.variables());
        prepared.elastic = Some(penalty.unwrap());
        prepared
    }
}

#[test]
fn held_weights_stay_nearer_where_they_matter_the_more_strongly_they_are_held() {
    let fisher = measured(None, &Script::default());
    let away = |strength: f64| -> f64 {
        let finished = run(held(strength)(), &Script::default()).unwrap();
        let (now, before) = (finished.learner.weights().unwrap(), full().weights().unwrap());
        let parts = now.iter().zip(&before).map(|((name, now), (_, before))| {
            let numbers = flat(now).into_iter().zip(flat(before)).zip(flat(&fisher[name]));
            numbers.map(|((now, before), f)| f64::from(f) * f64::from(now - before).powi(2)).sum::<f64>()
        });
        parts.sum()
    };
    let [free, light, tight] = [1e-12, 0.1, 10.0].map(away);
    assert!(tight < 0.5 * light && light < free, "{free} {light} {tight}");
}

#[test]
fn a_held_run_that_was_cut_comes_to_the_same_bits() {
    let held = held(2.0);
    let whole = run(held(), &Script::default()).unwrap();
    let before = Script::cut_after(7);
    assert!(run(held(), &before).is_err());
    let resumed = run(Prepared { resume: Some(read_back(&before)), ..held() }, &Script::default()).unwrap();
    assert_eq!(bits(&resumed.learner), bits(&whole.learner));
    let free = run(prepared(full(), short(), 0), &Script::default()).unwrap();
    assert_ne!(bits(&free.learner), bits(&whole.learner));
}

#[test]
fn a_run_that_sees_earlier_data_again_comes_to_the_same_bits_after_a_cut() {
    let replaying = || {
        let mut prepared = prepared(full(), Arguments { save_steps: Some(3), ..short() }, 0);
        let rows = Rows::Causal((0..7).map(|row| vec![row, 60, row, 61]).collect());
        prepared.replayed = Some(Replayed { rows: Arc::new(rows), ratio: 0.5, seed: 5 });
        prepared
    };
    let whole = run(replaying(), &Script::default()).unwrap();
    let before = Script::cut_after(7);
    assert!(run(replaying(), &before).is_err());
    let saved = read_back(&before);
    let resumed = run(Prepared { resume: Some(saved), ..replaying() }, &Script::default()).unwrap();
    assert_eq!(bits(&resumed.learner), bits(&whole.learner));
    let alone = run(prepared(full(), short(), 0), &Script::default()).unwrap();
    assert_ne!(bits(&alone.learner), bits(&whole.learner));
}
