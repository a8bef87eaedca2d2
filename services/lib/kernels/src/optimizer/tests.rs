//! Every optimizer leads where torch's leads, goes on from its state bit for bit, and doesn't depend on the number of threads.

use std::path::Path;

use super::*;
use crate::{
    AdafactorOptions, AdamW, AdamWOptions, LionOptions, SgdOptions,
    testing::{assert_close, flat, normal, variable},
    with_threads,
};

const RATES: StepRates = StepRates { lr: 0.01, weight_decay: 0.1 };
const MOMENTUM: SgdOptions = SgdOptions { momentum: 0.9, nesterov: false };

type Any = Optimizer<Box<dyn Rule>>;

/// The optimizers of `tests/golden/make_optimizers.py`, by name.
fn rules() -> Vec<(&'static str, Box<dyn Rule>)> {
    vec![
        ("adamw", Box::new(AdamWOptions { beta2: 0.95, ..AdamWOptions::default() })),
        ("sgd", Box::new(SgdOptions::default())),
        ("momentum", Box::new(MOMENTUM)),
        ("nesterov", Box::new(SgdOptions { nesterov: true, ..MOMENTUM })),
        ("lion", Box::new(LionOptions::default())),
        ("adafactor", Box::new(AdafactorOptions::default())),
    ]
}

fn gradients(step: u64) -> BTreeMap<String, Gradient> {
    let (a, b) = (normal(10 + step, (3, 5)), normal(20 + step, 7));
    BTreeMap::from([("a".to_owned(), a.into()), ("b".to_owned(), b.into())])
}

fn parameters() -> Vec<(String, Var)> {
    vec![("a".to_owned(), variable(1, (3, 5))), ("b".to_owned(), variable(2, 7))]
}

fn numbers(parameters: &[(String, Var)]) -> Vec<Vec<f32>> {
    parameters.iter().map(|(_, parameter)| flat(parameter)).collect()
}

#[test]
fn ten_steps_of_every_optimizer_lead_where_torch_leads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden/optimizers.safetensors");
    let golden = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let of = |prefix: &str| {
        ["matrix", "vector"].map(|name| (name.to_owned(), golden[&format!("{prefix}.{name}")].clone()))
    };
    for (name, rule) in rules() {
        let parameters =
            of("start").map(|(name, tensor)| (name, Var::from_tensor(&tensor.copy().unwrap()).unwrap()));
        let mut optimizer = Any::new(rule);
        for step in 0..10 {
            let gradients =
                of(&format!("gradient.{step}")).map(|(name, gradient)| (name, gradient.into())).into();
            optimizer.step(&parameters, &gradients, |_| RATES).unwrap();
        }
        for ((_, found), (_, expected)) in parameters.iter().zip(of(name)) {
            assert_close(found, &expected, 1e-6);
        }
    }
}

#[test]
fn every_restored_optimizer_goes_on_bit_for_bit() {
    for ((_, rule), ((_, before), (_, after))) in rules().into_iter().zip(rules().into_iter().zip(rules())) {
        let (whole, split) = (parameters(), parameters());
        let (mut undisturbed, mut before, mut after) = (Any::new(rule), Any::new(before), Any::new(after));
        for step in 0..3 {
            undisturbed.step(&whole, &gradients(step), |_| RATES).unwrap();
            before.step(&split, &gradients(step), |_| RATES).unwrap();
        }
        after.restore(before.steps(), &split, &before.state().unwrap()).unwrap();
        for step in 3..6 {
            undisturbed.step(&whole, &gradients(step), |_| RATES).unwrap();
            after.step(&split, &gradients(step), |_| RATES).unwrap();
        }
        assert_eq!(numbers(&whole), numbers(&split));
        assert_eq!(after.steps(), 6);
    }
}

#[test]
fn no_optimizer_depends_on_the_number_of_threads() {
    let shapes = [("a", Shape::from((70, 900))), ("b", Shape::from(40_000))];
    let run = |rule: Box<dyn Rule>| {
        let parameters = shapes.clone().map(|(name, shape)| (name.to_owned(), variable(1, shape)));
        let mut optimizer = Any::new(rule);
        for step in 0..3 {
            let gradient = |(name, shape): (&str, Shape)| (name.to_owned(), normal(10 + step, shape).into());
            optimizer.step(&parameters, &shapes.clone().map(gradient).into(), |_| RATES).unwrap();
        }
        numbers(&parameters)
    };
    for ((_, alone), (name, together)) in rules().into_iter().zip(rules()) {
        assert!(with_threads(1, || run(alone)) == run(together), "{name}");
    }
}

#[test]
fn parameters_without_a_gradient_stay_and_groups_have_their_own_rates() {
    let parameters = parameters();
    let before = numbers(&parameters);
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let mut only_a = gradients(0);
    only_a.remove("b");
    optimizer.step(&parameters, &only_a, |_| RATES).unwrap();
    assert_eq!(flat(&parameters[1].1), before[1]);
    let rates = |name: &str| StepRates { lr: if name == "b" { 0.0 } else { 0.1 }, ..RATES };
    optimizer.step(&parameters, &gradients(1), rates).unwrap();
    assert_eq!(flat(&parameters[1].1), before[1]);
    assert_ne!(flat(&parameters[0].1), before[0]);
}

#[test]
fn a_detached_view_of_the_parameter_sees_the_update() {
    let parameters = parameters();
    let view = parameters[0].1.as_detached_tensor();
    AdamW::new(AdamWOptions::default()).step(&parameters, &gradients(0), |_| RATES).unwrap();
    assert_close(&view, &parameters[0].1, 0.0);
}

#[test]
fn a_state_that_does_not_fit_is_refused_by_name() {
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let moment = Tensor::zeros((3, 5), candle_core::DType::F32, &Device::Cpu).unwrap();
    let mut refuse = |name: &str, moment: &Tensor| {
        let state = [(name.to_owned(), moment.clone())];
        optimizer.restore(1, &parameters(), &state).unwrap_err().to_string()
    };
    assert!(refuse("a.weight", &moment).contains("a.weight"));
    assert!(refuse("a.exp_avg", &moment).contains("1 of 2 tensors of a"));
    assert!(refuse("b.exp_avg", &moment).contains("b.exp_avg is [3, 5]"));
    let mut wrong = gradients(0);
    wrong.insert("a".to_owned(), normal(1, 3).into());
    let error = optimizer.step(&parameters(), &wrong, |_| RATES).unwrap_err().to_string();
    assert!(error.contains("adamw: a is"), "{error}");
}

#[test]
fn adafactor_keeps_of_a_matrix_only_rows_and_columns() {
    let mut optimizer = Optimizer::new(AdafactorOptions::default());
    optimizer.step(&parameters(), &gradients(0), |_| RATES).unwrap();
    let state = optimizer.state().unwrap();
    let shapes: Vec<_> = state.iter().map(|(name, tensor)| (name.as_str(), tensor.dims())).collect();
    let expected: [(&str, &[usize]); 3] =
        [("a.exp_avg_sq_row", &[3]), ("a.exp_avg_sq_col", &[5]), ("b.exp_avg_sq", &[7])];
    assert_eq!(shapes, expected);
}

#[test]
fn a_parameter_that_joins_later_is_trained_as_if_it_had_just_begun() {
    const BEGUN: u64 = 3;
    for (name, rule) in rules() {
        let (late, alone) = (parameters(), parameters());
        let mut optimizer: Any = Optimizer::new(rule);
        for step in 0..BEGUN + 4 {
            let joined = if step < BEGUN { &late[..1] } else { &late };
            let mut gradients = gradients(step);
            gradients.retain(|name, _| joined.iter().any(|(joined, _)| joined == name));
            let begun = |name: &str| if name == "b" { BEGUN } else { 0 };
            optimizer.step_begun(&late, &gradients, |_| RATES, begun).unwrap();
        }
        let rule = rules().into_iter().find(|(other, _)| *other == name).unwrap().1;
        let mut optimizer: Any = Optimizer::new(rule);
        for step in BEGUN..BEGUN + 4 {
            optimizer.step(&alone[1..], &gradients(step), |_| RATES).unwrap();
        }
        assert_eq!(numbers(&late[1..]), numbers(&alone[1..]), "{name}");
    }
}
