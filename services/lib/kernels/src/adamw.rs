//! AdamW (Loshchilov and Hutter, 2019) with torch's arithmetic.

use candle_core::Shape;

use crate::{
    optimizer::{At, Optimizer, Read, Rule, StepRates, in_tasks},
    simd::dispatch,
};

/// AdamW, with weight decay that is decoupled from the gradient.
pub type AdamW = Optimizer<AdamWOptions>;

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

impl Rule for AdamWOptions {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn keeps(&self, shape: &Shape) -> Vec<(&'static str, Shape)> {
        vec![("exp_avg", shape.clone()), ("exp_avg_sq", shape.clone())]
    }

    fn update(&self, parameter: &mut [f32], gradient: &Read<'_>, kept: &mut [Vec<f32>], at: At<'_>) {
        let constants = Constants::new(*self, at.rates, at.step);
        in_tasks(parameter, gradient, kept, |p, g, [m, v]| update(p, g, m, v, constants));
    }
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::{flat, normal, variable};

    const RATES: StepRates = StepRates { lr: 0.1, weight_decay: 0.01 };

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
        let parameters = vec![("a".to_owned(), variable(1, (3, 5)))];
        let start = flat(&parameters[0].1);
        let gradients: Vec<_> = (10..20).map(|seed| normal(seed, (3, 5))).collect();
        let mut optimizer = AdamW::new(AdamWOptions::default());
        for gradient in &gradients {
            let gradients = BTreeMap::from([("a".to_owned(), gradient.clone().into())]);
            optimizer.step(&parameters, &gradients, |_| RATES).unwrap();
        }
        for (i, found) in flat(&parameters[0].1).into_iter().enumerate() {
            let history: Vec<f64> = gradients.iter().map(|gradient| f64::from(flat(gradient)[i])).collect();
            let expected = reference(f64::from(start[i]), &history, RATES);
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }
}
