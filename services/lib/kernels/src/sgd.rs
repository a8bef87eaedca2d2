//! Stochastic gradient descent with momentum, with torch's arithmetic.

use candle_core::Shape;

use crate::{
    optimizer::{At, Read, Rule, in_tasks},
    simd::{dispatch, madd},
};

/// The constants of torch's `SGD`, which has no dampening here. Weight decay is added to the gradient, as there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SgdOptions {
    /// Share of the last update that is made again; 0 keeps nothing from step to step.
    pub momentum: f64,
    /// Looks ahead by one more update (Nesterov, 1983); changes nothing without momentum.
    pub nesterov: bool,
}

impl Rule for SgdOptions {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn keeps(&self, shape: &Shape) -> Vec<(&'static str, Shape)> {
        if self.momentum > 0.0 { vec![("momentum_buffer", shape.clone())] } else { Vec::new() }
    }

    fn update(&self, parameter: &mut [f32], gradient: &Read<'_>, kept: &mut [Vec<f32>], at: At<'_>) {
        let (lr, decay, momentum) = (at.rates.lr as f32, at.rates.weight_decay as f32, self.momentum as f32);
        if self.momentum > 0.0 {
            in_tasks(parameter, gradient, kept, |p, g, [b]| {
                with_momentum(p, g, b, lr, decay, momentum, self.nesterov);
            });
        } else {
            in_tasks(parameter, gradient, kept, |p, g, []| plain(p, g, lr, decay));
        }
    }
}

dispatch! {
    fn plain(p: &mut [f32], g: &[f32], lr: f32, decay: f32) {
        for (p, g) in p.iter_mut().zip(g) {
            *p -= lr * madd::<FMA>(decay, *p, *g);
        }
    }
}

dispatch! {
    fn with_momentum(p: &mut [f32], g: &[f32], b: &mut [f32], lr: f32, decay: f32, momentum: f32, nesterov: bool) {
        for ((p, g), b) in p.iter_mut().zip(g).zip(b) {
            let g = madd::<FMA>(decay, *p, *g);
            *b = *b * momentum + g;
            *p -= lr * if nesterov { madd::<FMA>(momentum, *b, g) } else { *b };
        }
    }
}
