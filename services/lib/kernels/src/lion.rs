//! Lion (Chen et al., 2023): every number moves by the same step, in the direction of a mean of gradients; one moment is kept.

use candle_core::Shape;

use crate::{
    optimizer::{At, Read, Rule, in_tasks},
    simd::dispatch,
};

/// The constants of Lion, defaulted as in the paper. Weight decay is decoupled from the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LionOptions {
    /// Weight of the moment in the mean that gives the direction.
    pub beta1: f64,
    /// Decay of the moment.
    pub beta2: f64,
}

impl Default for LionOptions {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99 }
    }
}

impl Rule for LionOptions {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn keeps(&self, shape: &Shape) -> Vec<(&'static str, Shape)> {
        vec![("exp_avg", shape.clone())]
    }

    fn update(&self, parameter: &mut [f32], gradient: &Read<'_>, kept: &mut [Vec<f32>], at: At<'_>) {
        let keep = (1.0 - at.rates.lr * at.rates.weight_decay) as f32;
        let (lr, betas) = (at.rates.lr as f32, [self.beta1 as f32, self.beta2 as f32]);
        in_tasks(parameter, gradient, kept, |p, g, [m]| update(p, g, m, keep, lr, betas));
    }
}

dispatch! {
    fn update(p: &mut [f32], g: &[f32], m: &mut [f32], keep: f32, lr: f32, betas: [f32; 2]) {
        for ((p, g), m) in p.iter_mut().zip(g).zip(m) {
            let direction = *m * betas[0] + *g * (1.0 - betas[0]);
            // `signum` gives zero a sign.
            let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
            *p = *p * keep - lr * sign;
            *m = *m * betas[1] + *g * (1.0 - betas[1]);
        }
    }
}
