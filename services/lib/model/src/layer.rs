//! One decoder layer of Llama (Touvron et al., 2023; transformers' `LlamaDecoderLayer`) and of its relatives: attention and a gated
//! feed-forward block, each behind an RMSNorm and added to the residual stream.

use candle_core::Tensor;
use rootstock_kernels::{
    Attended, DoraPair, DropoutKey, DropoutMask, Heads, KeyValues, LinearInput, LinearWeight, LoraMap,
    LoraPair, Rotation, Segments, add, add_bias, attention_cached, attention_forward, dora_linear,
    lora_linear, lora_linear_rows, rms_norm, rotary, swiglu,
};

use crate::{
    Adapter, Bottleneck, Config, KvCache, ModelError, Place, Projection, Update,
    bottleneck::Narrow,
    config::{head_norm_names, input_norm_name, post_attention_norm_name},
    lead::Lead,
    load::Take,
    weight::{Matrix, Named, Vector},
};

pub(crate) use backward::norm;

mod backward;

/// What all layers of one pass have in common.
pub(crate) struct Pass<'a> {
    pub(crate) eps: f64,
    pub(crate) rotation: Rotation,
    pub(crate) adapter: Option<&'a dyn Adapter>,
    /// Keys and values of all layers that stand before each of packed sequences, and where; a cache holds them already.
    pub(crate) states: Option<(&'a Tensor, Lead)>,
    /// Present while training: adapters drop parts of their input.
    pub(crate) dropout: Option<DropoutKey>,
}

impl Pass<'_> {
    /// The sequences that attention sees, with what stands before them.
    fn attended<'s>(&'s self, segments: &'s Segments) -> &'s Segments {
        self.states.as_ref().map_or(segments, |(_, lead)| lead.segments())
    }

    /// The rows of tokens, of those that attention gives.
    fn own(&self, attended: &Tensor) -> Result<Tensor, ModelError> {
        self.states.as_ref().map_or_else(|| Ok(attended.clone()), |(_, lead)| lead.own(attended))
    }
}

/// Where the keys and values of a pass come from.
pub(crate) enum Context<'a, 's> {
    /// Whole sequences, one after the other.
    Packed(&'a Segments),
    /// The newest tokens of sequences, of which caches hold the beginning.
    Cached(&'a mut [Continued<'s>]),
}

/// Some tokens that go on from what a sequence's cache holds, and the adapter that they are computed with.
pub struct Continued<'a> {
    /// At least one token id.
    pub ids: &'a [u32],
    /// Holds the tokens before them; they are appended to it.
    pub cache: &'a mut KvCache,
    /// Added to the model for these tokens alone.
    pub adapter: Option<&'a dyn Adapter>,
    /// Which logits are computed.
    pub wants: Wanted<'a>,
}

/// Whose logits are wanted of a sequence's tokens; the output projection computes no others.
pub enum Wanted<'a> {
    /// Nobody's: more of its tokens follow.
    Nothing,
    /// The last one's.
    Last,
    /// Those of all from this one on, counted from 0 in `ids`; they are shown, and not kept.
    Each(usize, &'a mut dyn ReadLogits),
}

/// Looks at the logits of many tokens, a few at a time.
pub trait ReadLogits {
    /// Logits [n, V] f32 after the next n of the tokens that were asked for.
    fn read(&mut self, logits: &Tensor);
}

/// The weights of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) index: usize,
    pub(crate) heads: Heads,
    /// Whether queries and keys turn with their position.
    pub(crate) rotates: bool,
    /// [H]
    pub(crate) input_norm: Vector,
    /// [H]
    pub(crate) post_attention_norm: Vector,
    /// [out, in] each, in the order of `Projection::ALL`.
    pub(crate) projections: [Matrix; 7],
    /// [out] each, where there is one.
    pub(crate) biases: [Option<Vector>; 7],
    /// Of queries and keys, [D] each (Qwen 3).
    pub(crate) head_norms: Option<[Vector; 2]>,
}

/// The activations of a layer, which its backward pass needs. T tokens, width H.
pub(crate) struct Trace {
    /// [T, H]
    input: Tensor,
    /// [T, H]
    normed: Tensor,
    /// Queries [T, Hq * D] and keys [T, Hkv * D] before their norms, where they have some.
    projected: Option<[Tensor; 2]>,
    /// [T, Hq * D], rotated.
    q: Tensor,
    /// [T, Hkv * D], rotated.
    k: Tensor,
    /// [T, Hkv * D]
    v: Tensor,
    attended: Attended,
    /// [T, H], the residual stream between the blocks.
    middle: Tensor,
    /// [T, H]
    middle_normed: Tensor,
    /// [T, I]
    gate: Tensor,
    /// [T, I]
    up: Tensor,
    /// [T, I]
    activated: Tensor,
    /// Those of the adapter's bottlenecks, where it has some.
    narrow: [Option<Narrow>; 2],
}

/// The matrices of a layer, [out, in] each, packed.
pub(crate) type Weights = [LinearWeight; 7];

impl Layer {
    pub(crate) fn take(config: &Config, index: usize, take: &mut Take) -> Result<Self, ModelError> {
        let [q, k, v, o, gate, up, down] = Projection::ALL.map(|p| take.matrix(p.weight_name(index)));
        let mut biases: [Option<Vector>; 7] = Default::default();
        for projection in Projection::ALL.into_iter().filter(|projection| config.has_bias(*projection)) {
            biases[projection as usize] = Some(take.vector(projection.bias_name(index))?);
        }
        let head_norms = if config.family.norms_heads() {
            let [q, k] = head_norm_names(index).map(|name| take.vector(name));
            Some([q?, k?])
        } else {
            None
        };
        Ok(Self {
            index,
            heads: config.heads(index),
            rotates: config.layers.rotates(index),
            projections: [q?, k?, v?, o?, gate?, up?, down?],
            biases,
            head_norms,
            input_norm: take.vector(input_norm_name(index))?,
            post_attention_norm: take.vector(post_attention_norm_name(index))?,
        })
    }

    /// Takes the residual stream `x` [T, H] through the layer; gives it back [T, H], with what was computed on the way.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        context: &mut Context<'_, '_>,
    ) -> Result<(Tensor, Trace), ModelError> {
        let weights = self.packed()?;
        let normed = rms_norm(x, self.input_norm.numbers(), pass.eps)?;
        let input = LinearInput::from(&normed);
        let into_attention = [Projection::Q, Projection::K, Projection::V];
        // [T, Hq * D], and twice [T, Hkv * D]
        let [q, k, v] = self.project(into_attention, &input, &weights, pass, context)?;
        let ([q, k], projected) = self.norm_heads([q, k], pass)?;
        let (q, k) = (self.rotate(q, &pass.rotation)?, self.rotate(k, &pass.rotation)?);
        let [q, k, v] = self.after_states([q, k, v], pass)?;
        let attended = self.attend((&q, &k, &v), pass, context)?; // [T, Hq * D]
        let input = LinearInput::from(&pass.own(&attended.output)?);
        let [mixed] = self.project([Projection::O], &input, &weights, pass, context)?;
        let (middle, behind_attention) = self.add_block(Place::Attention, (x, mixed), pass, context)?; // [T, H]

        let middle_normed = rms_norm(&middle, self.post_attention_norm.numbers(), pass.eps)?;
        let input = LinearInput::from(&middle_normed);
        let into_mlp = [Projection::Gate, Projection::Up];
        let [gate, up] = self.project(into_mlp, &input, &weights, pass, context)?; // [T, I]
        let activated = swiglu(&gate, &up)?;
        let input = LinearInput::from(&activated);
        let [down] = self.project([Projection::Down], &input, &weights, pass, context)?;
        let (output, behind_mlp) = self.add_block(Place::FeedForward, (&middle, down), pass, context)?; // [T, H]

        let input = x.clone();
        let narrow = [behind_attention, behind_mlp];
        let trace = Trace {
            input,
            normed,
            projected,
            q,
            k,
            v,
            attended,
            middle,
            middle_normed,
            gate,
            up,
            activated,
            narrow,
        };
        Ok((output, trace))
    }

    /// The residual stream behind a block, `before` [T, H] and the block's `output` [T, H], with what bottlenecks add.
    fn add_block(
        &self,
        place: Place,
        (before, output): (&Tensor, Tensor),
        pass: &Pass<'_>,
        context: &Context<'_, '_>,
    ) -> Result<(Tensor, Option<Narrow>), ModelError> {
        match context {
            Context::Packed(_) => {
                let Some(bottleneck) = self.bottleneck(place, pass.adapter) else {
                    return Ok((add(before, &output)?, None));
                };
                let (added, narrow) = bottleneck.forward(&output, before)?;
                Ok((add(before, &add(&output, &added)?)?, Some(narrow)))
            }
            Context::Cached(sequences) => {
                let output = self.with_bottlenecks(place, (before, output), sequences)?;
                Ok((add(before, &output)?, None))
            }
        }
    }

    /// A block's output [T, H] with what the bottlenecks of sequences, whose rows follow each other, add to their own.
    fn with_bottlenecks(
        &self,
        place: Place,
        (before, output): (&Tensor, Tensor),
        sequences: &[Continued<'_>],
    ) -> Result<Tensor, ModelError> {
        let runs = runs(sequences, |adapter| self.bottleneck(place, adapter));
        if let [(_, None)] = runs[..] {
            return Ok(output);
        }
        let (mut parts, mut first) = (Vec::with_capacity(runs.len()), 0);
        for (rows, bottleneck) in runs {
            let (own, stream) = (output.narrow(0, first, rows)?, before.narrow(0, first, rows)?);
            first += rows;
            parts.push(match bottleneck {
                Some(bottleneck) => add(&own, &bottleneck.forward(&own, &stream)?.0)?,
                None => own,
            });
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    fn bottleneck<'a>(&self, place: Place, adapter: Option<&'a dyn Adapter>) -> Option<&'a Bottleneck> {
        adapter.and_then(|adapter| adapter.bottleneck(self.index, place))
    }

    /// The matrices, those in training packed for one pass: kept for the backward one they would be a second copy of the model.
    pub(crate) fn packed(&self) -> Result<Weights, ModelError> {
        let mut weights = self.projections.each_ref().map(|matrix| matrix.numbers().clone());
        for weight in &mut weights {
            *weight = weight.packed()?;
        }
        Ok(weights)
    }

    pub(crate) fn weight(&self, projection: Projection) -> &Matrix {
        &self.projections[projection as usize]
    }

    /// The layer's weights in the order of `Config::tensors`.
    pub(crate) fn weights(&self) -> Vec<&dyn Named> {
        let mut weights: Vec<&dyn Named> = vec![&self.input_norm];
        for (index, (matrix, bias)) in self.projections.iter().zip(&self.biases).enumerate() {
            if index == Projection::Gate as usize {
                weights.extend(self.head_norms.iter().flatten().map(|norm| norm as &dyn Named));
                weights.push(&self.post_attention_norm);
            }
            weights.push(matrix);
            weights.extend(bias.iter().map(|bias| bias as &dyn Named));
        }
        weights
    }

    pub(crate) fn weights_mut(&mut self) -> Vec<&mut dyn Named> {
        let mut weights: Vec<&mut dyn Named> = vec![&mut self.input_norm];
        let mut norms: Vec<&mut dyn Named> =
            self.head_norms.iter_mut().flatten().map(|norm| norm as &mut dyn Named).collect();
        norms.push(&mut self.post_attention_norm);
        for (index, (matrix, bias)) in self.projections.iter_mut().zip(&mut self.biases).enumerate() {
            if index == Projection::Gate as usize {
                weights.append(&mut norms);
            }
            weights.push(matrix);
            weights.extend(bias.iter_mut().map(|bias| bias as &mut dyn Named));
        }
        weights
    }

    /// Queries and keys, normed head by head where the family does so, beside what they were before.
    fn norm_heads(
        &self,
        projected: [Tensor; 2],
        pass: &Pass<'_>,
    ) -> Result<([Tensor; 2], Option<[Tensor; 2]>), ModelError> {
        let Some([of_q, of_k]) = &self.head_norms else { return Ok((projected, None)) };
        let norm = |x: &Tensor, weight: &Vector| {
            rms_norm(&self.by_head(x)?, weight.numbers(), pass.eps)?.reshape(x.shape())
        };
        let [q, k] = &projected;
        Ok(([norm(q, of_q)?, norm(k, of_k)?], Some(projected)))
    }

    /// [T, heads * D] as [T, heads, D].
    fn by_head(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        x.reshape((tokens, width / self.heads.dim, self.heads.dim))
    }

    /// Queries, keys and values of packed sequences with those that stand before each; queries there are zeros, whose output nobody
    /// reads.
    fn after_states(&self, qkv: [Tensor; 3], pass: &Pass<'_>) -> Result<[Tensor; 3], ModelError> {
        let Some((states, lead)) = &pass.states else { return Ok(qkv) };
        let ([q, k, v], [keys, values]) = (qkv, self.states(states)?);
        Ok([lead.put_zeros_before(&q)?, lead.put_before(&keys, &k)?, lead.put_before(&values, &v)?])
    }

    /// Keys and values [n, Hkv * D] of this layer, which lie in columns of those of all layers.
    pub(crate) fn states(&self, all: &Tensor) -> Result<[Tensor; 2], ModelError> {
        let width = self.heads.key_value * self.heads.dim;
        let columns = |place: usize| all.detach().narrow(1, place * width, width)?.contiguous();
        Ok([columns(2 * self.index)?, columns(2 * self.index + 1)?])
    }

    fn rotate(&self, x: Tensor, rotation: &Rotation) -> Result<Tensor, ModelError> {
        if self.rotates { Ok(rotary(&x, rotation)?) } else { Ok(x) }
    }

    /// What several projections make of their input.
    fn project<const N: usize>(
        &self,
        projections: [Projection; N],
        x: &LinearInput,
        weights: &Weights,
        pass: &Pass<'_>,
        context: &Context<'_, '_>,
    ) -> Result<[Tensor; N], ModelError> {
        let outputs: Vec<Tensor> = match context {
            Context::Cached(sequences) => {
                let maps = projections.map(|projection| self.map(projection, sequences, weights));
                lora_linear_rows(x, &maps)?
            }
            Context::Packed(_) => {
                let project = |projection: &Projection| {
                    let weight = &weights[*projection as usize];
                    let update = self.update(*projection, pass);
                    if !update.is_trainable() {
                        let mut map = LoraMap { weight, groups: Vec::new(), factors: Vec::new() };
                        update.note(0..x.tensor().dim(0)?, &mut map);
                        return Ok(lora_linear_rows(x, &[map])?.swap_remove(0));
                    }
                    // The backward pass is written out below, so no tape shall keep the activations alive.
                    let pair = update.pairs.first().map(LoraPair::detach);
                    let mask = pair.as_ref().and_then(|pair| self.mask(*projection, pair, pass));
                    match (&pair, update.magnitude) {
                        (Some(pair), Some(magnitude)) => {
                            dora_linear(x, weight, DoraPair { pair, magnitude }, mask)
                        }
                        _ => lora_linear(x, weight, pair.as_ref(), mask),
                    }
                };
                projections.iter().map(project).collect::<candle_core::Result<_>>()?
            }
        };
        let outputs = outputs.into_iter().zip(projections);
        let outputs = outputs.map(|(y, projection)| self.with_bias(projection, y, pass, context));
        let outputs: Vec<Tensor> = outputs.collect::<candle_core::Result<_>>()?;
        Ok(outputs.try_into().expect("each projection has one output"))
    }

    pub(crate) fn bias(&self, projection: Projection) -> Option<&Vector> {
        self.biases[projection as usize].as_ref()
    }

    /// A projection's outputs [T, out] with its bias, or with that which a sequence's adapter has in its place.
    fn with_bias(
        &self,
        projection: Projection,
        y: Tensor,
        pass: &Pass<'_>,
        context: &Context<'_, '_>,
    ) -> candle_core::Result<Tensor> {
        let Some(shared) = self.bias(projection) else { return Ok(y) };
        let add = |y: &Tensor, own: Option<&Tensor>| match own {
            // Out of reach of a tape, as pairs are.
            Some(own) => add_bias(y, &own.detach()),
            None => add_bias(y, shared.numbers()),
        };
        let Context::Cached(sequences) = context else {
            return add(&y, self.own_bias(projection, pass.adapter));
        };
        let runs = runs(sequences, |adapter| self.own_bias(projection, adapter));
        if let [(_, own)] = runs[..] {
            return add(&y, own);
        }
        let (mut parts, mut first) = (Vec::with_capacity(runs.len()), 0);
        for (rows, own) in runs {
            parts.push(add(&y.narrow(0, first, rows)?, own)?);
            first += rows;
        }
        Tensor::cat(&parts, 0)
    }

    /// The bias that an adapter has in the place of a projection's.
    fn own_bias<'a>(&self, projection: Projection, adapter: Option<&'a dyn Adapter>) -> Option<&'a Tensor> {
        adapter.and_then(|adapter| adapter.bias(self.index, projection))
    }

    /// A projection and what each sequence's adapter does to its rows.
    pub(crate) fn map<'a>(
        &self,
        projection: Projection,
        sequences: &'a [Continued<'_>],
        weights: &'a Weights,
    ) -> LoraMap<'a> {
        let weight = &weights[projection as usize];
        let groups = Vec::with_capacity(sequences.len());
        let (mut map, mut first) = (LoraMap { weight, groups, factors: Vec::new() }, 0);
        for sequence in sequences {
            let rows = first..first + sequence.ids.len();
            first = rows.end;
            if let Some(adapter) = sequence.adapter {
                adapter.update(self.index, projection).note(rows, &mut map);
            }
        }
        map
    }

    fn update<'a>(&self, projection: Projection, pass: &Pass<'a>) -> Update<'a> {
        pass.adapter.map(|adapter| adapter.update(self.index, projection)).unwrap_or_default()
    }

    fn mask(&self, projection: Projection, pair: &LoraPair, pass: &Pass<'_>) -> Option<DropoutMask> {
        let module = (self.index * Projection::ALL.len() + projection as usize) as u64;
        pass.dropout.filter(|_| pair.dropout > 0.0).map(|key| key.mask(module, pair.dropout))
    }

    fn attend(
        &self,
        (q, k, v): (&Tensor, &Tensor, &Tensor),
        pass: &Pass<'_>,
        context: &mut Context<'_, '_>,
    ) -> Result<Attended, ModelError> {
        match context {
            Context::Packed(segments) => {
                Ok(attention_forward((q, k, v), pass.attended(segments), self.heads)?)
            }
            Context::Cached(sequences) => {
                let stores = sequences.iter_mut().map(|s| (s.ids.len(), s.cache.layer_mut(self.index)));
                KeyValues::append_each(k, v, &mut stores.collect::<Vec<_>>())?;
                let kept: Vec<_> =
                    sequences.iter().map(|s| (s.ids.len(), s.cache.layer(self.index))).collect();
                Ok(Attended::from(attention_cached(q, &kept, self.heads)?))
            }
        }
    }
}

/// Rows of sequences that follow each other, taken together where their adapters have the same thing.
fn runs<'a, T>(
    sequences: &[Continued<'a>],
    of: impl Fn(Option<&'a dyn Adapter>) -> Option<&'a T>,
) -> Vec<(usize, Option<&'a T>)> {
    let mut runs: Vec<(usize, Option<&'a T>)> = Vec::new();
    for sequence in sequences {
        let (rows, own) = (sequence.ids.len(), of(sequence.adapter));
        match runs.last_mut() {
            Some((all, last)) if last.map(std::ptr::from_ref) == own.map(std::ptr::from_ref) => *all += rows,
            _ => runs.push((rows, own)),
        }
    }
    runs
}
