//! The backward pass of a layer, the forward pass read from bottom to top; candle's tape over the same forward pass is its test.

use candle_core::Tensor;
use rootstock_kernels::{
    DoraPair, DropoutMask, Format, InputGradient, LinearInput, LinearWeight, LoraPair, OutputGradient,
    Segments, attention_backward, bias_gradient, dora_backward, linear_weight_gradient, lora_backward,
    rms_norm_backward, swiglu_backward,
};

use super::{Layer, Pass, Trace, Weights};
use crate::{ModelError, Place, Projection, Update, gradients::Sink, weight::Vector};

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

    /// Whether a gradient is wanted of one of its weights, or of what an adapter does to one.
    pub(crate) fn is_trained(&self, pass: &Pass<'_>, sink: &Sink<'_>) -> bool {
        let of_adapter = |projection| {
            let Update { pairs, magnitude, .. } = self.update(projection, pass);
            let halves = pairs.iter().flat_map(|pair| [pair.a.tensor_id(), pair.b.tensor_id()]);
            let mut ids = halves.flatten().chain(magnitude.map(Tensor::id));
            ids.any(|id| sink.wants_tensor(id).is_some())
        };
        let of_bottleneck = |place| {
            let bottleneck = self.bottleneck(place, pass.adapter);
            bottleneck.is_some_and(|bottleneck| bottleneck.is_trained(sink))
        };
        let of_bias = |projection| {
            let own = self.own_bias(projection, pass.adapter);
            own.is_some_and(|bias| sink.wants_tensor(bias.id()).is_some())
        };
        self.weights().into_iter().any(|weight| sink.wants(weight).is_some())
            || Projection::ALL.into_iter().any(of_adapter)
            || Projection::ALL.into_iter().any(of_bias)
            || Place::ALL.into_iter().any(of_bottleneck)
            || pass.states.as_ref().is_some_and(|(states, _)| sink.wants_tensor(states.id()).is_some())
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
            let update = self.update(*projection, pass);
            if update.magnitude.is_none() {
                dx.add_linear(&gradient, weight)?;
            }
            let own = self.own_bias(*projection, pass.adapter);
            let bias =
                own.map_or_else(|| sink.wants(self.bias(*projection)?), |own| sink.wants_tensor(own.id()));
            if let Some(name) = bias {
                sink.put(name, bias_gradient(dy)?);
            }
            if let Some(name) = name {
                sink.put(name, linear_weight_gradient(&gradient, &input, weight.format())?);
            }
            if let Some(pair) = update.pairs.first() {
                let mask = self.mask(*projection, pair, pass);
                back_through_update((pair, update.magnitude), (x, weight, mask), dy, &mut dx, sink)?;
            }
        }
        Ok(dx.finish()?)
    }
}

/// Through a pair alone, or through the whole map where its outputs are rescaled.
fn back_through_update(
    (pair, magnitude): (&LoraPair, Option<&Tensor>),
    (x, weight, mask): (&Tensor, &LinearWeight, Option<DropoutMask>),
    dy: &Tensor,
    dx: &mut InputGradient,
    sink: &mut Sink<'_>,
) -> Result<(), ModelError> {
    let plain = pair.detach();
    let Some(magnitude) = magnitude else {
        let (da, db) = lora_backward(x, &plain, mask, dy, dx)?;
        sink.put_wanted(pair.a.tensor_id(), da);
        sink.put_wanted(pair.b.tensor_id(), db);
        return Ok(());
    };
    let gradients = dora_backward(x, weight, DoraPair { pair: &plain, magnitude }, mask, dy, dx)?;
    sink.put_wanted(pair.a.tensor_id(), gradients.a);
    sink.put_wanted(pair.b.tensor_id(), gradients.b);
    sink.put_wanted(Some(magnitude.id()), gradients.magnitude);
    Ok(())
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
