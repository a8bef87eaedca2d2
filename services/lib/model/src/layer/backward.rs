//! The backward pass of a layer, the forward pass read from bottom to top; candle's tape over the same forward pass is its test.

use candle_core::Tensor;
use rootstock_kernels::{
    Format, InputGradient, LinearInput, LoraPair, OutputGradient, Segments, attention_backward,
    bias_gradient, linear_weight_gradient, lora_backward, rms_norm_backward, swiglu_backward,
};

use super::{Layer, Pass, Trace, Weights};
use crate::{ModelError, Place, Projection, gradients::Sink, weight::Vector};

impl Layer {
    /// Takes the gradient `dy` [T, H] of the layer's output to that of its input [T, H], leaving those of the weights in the sink.
    pub(crate) fn backward(
        &self,
        trace: &Trace,
        dy: &Tensor,
        (pass, segments): (&Pass<'_>, &Segments),
        sink: &mut Sink<'_>,
    ) -> Result<Tensor, ModelError> {
        let weights = self.packed()?;
        let back = |outputs: &[(Projection, &Tensor)], x: &Tensor, sink: &mut Sink<'_>| {
            self.back(outputs, x, &weights, pass, sink)
        };
        let (ddown, dy) = self.back_through_bottleneck(Place::FeedForward, trace, dy, pass, sink)?;
        let dactivated = back(&[(Projection::Down, &ddown)], &trace.activated, sink)?; // [T, I]
        let (dgate, dup) = swiglu_backward(&trace.gate, &trace.up, &dactivated)?;
        let into_mlp = [(Projection::Gate, &dgate), (Projection::Up, &dup)];
        let dnormed = back(&into_mlp, &trace.middle_normed, sink)?; // [T, H]
        let dmiddle = norm((&trace.middle, &self.post_attention_norm), &dnormed, Some(&dy), pass, sink)?;

        let (dmixed, dmiddle) =
            self.back_through_bottleneck(Place::Attention, trace, &dmiddle, pass, sink)?;
        let mixed = pass.own(&trace.attended.output)?;
        let dattended = back(&[(Projection::O, &dmixed)], &mixed, sink)?; // [T, Hq * D]
        let (dq, dk, dv) = self.back_through_attention(trace, &dattended, (pass, segments), sink)?;
        let backwards = pass.rotation.inverse();
        let turned = [self.rotate(dq, &backwards)?, self.rotate(dk, &backwards)?];
        let [dq, dk] = self.back_through_head_norms(trace, turned, pass, sink)?;
        let into_attention = [(Projection::Q, &dq), (Projection::K, &dk), (Projection::V, &dv)];
        let dnormed = back(&into_attention, &trace.normed, sink)?; // [T, H]
        norm((&trace.input, &self.input_norm), &dnormed, Some(&dmiddle), pass, sink)
    }

    /// The gradients of a block's output and of the residual stream before it, both with `dy` [T, H] of the stream behind it.
    fn back_through_bottleneck(
        &self,
        place: Place,
        trace: &Trace,
        dy: &Tensor,
        pass: &Pass<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(Tensor, Tensor), ModelError> {
        match (self.bottleneck(place, pass.adapter), &trace.narrow[place as usize]) {
            (Some(bottleneck), Some(narrow)) => bottleneck.backward(narrow, dy, sink),
            _ => Ok((dy.clone(), dy.clone())),
        }
    }

    /// The gradients of queries, keys and values of tokens, leaving those of what stands before them in the sink.
    fn back_through_attention(
        &self,
        trace: &Trace,
        dattended: &Tensor,
        (pass, segments): (&Pass<'_>, &Segments),
        sink: &mut Sink<'_>,
    ) -> Result<(Tensor, Tensor, Tensor), ModelError> {
        let qkv = (&trace.q, &trace.k, &trace.v);
        let Some((states, lead)) = &pass.states else {
            return Ok(attention_backward(qkv, &trace.attended, dattended, segments, self.heads)?);
        };
        let dattended = lead.put_zeros_before(dattended)?;
        let (dq, dk, dv) = attention_backward(qkv, &trace.attended, &dattended, lead.segments(), self.heads)?;
        if let Some(name) = sink.wants_tensor(states.id()) {
            sink.put_columns(name, 2 * self.index, lead.sum(&dk)?);
            sink.put_columns(name, 2 * self.index + 1, lead.sum(&dv)?);
        }
        Ok((lead.own(&dq)?, lead.own(&dk)?, lead.own(&dv)?))
    }

    /// The gradients of queries and keys before their norms, where they have some.
    fn back_through_head_norms(
        &self,
        trace: &Trace,
        gradients: [Tensor; 2],
        pass: &Pass<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<[Tensor; 2], ModelError> {
        let (Some([of_q, of_k]), Some([q, k])) = (&self.head_norms, &trace.projected) else {
            return Ok(gradients);
        };
        let mut back = |x: &Tensor, weight: &Vector, dy: &Tensor| {
            let dx = norm((&self.by_head(x)?, weight), &self.by_head(dy)?, None, pass, sink)?;
            Ok::<_, ModelError>(dx.reshape(x.shape())?)
        };
        let [dq, dk] = gradients;
        Ok([back(q, of_q, &dq)?, back(k, of_k, &dk)?])
    }

    /// The gradient of the input `x` of several projections, from those of their outputs.
    fn back(
        &self,
        outputs: &[(Projection, &Tensor)],
        x: &Tensor,
        weights: &Weights,
        pass: &Pass<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Tensor, ModelError> {
        let (mut dx, input) = (InputGradient::new(x), LinearInput::from(x));
        for (projection, dy) in outputs {
            let weight = &weights[*projection as usize];
            let name = sink.wants(self.weight(*projection));
            let gradient = match (name, weight.format()) {
                (Some(_), Format::Bf16) => OutputGradient::of_trained(dy)?,
                _ => OutputGradient::from(*dy),
            };
            dx.add_linear(&gradient, weight)?;
            if let Some(name) = self.bias(*projection).and_then(|bias| sink.wants(bias)) {
                sink.put(name, bias_gradient(dy)?);
            }
            if let Some(name) = name {
                sink.put(name, linear_weight_gradient(&gradient, &input, weight.format())?);
            }
            if let Some(pair) = self.pair(*projection, pass) {
                let mask = self.mask(*projection, pair, pass);
                let (da, db) = lora_backward(x, &pair.detach(), mask, dy, &mut dx)?;
                put_pair(pair, da, db, sink);
            }
        }
        Ok(dx.finish()?)
    }
}

fn put_pair(pair: &LoraPair, da: Tensor, db: Tensor, sink: &mut Sink<'_>) {
    for (half, gradient) in [(&pair.a, da), (&pair.b, db)] {
        if let Some(name) = half.tensor_id().and_then(|id| sink.wants_tensor(id)) {
            sink.put(name, gradient);
        }
    }
}

/// Through an RMSNorm, with the gradient that went past it added, if any did.
pub(crate) fn norm(
    (x, weight): (&Tensor, &Vector),
    dy: &Tensor,
    past: Option<&Tensor>,
    pass: &Pass<'_>,
    sink: &mut Sink<'_>,
) -> Result<Tensor, ModelError> {
    let name = sink.wants(weight);
    let (dx, dw) = rms_norm_backward((x, weight.numbers(), pass.eps), dy, past, name.is_some())?;
    if let (Some(name), Some(dw)) = (name, dw) {
        sink.put(name, dw);
    }
    Ok(dx)
}
