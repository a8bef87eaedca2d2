//! Attention by its definition, in candle's operations: for devices without a kernel, and as the kernels' reference.

use candle_core::{D, Result, Tensor};

use super::Heads;
use crate::Segments;

pub(super) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    segments: &Segments,
    heads: Heads,
) -> Result<Tensor> {
    let mut outputs = Vec::new();
    for range in segments.ranges().iter().filter(|range| !range.is_empty()) {
        let rows = |t: &Tensor| t.narrow(0, range.start, range.len());
        outputs.push(one(&rows(q)?, &rows(k)?, &rows(v)?, heads)?);
    }
    if outputs.is_empty() { q.zeros_like() } else { Tensor::cat(&outputs, 0) }
}

/// Attention of the last queries of one sequence, `q` [n, Hq * D], to what they see of it, `k` and `v` [S, Hkv * D].
pub(super) fn one(q: &Tensor, k: &Tensor, v: &Tensor, heads: Heads) -> Result<Tensor> {
    let (queries, keys) = (q.dim(0)?, k.dim(0)?);
    let q = q.reshape((queries, heads.query, heads.dim))?.transpose(0, 1)?.contiguous()?; // [Hq, n, D]
    let spread = |t: &Tensor| {
        let t = t.reshape((keys, heads.key_value, 1, heads.dim))?;
        let t = t.broadcast_as((keys, heads.key_value, heads.group(), heads.dim))?;
        t.reshape((keys, heads.query, heads.dim))?.transpose(0, 1)?.contiguous() // [Hq, S, D]
    };
    let (k, v) = (spread(k)?, spread(v)?);
    let scores = (q.matmul(&k.t()?)? * f64::from(heads.scale()))?; // [Hq, n, S]
    let seen = |i: usize| heads.sight.of(keys - queries + i, keys);
    let hidden = |i: usize, j: usize| if seen(i).contains(&j) { 0.0 } else { f32::NEG_INFINITY };
    let mask: Vec<f32> = (0..queries * keys).map(|x| hidden(x / keys, x % keys)).collect();
    let scores = scores.broadcast_add(&Tensor::from_vec(mask, (queries, keys), q.device())?)?;
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    let weights = shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?;
    weights.matmul(&v)?.transpose(0, 1)?.reshape((queries, heads.query_width()))
}
