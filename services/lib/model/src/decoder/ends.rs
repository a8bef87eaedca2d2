//! Both ends of the decoder, the token embedding and the output projection, where each sequence may bring matrices of its own.

use candle_core::Tensor;
use rootstock_kernels::{
    LinearInput, LinearWeight, LoraMap, LossOptions, LossSum, cross_entropy, cross_entropy_of_logits,
    embedding, linear, lora_linear_rows,
};

use super::Decoder;
use crate::{
    Adapter, ModelError,
    adapter::{EmbeddingChange, HeadChange},
    layer::Continued,
    train::Updated,
};

/// Tokens whose logits are in memory at a time where the loss isn't made together with them.
const LOSS_ROWS: usize = 64;

/// Consecutive rows, and the adapter they are computed with.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) rows: usize,
    pub(crate) adapter: Option<&'a dyn Adapter>,
}

impl<'a> Owner<'a> {
    /// All of a sequence's rows.
    pub(super) fn of(sequence: &Continued<'a>) -> Self {
        Self { rows: sequence.ids.len(), adapter: sequence.adapter }
    }

    fn embedding(&self) -> EmbeddingChange<'a> {
        self.adapter.map(|adapter| adapter.embedding()).unwrap_or_default()
    }

    fn head(&self) -> HeadChange<'a> {
        self.adapter.map(|adapter| adapter.head()).unwrap_or_default()
    }
}

/// The rows that one matrix turns into logits.
struct Heads<'a> {
    map: LoraMap<'a>,
    rows: Vec<u32>,
}

impl Decoder {
    /// The rows [n, H] of tokens, whose owners follow each other.
    pub(crate) fn embed(&self, ids: &[u32], owners: &[Owner<'_>]) -> Result<Tensor, ModelError> {
        let shared = self.embedding.numbers();
        if owners.iter().all(|owner| owner.embedding().is_nothing()) {
            return Ok(embedding(shared, ids)?);
        }
        let (mut parts, mut rest) = (Vec::with_capacity(owners.len()), ids);
        for owner in owners {
            let (own, others) = rest.split_at(owner.rows);
            parts.push(owner.embedding().rows(shared, own)?);
            rest = others;
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// Logits [n, V] of normed hidden states `x` [n, H], whose owners follow each other. Each matrix is read once, however its rows
    /// are scattered.
    pub(crate) fn logits(&self, x: &Tensor, owners: &[Owner<'_>]) -> Result<Tensor, ModelError> {
        let shared = self.head().numbers();
        if owners.iter().all(|owner| owner.head().is_nothing()) {
            return Ok(linear(&LinearInput::from(x), shared)?);
        }
        let heads = by_matrix(shared, owners);
        let (mut parts, mut places) = (Vec::with_capacity(heads.len()), vec![0; x.dim(0)?]);
        let mut place = 0;
        for Heads { map, rows } in heads {
            rows.iter().zip(place..).for_each(|(row, place)| places[*row as usize] = place);
            place += rows.len() as u32;
            let own = x.index_select(&self.index(rows)?, 0)?;
            parts.append(&mut lora_linear_rows(&LinearInput::from(&own), &[map])?);
        }
        Ok(Tensor::cat(&parts, 0)?.index_select(&self.index(places)?, 0)?)
    }

    /// The summed loss of normed hidden states `x` [T, H] against labels.
    pub(crate) fn loss(
        &self,
        x: &Tensor,
        labels: &[i64],
        adapter: Option<&dyn Adapter>,
    ) -> Result<LossSum, ModelError> {
        let HeadChange { weight, update } = Owner { rows: labels.len(), adapter }.head();
        let weight = weight.unwrap_or(self.head().numbers()).detach();
        if update.is_nothing() {
            return Ok(cross_entropy(x, &weight, labels, &LossOptions::default())?);
        }
        if let (Some(_), Some(updated)) = (update.magnitude, Updated::new(&weight, update)?) {
            return Ok(cross_entropy(x, &updated.weight, labels, &LossOptions::default())?);
        }
        let mut loss = LossSum::default();
        for (chunk, labels) in labels.chunks(LOSS_ROWS).enumerate() {
            let x = x.narrow(0, chunk * LOSS_ROWS, labels.len())?;
            let logits = self.logits(&x, &[Owner { rows: labels.len(), adapter }])?;
            loss += cross_entropy_of_logits(&logits, labels)?;
        }
        Ok(loss)
    }
}

/// Gathers the rows by whose matrix they use.
fn by_matrix<'a>(shared: &'a LinearWeight, owners: &[Owner<'a>]) -> Vec<Heads<'a>> {
    let (mut heads, mut first): (Vec<Heads<'a>>, u32) = (Vec::new(), 0);
    for owner in owners {
        let change = owner.head();
        let weight = change.weight.unwrap_or(shared);
        let known = heads.iter().position(|head| std::ptr::eq(head.map.weight, weight));
        let index = known.unwrap_or_else(|| {
            let map = LoraMap { weight, groups: Vec::new(), factors: Vec::new() };
            heads.push(Heads { map, rows: Vec::new() });
            heads.len() - 1
        });
        let Heads { map, rows } = &mut heads[index];
        let start = rows.len();
        rows.extend(first..first + owner.rows as u32);
        change.update.note(start..rows.len(), map);
        first += owner.rows as u32;
    }
    heads
}
