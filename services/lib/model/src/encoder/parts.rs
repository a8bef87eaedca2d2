//! What the encoder is built of: linear maps with biases, and norms, each with its way back.

use candle_core::Tensor;
use rootstock_kernels::{
    Format, InputGradient, LayerNormGradients, LinearInput, OutputGradient, add_bias, bias_gradient,
    layer_norm, layer_norm_backward, linear, linear_weight_gradient,
};

use crate::{
    ModelError,
    gradients::Sink,
    load::Take,
    weight::{Matrix, Named, Vector},
};

/// `x W^T + b`.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    weight: Matrix,
    bias: Vector,
}

/// LayerNorm.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    weight: Vector,
    bias: Vector,
    eps: f64,
}

impl Affine {
    pub(super) fn take(take: &mut Take, module: &str) -> Result<Self, ModelError> {
        let weight = take.matrix(format!("{module}.weight"))?;
        Ok(Self { weight, bias: take.vector(format!("{module}.bias"))? })
    }

    /// [T, in] to [T, out].
    pub(super) fn forward(&self, x: &LinearInput) -> Result<Tensor, ModelError> {
        Ok(add_bias(&linear(x, &self.weight.numbers().packed()?)?, self.bias.numbers())?)
    }

    /// Adds to `dx` [T, in] what `dy` [T, out] makes of it, leaving the gradients of the weights in the sink.
    pub(super) fn backward(
        &self,
        x: &LinearInput,
        dy: &Tensor,
        dx: &mut InputGradient,
        sink: &mut Sink<'_>,
    ) -> Result<(), ModelError> {
        let weight = self.weight.numbers().packed()?;
        let name = sink.wants(&self.weight);
        let gradient = match (name, weight.format()) {
            (Some(_), Format::Bf16) => OutputGradient::of_trained(dy)?,
            _ => OutputGradient::from(dy),
        };
        dx.add_linear(&gradient, &weight)?;
        if let Some(name) = name {
            sink.put(name, linear_weight_gradient(&gradient, x, weight.format())?);
        }
        if let Some(name) = sink.wants(&self.bias) {
            sink.put(name, bias_gradient(dy)?);
        }
        Ok(())
    }

    /// The gradient [T, in] of an input that nobody else reads.
    pub(super) fn back(&self, x: &Tensor, dy: &Tensor, sink: &mut Sink<'_>) -> Result<Tensor, ModelError> {
        let mut dx = InputGradient::new(x);
        self.backward(&LinearInput::from(x), dy, &mut dx, sink)?;
        Ok(dx.finish()?)
    }

    pub(super) fn weights(&self) -> [&dyn Named; 2] {
        [&self.weight, &self.bias]
    }

    pub(super) fn weights_mut(&mut self) -> [&mut dyn Named; 2] {
        [&mut self.weight, &mut self.bias]
    }
}

impl Norm {
    pub(super) fn take(take: &mut Take, module: &str, eps: f64) -> Result<Self, ModelError> {
        let weight = take.vector(format!("{module}.weight"))?;
        Ok(Self { weight, bias: take.vector(format!("{module}.bias"))?, eps })
    }

    /// [T, H] to [T, H].
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(layer_norm(x, self.weight.numbers(), self.bias.numbers(), self.eps)?)
    }

    /// The gradient of the input `x` [T, H].
    pub(super) fn back(&self, x: &Tensor, dy: &Tensor, sink: &mut Sink<'_>) -> Result<Tensor, ModelError> {
        let LayerNormGradients { x, weight, bias } =
            layer_norm_backward((x, self.weight.numbers(), self.eps), dy)?;
        for (parameter, gradient) in [(&self.weight, weight), (&self.bias, bias)] {
            if let Some(name) = sink.wants(parameter) {
                sink.put(name, gradient);
            }
        }
        Ok(x)
    }

    pub(super) fn weights(&self) -> [&dyn Named; 2] {
        [&self.weight, &self.bias]
    }

    pub(super) fn weights_mut(&mut self) -> [&mut dyn Named; 2] {
        [&mut self.weight, &mut self.bias]
    }
}
