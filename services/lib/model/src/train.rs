//! The seam between a model and its training: loss and gradients of a batch, layer by layer, without a tape.

use candle_core::{Tensor, Var};
use rootstock_kernels::{DropoutKey, LossOptions, LossSum, Segments, embedding_noise};

use crate::{
    Adapter, Decoder, Gradients, ModelError,
    adapter::check_trainable,
    decoder::Owner,
    gradients::Sink,
    layer::{Context, Layer, Pass, Trace},
    lead::Lead,
};
pub use batch::Batch;
use batch::Packed;
use ends::{embedding_gradients, head, wants_embedding};

mod batch;
mod ends;

pub(crate) use ends::Updated;

/// What makes training harder than evaluation, beside an adapter's own dropout.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Regularization {
    /// Names what is drawn: dropout masks, noise.
    pub key: DropoutKey,
    /// Share of each target that is spread evenly over the vocabulary.
    pub label_smoothing: f64,
    /// Bound of the noise on embeddings, in units of 1 / sqrt(tokens of the row x hidden_size); 0 makes none.
    pub neftune_noise_alpha: f64,
}

impl From<DropoutKey> for Regularization {
    fn from(key: DropoutKey) -> Self {
        Self { key, ..Self::default() }
    }
}

/// The summed loss of a batch and the gradients of `parameters` for `loss sum / denominator`. The denominator is the number of
/// counted tokens of the whole optimizer step, so that micro-batches add up to the mean. Parameters are variables of the decoder
/// ([`Decoder::set_trainable`]) or of the adapter, recognised by identity; all else is frozen.
///
/// # Errors
/// When the model was loaded as int8, it is interrupted, the batch does not fit it, a parameter is a variable of neither the decoder nor
/// the adapter, or the adapter adds several pairs to a module, scales outputs by fixed factors, or has dropout before a pair of the head.
pub fn forward_backward(
    decoder: &Decoder,
    adapter: Option<&dyn Adapter>,
    parameters: &[(String, Var)],
    batch: &Batch,
    denominator: f64,
    regularization: impl Into<Regularization>,
) -> Result<(LossSum, Gradients), ModelError> {
    let regularization = regularization.into();
    decoder.check_trainable()?;
    let packed = batch.pack(decoder.config())?;
    adapter.map_or(Ok(()), |adapter| check_trainable(adapter, decoder.config().num_hidden_layers))?;
    let mut sink = Sink::new(parameters);
    if packed.ids.is_empty() {
        return Ok((LossSum::default(), sink.finish(parameters, false)?));
    }
    let before = decoder.rows_before(&packed.segments, adapter)?;
    let segments = before.as_ref().map_or(&packed.segments, |(_, lead)| lead.segments());
    let mut pass = decoder.packed_pass(segments, adapter)?;
    pass.dropout = Some(regularization.key);
    let before = before.as_ref().map(|(rows, lead)| (*rows, lead));
    let loss =
        walk(decoder, &pass, (&packed, segments, before), (1.0 / denominator, regularization), &mut sink)?;
    Ok((loss, sink.finish(parameters, true)?))
}

/// The summed loss of a batch, without dropout.
///
/// # Errors
/// When the batch does not fit the model, or it is interrupted.
pub fn evaluate(
    decoder: &Decoder,
    adapter: Option<&dyn Adapter>,
    batch: &Batch,
) -> Result<LossSum, ModelError> {
    let packed = batch.pack(decoder.config())?;
    if packed.ids.is_empty() {
        return Ok(LossSum::default());
    }
    let hidden = decoder.hidden(&packed.ids, &packed.segments, adapter)?;
    decoder.loss(&hidden, &packed.targets, adapter)
}

/// What a layer leaves for its backward pass.
enum Kept {
    Trace(Box<Trace>),
    /// The layer's input [T, H], from which the trace is computed again.
    Input(Tensor),
}

/// Down through the layers and up again.
fn walk(
    decoder: &Decoder,
    pass: &Pass<'_>,
    (packed, segments, before): (&Packed, &Segments, Option<(&Tensor, &Lead)>),
    (scale, regularization): (f64, Regularization),
    sink: &mut Sink<'_>,
) -> Result<LossSum, ModelError> {
    let again = decoder.recompute().layers(decoder.config(), segments.tokens());
    let lowest = lowest(decoder, pass, before, sink);
    let mut kept = Vec::with_capacity(decoder.layers().len() - lowest);
    let owner = Owner { rows: packed.ids.len(), adapter: pass.adapter };
    let mut x = decoder.embed(&packed.ids, &[owner])?; // [T, H]
    if regularization.neftune_noise_alpha > 0.0 {
        x = embedding_noise(&x, &packed.segments, regularization.neftune_noise_alpha, regularization.key)?;
    }
    if let Some((rows, lead)) = before {
        x = lead.put_before(rows, &x)?;
    }
    for layer in decoder.layers() {
        decoder.interrupt().check()?;
        let (output, trace) = layer.forward(&x, pass, &mut Context::Packed(segments))?;
        if layer.index >= lowest {
            kept.push(if layer.index < again { Kept::Input(x) } else { Kept::Trace(Box::new(trace)) });
        }
        x = output;
    }
    let options = LossOptions { label_smoothing: regularization.label_smoothing, weights: None };
    if let Some((_, lead)) = before {
        x = lead.own(&x)?;
    }
    decoder.interrupt().check()?;
    let (loss, mut dx) = head(decoder, &x, pass, (packed, scale, &options), sink)?;
    if let Some((_, lead)) = before {
        dx = lead.put_zeros_before(&dx)?;
    }
    for (layer, kept) in decoder.layers()[lowest..].iter().zip(kept).rev() {
        decoder.interrupt().check()?;
        let trace = kept.trace(layer, pass, segments)?;
        dx = layer.backward(&trace, &dx, (pass, segments), sink)?;
    }
    if let Some((rows, lead)) = before {
        if let Some(name) = sink.wants_tensor(rows.id()) {
            sink.put(name, lead.sum(&dx)?);
        }
        dx = lead.own(&dx)?;
    }
    embedding_gradients(decoder, &packed.ids, &dx, pass, sink)?;
    Ok(loss)
}

/// The lowest layer in or below which something is trained; what lies below it is computed once and keeps nothing.
fn lowest(decoder: &Decoder, pass: &Pass<'_>, before: Option<(&Tensor, &Lead)>, sink: &Sink<'_>) -> usize {
    let wants_before = before.is_some_and(|(rows, _)| sink.wants_tensor(rows.id()).is_some());
    if wants_before || wants_embedding(decoder, pass, sink) {
        return 0;
    }
    let layers = decoder.layers();
    layers.iter().position(|layer| layer.is_trained(pass, sink)).unwrap_or(layers.len())
}

impl Kept {
    fn trace(self, layer: &Layer, pass: &Pass<'_>, segments: &Segments) -> Result<Box<Trace>, ModelError> {
        match self {
            Self::Trace(trace) => Ok(trace),
            Self::Input(x) => Ok(Box::new(layer.forward(&x, pass, &mut Context::Packed(segments))?.1)),
        }
    }
}

#[cfg(test)]
mod tests;
