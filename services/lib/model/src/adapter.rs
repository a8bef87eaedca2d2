//! The seam through which the decoder asks an adapter what it changes.

use std::ops::Range;

use candle_core::Tensor;
use rootstock_kernels::{
    FactorRows, LinearInput, LinearWeight, LoraMap, LoraPair, LoraRows, add, embedding, linear,
};

use crate::{Bottleneck, ModelError, Place, Projection};

/// What an adapter adds to a decoder; the decoder asks it at each projection, and at both ends.
pub trait Adapter: Send + Sync {
    /// What is done to a projection; nothing where the adapter leaves it alone.
    fn update(&self, layer: usize, projection: Projection) -> Update<'_>;

    /// A bias [out] f32 that takes the place of a projection's own; asked for where the base has one.
    fn bias(&self, _layer: usize, _projection: Projection) -> Option<&Tensor> {
        None
    }

    /// What is done to the output projection.
    fn head(&self) -> HeadChange<'_> {
        HeadChange::default()
    }

    /// What is done to the token embedding.
    fn embedding(&self) -> EmbeddingChange<'_> {
        EmbeddingChange::default()
    }

    /// What stands before the first token of each sequence.
    fn beginning(&self) -> Option<Beginning<'_>> {
        None
    }

    /// What is added to a block of a layer.
    fn bottleneck(&self, _layer: usize, _place: Place) -> Option<&Bottleneck> {
        None
    }
}

/// Virtual tokens before a sequence's first one: they take positions, are seen by all that follow, and have no logits and no loss.
#[derive(Clone, Copy, Debug)]
pub enum Beginning<'a> {
    /// Rows [n, H] f32 in the place of token embeddings (Lester et al., 2021, "The Power of Scale for Parameter-Efficient Prompt
    /// Tuning").
    Rows(&'a Tensor),
    /// Keys, which are not rotated, and values (Li and Liang, 2021, "Prefix-Tuning"): [n, layers * 2 * Hkv * D] f32, for each layer its
    /// keys and then its values.
    States(&'a Tensor),
}

impl Beginning<'_> {
    /// The number of virtual tokens.
    pub(crate) fn tokens(&self) -> Result<usize, ModelError> {
        let (Self::Rows(tensor) | Self::States(tensor)) = self;
        Ok(tensor.dim(0)?)
    }
}

/// What is done to the output of a linear map: `factors * (W x + the update of each pair in turn)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Update<'a> {
    /// One for a LoRA, several for a sum of them.
    pub pairs: &'a [LoraPair],
    /// DoRA's magnitudes over norms, [out]; ones if absent.
    pub factors: Option<&'a [f32]>,
    /// DoRA's magnitudes in training, [out] f32: the factors are made of them and of the norms as they are now, for whole sequences
    /// alone, so that training and its validations see every step. With one pair, and no `factors`.
    pub magnitude: Option<&'a Tensor>,
}

/// What is done to the output projection.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadChange<'a> {
    /// Takes the place of the base's, [V, H].
    pub weight: Option<&'a LinearWeight>,
    /// Done to its output.
    pub update: Update<'a>,
}

/// What is done to the token embedding.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddingChange<'a> {
    /// Takes the place of the base's, [V, H].
    pub table: Option<&'a LinearWeight>,
    /// Added to its rows.
    pub pair: Option<&'a EmbeddingPair>,
}

/// A low-rank update of an embedding (PEFT's `lora.Embedding`): `scale * B a` is added to a token's row, `a` being the token's column
/// of A.
#[derive(Clone, Debug)]
pub struct EmbeddingPair {
    /// A [r, V] turned over, so that a token's numbers lie together: [V, r], a tensor.
    pub a: LinearWeight,
    /// [H, r]
    pub b: LinearWeight,
    /// Multiplies the update.
    pub scale: f64,
}

impl<'a> From<Option<&'a LoraPair>> for Update<'a> {
    fn from(pair: Option<&'a LoraPair>) -> Self {
        Self { pairs: pair.map_or(&[], std::slice::from_ref), ..Self::default() }
    }
}

impl<'a> Update<'a> {
    /// Whether the output stays as it is.
    pub fn is_nothing(&self) -> bool {
        self.pairs.is_empty() && self.factors.is_none()
    }

    /// Whether it is at most one pair, rescaled or not: what can be trained.
    pub(crate) fn is_trainable(&self) -> bool {
        self.pairs.len() <= 1 && self.factors.is_none()
    }

    /// Notes in the map that this is done to the rows, which come after those noted before. Neighbours of one adapter are multiplied
    /// together.
    pub(crate) fn note(self, rows: Range<usize>, map: &mut LoraMap<'a>) {
        debug_assert!(self.magnitude.is_none(), "an adapter in training is for whole sequences");
        let first = map.groups.len().checked_sub(self.pairs.len());
        match first.filter(|first| self.goes_on(*first, rows.start, &map.groups)) {
            Some(first) => map.groups[first..].iter_mut().for_each(|group| group.rows.end = rows.end),
            None => map.groups.extend(self.pairs.iter().map(|pair| LoraRows { rows: rows.clone(), pair })),
        }
        let Some(factors) = self.factors else { return };
        match map.factors.last_mut() {
            Some(last) if std::ptr::eq(last.factors, factors) && last.rows.end == rows.start => {
                last.rows.end = rows.end;
            }
            _ => map.factors.push(FactorRows { rows, factors }),
        }
    }

    /// Whether the groups from `first` on are those of this very update, for the rows before `row`.
    fn goes_on(&self, first: usize, row: usize, groups: &[LoraRows<'_>]) -> bool {
        let same = |(group, pair): (&LoraRows<'_>, &LoraPair)| {
            std::ptr::eq(group.pair, pair) && group.rows.end == row
        };
        let all = groups[..first].last().is_none_or(|before| before.rows.end < row);
        all && groups[first..].iter().zip(self.pairs).all(same)
    }
}

impl HeadChange<'_> {
    pub(crate) fn is_nothing(&self) -> bool {
        self.weight.is_none() && self.update.is_nothing()
    }
}

impl EmbeddingChange<'_> {
    pub(crate) fn is_nothing(&self) -> bool {
        self.table.is_none() && self.pair.is_none()
    }

    /// Rows `ids` [n, H] f32 of the changed table.
    pub(crate) fn rows(&self, shared: &LinearWeight, ids: &[u32]) -> Result<Tensor, ModelError> {
        // Out of reach of a tape: the backward pass is written in `train`.
        let rows = embedding(&self.table.unwrap_or(shared).detach(), ids)?;
        let Some(pair) = self.pair else { return Ok(rows) };
        let low = embedding(&pair.a.detach(), ids)?; // [n, r]
        let update = (linear(&LinearInput::from(&low), &pair.b.detach())? * pair.scale)?; // [n, H]
        Ok(add(&rows, &update)?)
    }
}

/// Refuses an adapter whose gradients nobody computes.
pub(crate) fn check_trainable(adapter: &dyn Adapter, layers: usize) -> Result<(), ModelError> {
    let refuse = |name: String, problem: &str| {
        Err(ModelError::Parameter {
            name,
            problem: format!("{problem}, which can be served but not trained"),
        })
    };
    const SEVERAL: &str = "is changed by more than one LoRA pair or by fixed factors";
    for layer in 0..layers {
        for projection in Projection::ALL {
            if !adapter.update(layer, projection).is_trainable() {
                return refuse(projection.module_path(layer), SEVERAL);
            }
        }
    }
    let head = adapter.head().update;
    if !head.is_trainable() {
        return refuse("lm_head".to_owned(), SEVERAL);
    }
    match head.pairs.first() {
        Some(pair) if pair.dropout > 0.0 => refuse("lm_head".to_owned(), "has a pair with dropout"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn pair() -> LoraPair {
        let zeros = |shape| LinearWeight::from(Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap());
        LoraPair { a: zeros((1, 2)), b: zeros((2, 1)), scale: 1.0, dropout: 0.0 }
    }

    /// The rows of each group, and of each group of factors.
    fn noted(updates: &[Update<'_>]) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let weight = pair().a;
        let mut map = LoraMap { weight: &weight, groups: Vec::new(), factors: Vec::new() };
        updates.iter().enumerate().for_each(|(row, update)| update.note(row..row + 1, &mut map));
        let groups = map.groups.iter().map(|group| group.rows.clone()).collect();
        (groups, map.factors.iter().map(|group| group.rows.clone()).collect())
    }

    #[test]
    fn neighbours_with_the_same_update_are_taken_together_and_no_others() {
        let (own, other, factors) = ([pair(), pair()], [pair()], [1.0, 2.0]);
        let sum = Update { pairs: &own, ..Update::default() };
        let one = Update { pairs: &other, ..Update::default() };
        let last = Update { pairs: &own[1..], ..Update::default() };
        let scaled = Update { factors: Some(&factors), ..one };
        let nothing = Update::default();
        assert_eq!(noted(&[nothing; 3]), (vec![], vec![]));
        assert_eq!(noted(&[one, one, nothing, one]).0, [0..2, 3..4]);
        assert_eq!(noted(&[sum, sum, one]).0, [0..2, 0..2, 2..3]);
        assert_eq!(noted(&[sum, last, last]).0, [0..1, 0..1, 1..3]);
        assert_eq!(noted(&[scaled, scaled, one, scaled]), (vec![0..4], vec![0..2, 3..4]));
    }
}
