//! Both ends of the backward pass: the output projection with the loss, and the token embedding, each the model's own or an adapter's.

use candle_core::Tensor;
use rootstock_kernels::{
    Format, InputGradient, LinearInput, LinearWeight, LossOptions, LossSum, OutputGradient,
    cross_entropy_with_gradients, embedding, embedding_backward, linear, linear_weight_gradient, lora_norms,
    rms_norm,
};

use super::batch::Packed;
use crate::{
    Decoder, EmbeddingChange, EmbeddingPair, HeadChange, ModelError, Update,
    gradients::Sink,
    layer::{Pass, norm},
};

/// The last norm, the output projection and the loss; gives the gradient of the last layer's output `x` [T, H].
pub(super) fn head(
    decoder: &Decoder,
    x: &Tensor,
    pass: &Pass<'_>,
    (packed, scale, options): (&Packed, f64, &LossOptions),
    sink: &mut Sink<'_>,
) -> Result<(LossSum, Tensor), ModelError> {
    let hidden = rms_norm(x, decoder.norm().numbers(), pass.eps)?;
    let HeadChange { weight, update } = pass.adapter.map(|adapter| adapter.head()).unwrap_or_default();
    let name = match weight {
        Some(own) => own.tensor_id().and_then(|id| sink.wants_tensor(id)),
        None => sink.wants(decoder.head()),
    };
    let (weight, how) = (weight.unwrap_or(decoder.head().numbers()).detach(), (scale, options));
    let updated = Updated::new(&weight, update)?;
    let used = updated.as_ref().map_or(&weight, |updated| &updated.weight).packed()?;
    let wanted = name.is_some() || updated.is_some();
    let (loss, gradients) = cross_entropy_with_gradients(&hidden, &used, &packed.targets, how, wanted)?;
    match (updated, gradients.head) {
        (Some(updated), Some(gradient)) => updated.put(&gradient, sink)?,
        (None, Some(gradient)) => name.into_iter().for_each(|name| sink.put(name, gradient.clone())),
        _ => {}
    }
    Ok((loss, norm((x, decoder.norm()), &gradients.hidden, None, pass, sink)?))
}

/// An output projection with its pair added in, f32: the loss is made block by block together with the product, so that the pair has
/// no product of its own.
pub(crate) struct Updated<'a> {
    update: Update<'a>,
    /// `W + scale * B A`, [V, H].
    sum: Tensor,
    /// Norms of its rows and magnitudes over them, [V, 1], with DoRA.
    norms: Option<[Tensor; 2]>,
    /// The sum, rescaled.
    pub(crate) weight: LinearWeight,
}

impl<'a> Updated<'a> {
    /// Nothing where the update is nothing.
    pub(crate) fn new(weight: &LinearWeight, update: Update<'a>) -> Result<Option<Self>, ModelError> {
        let Some(pair) = update.pairs.first().map(rootstock_kernels::LoraPair::detach) else {
            return Ok(None);
        };
        let (a, b) = (pair.a.tensor()?, pair.b.tensor()?);
        let product = linear(&LinearInput::from(&b), &a.t()?.contiguous()?.into())?; // [V, H]
        let sum = (weight.tensor()?.to_dtype(a.dtype())? + (product * pair.scale)?)?;
        let norms = match update.magnitude {
            None => None,
            Some(magnitude) => {
                let norms = Tensor::new(lora_norms(weight, &pair)?, sum.device())?.unsqueeze(1)?;
                let factors = (magnitude.detach().unsqueeze(1)? / &norms)?;
                Some([norms, factors])
            }
        };
        let rescaled = match &norms {
            None => sum.clone(),
            Some([_, factors]) => sum.broadcast_mul(factors)?,
        };
        Ok(Some(Self { update, sum, norms, weight: rescaled.into() }))
    }

    /// Leaves the gradients of the pair and of its magnitudes, for the gradient `dw` [V, H] of the rescaled sum.
    fn put(&self, dw: &Tensor, sink: &mut Sink<'_>) -> Result<(), ModelError> {
        let mut dsum = dw.clone();
        if let Some([norms, factors]) = &self.norms {
            dsum = dw.broadcast_mul(factors)?;
            let along = ((dw * &self.sum)?.sum_keepdim(1)? / norms)?.squeeze(1)?; // [V]
            sink.put_wanted(self.update.magnitude.map(Tensor::id), along);
        }
        for pair in self.update.pairs {
            let (a, b) = (pair.a.detach(), pair.b.tensor()?.detach());
            let input = LinearInput::from(&dsum);
            let da = linear_weight_gradient(&OutputGradient::from(&b), &input, Format::F32)?; // [r, H]
            sink.put_wanted(pair.a.tensor_id(), (da * pair.scale)?);
            sink.put_wanted(pair.b.tensor_id(), (linear(&input, &a)? * pair.scale)?); // [V, r]
        }
        Ok(())
    }
}

/// Whether a gradient of the token embedding is wanted.
pub(super) fn wants_embedding(decoder: &Decoder, pass: &Pass<'_>, sink: &Sink<'_>) -> bool {
    let EmbeddingChange { table, pair } = embedding_change(pass);
    let halves = pair.into_iter().flat_map(|pair| [&pair.a, &pair.b]);
    let wanted = |weight: &LinearWeight| weight.tensor_id().is_some_and(|id| sink.wants_tensor(id).is_some());
    (table.is_none() && sink.wants(decoder.embedding()).is_some())
        || table.into_iter().chain(halves).any(wanted)
}

/// Leaves the gradients of the token embedding for that of its rows, `dx` [T, H].
pub(super) fn embedding_gradients(
    decoder: &Decoder,
    ids: &[u32],
    dx: &Tensor,
    pass: &Pass<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), ModelError> {
    let EmbeddingChange { table, pair } = embedding_change(pass);
    let name = match table {
        Some(own) => own.tensor_id().and_then(|id| sink.wants_tensor(id)),
        None => sink.wants(decoder.embedding()),
    };
    if let Some(name) = name {
        let rows = embedding_backward(decoder.embedding().numbers().dims()?, ids, dx)?;
        // Where the head is tied to the table, its gradient is there already.
        sink.add(name, rows)?;
    }
    pair.map_or(Ok(()), |pair| pair_gradients(pair, ids, dx, sink))
}

fn pair_gradients(
    pair: &EmbeddingPair,
    ids: &[u32],
    dx: &Tensor,
    sink: &mut Sink<'_>,
) -> Result<(), ModelError> {
    let (a, b) = (pair.a.detach(), pair.b.detach());
    let low = embedding(&a, ids)?; // [T, r]
    let scaled = (dx * pair.scale)?;
    let gradient = OutputGradient::from(&scaled);
    let mut dlow = InputGradient::new(&low);
    dlow.add_linear(&gradient, &b)?;
    sink.put_wanted(pair.a.tensor_id(), embedding_backward(a.dims()?, ids, &dlow.finish()?)?);
    let db = linear_weight_gradient(&gradient, &LinearInput::from(&low), Format::F32)?; // [H, r]
    sink.put_wanted(pair.b.tensor_id(), db);
    Ok(())
}

fn embedding_change<'a>(pass: &Pass<'a>) -> EmbeddingChange<'a> {
    pass.adapter.map(|adapter| adapter.embedding()).unwrap_or_default()
}
