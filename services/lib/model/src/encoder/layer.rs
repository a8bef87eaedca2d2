//! One layer of BERT (Devlin et al., 2019; transformers' `BertLayer`): attention to all tokens and a feed-forward block, each added to
//! its input and then normed.

use candle_core::Tensor;
use rootstock_kernels::{
    Attended, DropoutMask, InputGradient, LinearInput, add, attention_backward, attention_forward, dropout,
    gelu, gelu_backward,
};

use super::{
    Pass,
    config::LayerNames,
    parts::{Affine, Norm},
};
use crate::{EncoderConfig, ModelError, gradients::Sink, load::Take, weight::Named};

#[derive(Clone, Debug)]
pub(super) struct EncoderLayer {
    index: usize,
    /// Queries, keys and values, [H, H] each.
    qkv: [Affine; 3],
    /// [H, H]
    output: Affine,
    attention_norm: Norm,
    /// [I, H]
    up: Affine,
    /// [H, I]
    down: Affine,
    norm: Norm,
}

/// What the backward pass needs; T tokens.
pub(super) struct Trace {
    /// [T, H]
    input: Tensor,
    /// [T, H] each.
    qkv: [Tensor; 3],
    attended: Attended,
    /// [T, H], before the norm behind the attention.
    attention_sum: Tensor,
    /// [T, H]
    middle: Tensor,
    /// [T, I]
    up: Tensor,
    /// [T, I]
    activated: Tensor,
    /// [T, H], before the last norm.
    sum: Tensor,
}

impl EncoderLayer {
    pub(super) fn take(config: &EncoderConfig, index: usize, take: &mut Take) -> Result<Self, ModelError> {
        let (names, eps) = (LayerNames::new(index), config.layer_norm_eps);
        let [q, k, v] = names.qkv.map(|name| Affine::take(take, &name));
        Ok(Self {
            index,
            qkv: [q?, k?, v?],
            output: Affine::take(take, &names.output)?,
            attention_norm: Norm::take(take, &names.attention_norm, eps)?,
            up: Affine::take(take, &names.up)?,
            down: Affine::take(take, &names.down)?,
            norm: Norm::take(take, &names.norm, eps)?,
        })
    }

    /// Takes `x` [T, H] through the layer; gives it back [T, H], with what was computed on the way.
    pub(super) fn forward(&self, x: &Tensor, pass: &Pass<'_>) -> Result<(Tensor, Trace), ModelError> {
        let input = LinearInput::from(x);
        let [q, k, v] = self.qkv.each_ref().map(|map| map.forward(&input));
        let qkv = [q?, k?, v?];
        let attended = attention_forward((&qkv[0], &qkv[1], &qkv[2]), pass.segments, pass.heads)?;
        let mixed = self.output.forward(&LinearInput::from(&attended.output))?;
        let attention_sum = add(x, &dropped(mixed, self.mask(0, pass))?)?;
        let middle = self.attention_norm.forward(&attention_sum)?;

        let up = self.up.forward(&LinearInput::from(&middle))?; // [T, I]
        let activated = gelu(&up)?;
        let down = self.down.forward(&LinearInput::from(&activated))?;
        let sum = add(&middle, &dropped(down, self.mask(1, pass))?)?;
        let output = self.norm.forward(&sum)?;
        let input = x.clone();
        Ok((output, Trace { input, qkv, attended, attention_sum, middle, up, activated, sum }))
    }

    /// Takes the gradient `dy` [T, H] of the layer's output to that of its input, leaving those of the weights in the sink.
    pub(super) fn backward(
        &self,
        trace: &Trace,
        dy: &Tensor,
        pass: &Pass<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Tensor, ModelError> {
        let dsum = self.norm.back(&trace.sum, dy, sink)?;
        let ddown = dropped(dsum.clone(), self.mask(1, pass))?;
        let dactivated = self.down.back(&trace.activated, &ddown, sink)?; // [T, I]
        let dup = gelu_backward(&trace.up, &dactivated)?;
        let dmiddle = add(&dsum, &self.up.back(&trace.middle, &dup, sink)?)?;

        let dsum = self.attention_norm.back(&trace.attention_sum, &dmiddle, sink)?;
        let dmixed = dropped(dsum.clone(), self.mask(0, pass))?;
        let dattended = self.output.back(&trace.attended.output, &dmixed, sink)?;
        let [q, k, v] = &trace.qkv;
        let (dq, dk, dv) =
            attention_backward((q, k, v), &trace.attended, &dattended, pass.segments, pass.heads)?;
        let (mut dx, input) = (InputGradient::new(&trace.input), LinearInput::from(&trace.input));
        for (map, dy) in self.qkv.iter().zip([&dq, &dk, &dv]) {
            map.backward(&input, dy, &mut dx, sink)?;
        }
        Ok(add(&dsum, &dx.finish()?)?)
    }

    /// The mask behind the attention (0) or behind the feed-forward block (1).
    fn mask(&self, block: usize, pass: &Pass<'_>) -> Option<DropoutMask> {
        pass.mask(1 + 2 * self.index + block)
    }

    /// The layer's weights in the order of `EncoderConfig::tensors`.
    pub(super) fn weights(&self) -> Vec<&dyn Named> {
        let Self { qkv, output, attention_norm, up, down, norm, .. } = self;
        let first = qkv.iter().flat_map(Affine::weights).chain(output.weights());
        let second = attention_norm.weights().into_iter().chain(up.weights()).chain(down.weights());
        first.chain(second).chain(norm.weights()).collect()
    }

    pub(super) fn weights_mut(&mut self) -> Vec<&mut dyn Named> {
        let Self { qkv, output, attention_norm, up, down, norm, .. } = self;
        let first = qkv.iter_mut().flat_map(Affine::weights_mut).chain(output.weights_mut());
        let second =
            attention_norm.weights_mut().into_iter().chain(up.weights_mut()).chain(down.weights_mut());
        first.chain(second).chain(norm.weights_mut()).collect()
    }
}

/// With elements dropped, if there is a mask.
pub(super) fn dropped(x: Tensor, mask: Option<DropoutMask>) -> Result<Tensor, ModelError> {
    match mask {
        Some(mask) => Ok(dropout(&x, mask)?),
        None => Ok(x),
    }
}
