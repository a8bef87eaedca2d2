//! AdamW (Loshchilov and Hutter, 2019) with torch's arithmetic, its state readable and restorable by parameter name.

use std::{cell::RefCell, collections::BTreeMap};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Shape, Tensor, Var, bail};

use crate::{
    Gradient,
    cpu::{floats, slice_mut, tensor},
    gradient::Numbers,
    simd::dispatch,
    team,
};

/// Numbers updated by one task.
const TASK: usize = 16 * 1024;
const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";

/// The constants of AdamW, named and defaulted as in torch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWOptions {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

/// What may differ between parameters at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRates {
    /// Learning rate.
    pub lr: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

/// The optimizer: f32 moments by parameter name, and one count of steps for all.
#[derive(Debug)]
pub struct AdamW {
    options: AdamWOptions,
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

#[derive(Debug)]
struct Moments {
    shape: Shape,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl AdamW {
    /// An optimizer that has made no step.
    pub fn new(options: AdamWOptions) -> Self {
        Self { options, steps: 0, moments: BTreeMap::new() }
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Updates every parameter that has a gradient, in place; `rates` gives each name its learning rate and decay. Rows that a
    /// gradient lacks are updated too, as with zeros: their moments fade, and move them on until they have.
    ///
    /// # Errors
    /// When a gradient has another shape than its parameter, or a parameter is not f32; parameters before it in the list are
    /// updated then.
    pub fn step(
        &mut self,
        parameters: &[(String, Var)],
        gradients: &BTreeMap<String, Gradient>,
        rates: impl Fn(&str) -> StepRates,
    ) -> Result<()> {
        self.steps += 1;
        for (name, parameter) in parameters {
            let Some(gradient) = gradients.get(name) else { continue };
            if gradient.shape() != *parameter.shape() {
                bail!("adamw: {name} is {:?}, its gradient {:?}", parameter.shape(), gradient.shape());
            }
            let moments =
                self.moments.entry(name.clone()).or_insert_with(|| Moments::zeros(parameter.shape()));
            let constants = Constants::new(self.options, rates(name), self.steps);
            moments.update(parameter, gradient, constants)?;
        }
        Ok(())
    }

    /// The moments, f32 and of their parameters' shapes, named `{parameter}.exp_avg` and `{parameter}.exp_avg_sq` as in torch,
    /// sorted by parameter.
    ///
    /// # Errors
    /// When memory for the copies is not to be had.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = Vec::with_capacity(2 * self.moments.len());
        for (name, moments) in &self.moments {
            state.push((format!("{name}.{FIRST}"), tensor(moments.first.clone(), &moments.shape)?));
            state.push((format!("{name}.{SECOND}"), tensor(moments.second.clone(), &moments.shape)?));
        }
        Ok(state)
    }

    /// Goes on from what [`AdamW::state`] and [`AdamW::steps`] gave.
    ///
    /// # Errors
    /// Names the tensor that is not a moment, or whose other moment is missing; nothing is changed then.
    pub fn restore(&mut self, steps: u64, state: &[(String, Tensor)]) -> Result<()> {
        let mut halves: BTreeMap<String, [Option<&Tensor>; 2]> = BTreeMap::new();
        for (key, moment) in state {
            let (name, half) = match key.rsplit_once('.') {
                Some((name, FIRST)) => (name, 0),
                Some((name, SECOND)) => (name, 1),
                _ => bail!("adamw: state tensor {key} ends neither in .{FIRST} nor in .{SECOND}"),
            };
            halves.entry(name.to_owned()).or_default()[half] = Some(moment);
        }
        let mut moments = BTreeMap::new();
        for (name, halves) in halves {
            let [Some(first), Some(second)] = halves else { bail!("adamw: {name} has one of two moments") };
            if first.shape() != second.shape() {
                bail!("adamw: the moments of {name} differ in shape");
            }
            moments.insert(name, Moments::restored(first, second)?);
        }
        (self.steps, self.moments) = (steps, moments);
        Ok(())
    }
}

impl Moments {
    fn zeros(shape: &Shape) -> Self {
        let zeros = vec![0_f32; shape.elem_count()];
        Self { shape: shape.clone(), first: zeros.clone(), second: zeros }
    }

    fn restored(first: &Tensor, second: &Tensor) -> Result<Self> {
        let numbers = |t: &Tensor| Ok::<_, candle_core::Error>(floats(&host(t)?)?.to_vec());
        Ok(Self { shape: first.shape().clone(), first: numbers(first)?, second: numbers(second)? })
    }

    fn update(&mut self, parameter: &Var, gradient: &Gradient, constants: Constants) -> Result<()> {
        if self.shape != *parameter.shape() {
            bail!("adamw: moments are {:?}, the parameter {:?}", self.shape, parameter.shape());
        }
        let gradient = gradient.host()?;
        let gradient = gradient.numbers()?;
        if parameter.device().is_cpu() {
            return parameter.inplace_op1(&Update { constants, gradient, moments: RefCell::new(self) });
        }
        // Elsewhere the moments still live in main memory; the parameter makes the round trip.
        let mut values = floats(&host(parameter)?)?.to_vec();
        update_all(&mut values, &gradient, self, constants);
        parameter.set(&tensor(values, parameter.shape())?.to_device(parameter.device())?)
    }
}

fn host(tensor: &Tensor) -> Result<Tensor> {
    tensor.detach().to_device(&candle_core::Device::Cpu)?.contiguous()
}

/// One step's constants, computed in f64 and rounded once, as torch passes Python floats to f32 kernels.
#[derive(Clone, Copy)]
struct Constants {
    keep: f32,
    first_weight: f32,
    beta2: f32,
    second_weight: f32,
    root_correction: f32,
    eps: f32,
    step_size: f32,
}

impl Constants {
    fn new(options: AdamWOptions, rates: StepRates, step: u64) -> Self {
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        Self {
            keep: (1.0 - rates.lr * rates.weight_decay) as f32,
            first_weight: (1.0 - options.beta1) as f32,
            beta2: options.beta2 as f32,
            second_weight: (1.0 - options.beta2) as f32,
            root_correction: correction(options.beta2).sqrt() as f32,
            eps: options.eps as f32,
            step_size: (rates.lr / correction(options.beta1)) as f32,
        }
    }
}

struct Update<'a> {
    constants: Constants,
    gradient: Numbers<'a>,
    moments: RefCell<&'a mut Moments>,
}

impl InplaceOp1 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let mut moments = self.moments.borrow_mut();
        update_all(slice_mut(storage, layout)?, &self.gradient, &mut moments, self.constants);
        Ok(())
    }
}

fn update_all(parameter: &mut [f32], gradient: &Numbers<'_>, moments: &mut Moments, constants: Constants) {
    let moments = moments.first.chunks_mut(TASK).zip(moments.second.chunks_mut(TASK));
    let mut parts: Vec<_> = parameter.chunks_mut(TASK).zip(moments).collect();
    team::chunks_mut(&mut parts, 1, |task, part| {
        let (p, (m, v)) = &mut part[0];
        let g = gradient.read(task * TASK..task * TASK + p.len());
        update(p, &g, m, v, constants);
    });
}

dispatch! {
    fn update(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], c: Constants) {
        for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            *p *= c.keep;
            *m += (*g - *m) * c.first_weight;
            *v = *v * c.beta2 + c.second_weight * *g * *g;
            let denominator = v.sqrt() / c.root_correction + c.eps;
            *p -= c.step_size * (*m / denominator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, flat, normal, variable};
    use candle_core::Device;

    const RATES: StepRates = StepRates { lr: 0.1, weight_decay: 0.01 };

    fn gradients(step: u64) -> BTreeMap<String, Gradient> {
        let (a, b) = (normal(10 + step, (3, 5)), normal(20 + step, 7));
        BTreeMap::from([("a".to_owned(), a.into()), ("b".to_owned(), b.into())])
    }

    fn parameters() -> Vec<(String, Var)> {
        vec![("a".to_owned(), variable(1, (3, 5))), ("b".to_owned(), variable(2, 7))]
    }

    /// The algorithm box of torch's documentation, in f64.
    fn reference(mut p: f64, gradients: &[f64], rates: StepRates) -> f64 {
        let AdamWOptions { beta1, beta2, eps } = AdamWOptions::default();
        let (mut m, mut v) = (0.0, 0.0);
        for (i, g) in gradients.iter().enumerate() {
            let t = i as i32 + 1;
            p -= rates.lr * rates.weight_decay * p;
            m = beta1 * m + (1.0 - beta1) * g;
            v = beta2 * v + (1.0 - beta2) * g * g;
            p -= rates.lr * (m / (1.0 - beta1.powi(t))) / ((v / (1.0 - beta2.powi(t))).sqrt() + eps);
        }
        p
    }

    #[test]
    fn ten_steps_follow_the_published_algorithm() {
        let parameters = parameters();
        let start = flat(&parameters[0].1);
        let mut optimizer = AdamW::new(AdamWOptions::default());
        for step in 0..10 {
            optimizer.step(&parameters, &gradients(step), |_| RATES).unwrap();
        }
        for (i, found) in flat(&parameters[0].1).into_iter().enumerate() {
            let history: Vec<f64> = (0..10).map(|s| f64::from(flat(gradients(s)["a"].values())[i])).collect();
            let expected = reference(f64::from(start[i]), &history, RATES);
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }

    #[test]
    fn a_restored_optimizer_goes_on_bit_for_bit() {
        let (whole, split) = (parameters(), parameters());
        let mut undisturbed = AdamW::new(AdamWOptions::default());
        let mut before = AdamW::new(AdamWOptions::default());
        for step in 0..3 {
            undisturbed.step(&whole, &gradients(step), |_| RATES).unwrap();
            before.step(&split, &gradients(step), |_| RATES).unwrap();
        }
        let mut after = AdamW::new(AdamWOptions::default());
        after.restore(before.steps(), &before.state().unwrap()).unwrap();
        for step in 3..6 {
            undisturbed.step(&whole, &gradients(step), |_| RATES).unwrap();
            after.step(&split, &gradients(step), |_| RATES).unwrap();
        }
        for ((_, a), (_, b)) in whole.iter().zip(&split) {
            assert_eq!(flat(a), flat(b));
        }
        assert_eq!(after.steps(), 6);
    }

    #[test]
    fn parameters_without_a_gradient_stay_and_groups_have_their_own_rates() {
        let parameters = parameters();
        let before: Vec<Vec<f32>> = parameters.iter().map(|(_, p)| flat(p)).collect();
        let mut optimizer = AdamW::new(AdamWOptions::default());
        let mut only_a = gradients(0);
        only_a.remove("b");
        optimizer.step(&parameters, &only_a, |_| RATES).unwrap();
        assert_eq!(flat(&parameters[1].1), before[1]);
        optimizer
            .step(&parameters, &gradients(1), |name| StepRates {
                lr: if name == "b" { 0.0 } else { 0.1 },
                ..RATES
            })
            .unwrap();
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
        let moment = Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu).unwrap();
        let refuse = |optimizer: &mut AdamW, name: &str| {
            optimizer.restore(1, &[(name.to_owned(), moment.clone())]).unwrap_err().to_string()
        };
        assert!(refuse(&mut optimizer, "a.weight").contains("a.weight"));
        assert!(refuse(&mut optimizer, "a.exp_avg").contains("one of two moments"));
        let mut wrong = gradients(0);
        wrong.insert("a".to_owned(), moment.clone().into());
        let error = optimizer.step(&parameters(), &wrong, |_| RATES).unwrap_err().to_string();
        assert!(error.contains("adamw: a is"), "{error}");
    }
}
