//! Attention with grouped queries (Vaswani et al., 2017; Ainslie et al., 2023), to all earlier tokens, to the last ones of them, or to
//! all tokens: forward and backward without a matrix of all scores, by the running softmax of FlashAttention (Dao et al., 2022).

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use crate::{
    Segments,
    composed::{gradients, has_kernels},
    cpu::{floats, slice, tensor},
    team,
};
use forward::{KeyBlock, Queries, Sequence};

mod backward;
mod cache;
mod forward;
mod page;
mod plain;

pub use cache::{KeyValues, attention_cached};
pub use page::KeyValuePage;

/// Keys are taken in blocks of this many, aligned to their position, whatever the query: so a query's result has the same bits
/// whether its keys were cached or computed with it.
const KEY_BLOCK: usize = 64;
/// Scores of a row that are worked on together; a block holds whole numbers of them.
const LANES: usize = 16;
/// Queries of one task.
const QUERY_BLOCK: usize = 32;

/// Which tokens of its sequence a token attends to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Itself and all earlier ones.
    #[default]
    Past,
    /// Itself and the earlier ones, so many in all, at least one (Beltagy et al., 2020; transformers' `sliding_window`).
    Window(usize),
    /// All of them.
    All,
}

impl Sight {
    /// The keys that the query at a position sees, of those in a sequence of `keys`.
    fn of(self, position: usize, keys: usize) -> Range<usize> {
        match self {
            Self::Past => 0..position + 1,
            Self::Window(tokens) => (position + 1).saturating_sub(tokens)..position + 1,
            Self::All => 0..keys,
        }
    }

    /// The queries that see at least one of these keys, in a sequence of `tokens`.
    fn onto(self, keys: &Range<usize>, tokens: usize) -> Range<usize> {
        match self {
            Self::Past => keys.start..tokens,
            Self::Window(window) => keys.start..(keys.end - 1).saturating_add(window).min(tokens),
            Self::All => 0..tokens,
        }
    }
}

/// How the width of a row is divided into heads, and what they see; `key_value` divides `query`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Number of query heads.
    pub query: usize,
    /// Number of key and value heads; query head `h` reads head `h / (query / key_value)`.
    pub key_value: usize,
    /// Width of a head.
    pub dim: usize,
    /// What each of them sees.
    pub sight: Sight,
}

impl Heads {
    fn group(self) -> usize {
        self.query / self.key_value
    }

    fn query_width(self) -> usize {
        self.query * self.dim
    }

    fn key_width(self) -> usize {
        self.key_value * self.dim
    }

    /// Scores are divided by the root of the head's width.
    fn scale(self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }
}

/// What attention leaves for its backward pass.
#[derive(Clone, Debug)]
pub struct Attended {
    /// [T, Hq * D] f32.
    pub output: Tensor,
    /// Logarithm of each query's sum of exponentials, [T, Hq]; absent on devices that compute it again.
    log_sums: Option<Tensor>,
}

impl From<Tensor> for Attended {
    /// An output whose backward pass must compute the scores' sums again, if it has one.
    fn from(output: Tensor) -> Self {
        Self { output, log_sums: None }
    }
}

/// Attention of each token to the tokens of its segment that its heads see, for `q` [T, Hq * D] and `k`, `v` [T, Hkv * D], f32.
/// Differentiable in all three. Tokens out of sight have weight zero, which hides finite numbers alone.
///
/// # Errors
/// When the shapes don't fit the heads or the segments.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, segments: &Segments, heads: Heads) -> Result<Tensor> {
    Ok(attention_forward((q, k, v), segments, heads)?.output)
}

/// [`attention`], with what [`attention_backward`] needs beside the output.
///
/// # Errors
/// As [`attention`].
pub fn attention_forward(
    (q, k, v): (&Tensor, &Tensor, &Tensor),
    segments: &Segments,
    heads: Heads,
) -> Result<Attended> {
    check(q, k, v, segments, heads)?;
    if !has_kernels(q.device()) {
        return Ok(Attended { output: plain::attention(q, k, v, segments, heads)?, log_sums: None });
    }
    let log_sums = Arc::new(OnceLock::new());
    let op = Attention { segments: segments.clone(), heads, log_sums: log_sums.clone() };
    let output = q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op)?;
    Ok(Attended { output, log_sums: log_sums.get().cloned() })
}

/// Gradients of [`attention`] for q, k and v, for the output gradient `dy` [T, Hq * D].
///
/// # Errors
/// When the shapes don't fit.
pub fn attention_backward(
    (q, k, v): (&Tensor, &Tensor, &Tensor),
    attended: &Attended,
    dy: &Tensor,
    segments: &Segments,
    heads: Heads,
) -> Result<(Tensor, Tensor, Tensor)> {
    check(q, k, v, segments, heads)?;
    if dy.shape() != q.shape() {
        bail!("attention: gradient {:?} does not fit queries {:?}", dy.shape(), q.shape());
    }
    let Some(log_sums) = &attended.log_sums else {
        let grads = gradients(&[q, k, v], dy, |t| plain::attention(&t[0], &t[1], &t[2], segments, heads))?;
        return Ok((grads[0].clone(), grads[1].clone(), grads[2].clone()));
    };
    let (output, log_sums) = (floats(&attended.output)?, floats(log_sums)?);
    let (q_values, k_values, v_values, dy) = (floats(q)?, floats(k)?, floats(v)?, floats(dy)?);
    let inputs = backward::Inputs {
        q: &q_values,
        k: &k_values,
        v: &v_values,
        output: &output,
        log_sums: &log_sums,
        dy: &dy,
        heads,
    };
    let (dq, dk, dv) = backward::run(&inputs, segments);
    Ok((tensor(dq, q.shape())?, tensor(dk, k.shape())?, tensor(dv, v.shape())?))
}

fn check(q: &Tensor, k: &Tensor, v: &Tensor, segments: &Segments, heads: Heads) -> Result<()> {
    let tokens = segments.tokens();
    if heads.key_value == 0 || !heads.query.is_multiple_of(heads.key_value) {
        bail!("attention: {} key heads do not divide {} query heads", heads.key_value, heads.query);
    }
    if heads.sight == Sight::Window(0) {
        bail!("attention: a window of no tokens");
    }
    if q.dims2()? != (tokens, heads.query_width()) {
        bail!("attention: queries {:?} do not fit {tokens} tokens and {heads:?}", q.shape());
    }
    if k.dims2()? != (tokens, heads.key_width()) || v.shape() != k.shape() {
        bail!(
            "attention: keys {:?}, values {:?} do not fit {tokens} tokens, {heads:?}",
            k.shape(),
            v.shape()
        );
    }
    Ok(())
}

fn packed(q: &[f32], k: &[f32], v: &[f32], segments: &Segments, heads: Heads) -> (Vec<f32>, Vec<f32>) {
    let width = heads.key_width();
    let starts = segments.ranges().iter().flat_map(|range| {
        range.clone().step_by(KEY_BLOCK).map(move |first| first..(first + KEY_BLOCK).min(range.end))
    });
    let blocks: Vec<Range<usize>> = starts.collect();
    let mut keys = vec![0_f32; blocks.len() * KEY_BLOCK * width];
    team::chunks_mut(&mut keys, KEY_BLOCK * width, |block, keys| {
        let rows = &blocks[block];
        forward::turn(keys, 0, &k[rows.start * width..], (width, rows.len(), width));
    });
    let blocks = keys
        .chunks_exact(KEY_BLOCK * width)
        .zip(&blocks)
        .map(|(keys, rows)| KeyBlock::Numbers { keys, values: &v[rows.start * width..rows.end * width] });
    let blocks: Vec<KeyBlock<'_>> = blocks.collect();
    let mut left = &blocks[..];
    let sequence = |range: &Range<usize>| {
        let blocks;
        (blocks, left) = left.split_at(range.len().div_ceil(KEY_BLOCK));
        Sequence { queries: Queries { rows: range.clone(), position: 0 }, blocks }
    };
    let sequences: Vec<Sequence<'_>> = segments.ranges().iter().map(sequence).collect();
    forward::run(q, &sequences, heads)
}

struct Attention {
    segments: Segments,
    heads: Heads,
    /// Filled by the forward pass.
    log_sums: Arc<OnceLock<Tensor>>,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k, v) = (slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        let (output, log_sums) = packed(q, k, v, &self.segments, self.heads);
        let log_sums = tensor(log_sums, (self.segments.tokens(), self.heads.query))?;
        self.log_sums.get_or_init(|| log_sums);
        Ok((CpuStorage::F32(output), l1.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        output: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let attended = Attended { output: output.detach(), log_sums: self.log_sums.get().cloned() };
        let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
        let inputs = (&q, &k, &v);
        let (dq, dk, dv) =
            attention_backward(inputs, &attended, &dy.contiguous()?, &self.segments, self.heads)?;
        Ok((Some(dq), Some(dk), Some(dv)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, flat, same_values_and_gradients, variable};

    fn heads(query: usize, key_value: usize, dim: usize) -> Heads {
        Heads { query, key_value, dim, sight: Sight::Past }
    }

    fn qkv(tokens: usize, heads: Heads) -> [candle_core::Var; 3] {
        let key_width = heads.key_width();
        [
            variable(1, (tokens, heads.query_width())),
            variable(2, (tokens, key_width)),
            variable(3, (tokens, key_width)),
        ]
    }

    #[test]
    fn values_and_gradients_agree_with_the_definition_at_odd_sizes() {
        let cases: [(&[usize], Heads); 7] = [
            (&[1], heads(1, 1, 2)),
            (&[5], heads(4, 2, 6)),
            (&[64], heads(2, 1, 16)),
            (&[65, 1, 33], heads(6, 3, 32)),
            (&[0, 3, 0], heads(3, 3, 10)),
            (&[130], heads(8, 2, 24)),
            (&[31, 32, 33, 97], heads(2, 2, 8)),
        ];
        let sights = [Sight::Past, Sight::Window(2), Sight::Window(20), Sight::Window(64), Sight::All];
        for ((lengths, heads), sight) in cases.into_iter().flat_map(|case| sights.map(|sight| (case, sight)))
        {
            let (segments, heads) = (Segments::new(lengths), Heads { sight, ..heads });
            same_values_and_gradients(
                &qkv(segments.tokens(), heads),
                |t| attention(&t[0], &t[1], &t[2], &segments, heads),
                |t| plain::attention(&t[0], &t[1], &t[2], &segments, heads),
            );
        }
    }

    #[test]
    fn no_tokens_give_no_output() {
        let (segments, heads) = (Segments::new(&[]), heads(4, 2, 16));
        let [q, k, v] = qkv(0, heads);
        let attended = attention_forward((&q, &k, &v), &segments, heads).unwrap();
        assert_eq!(attended.output.dims(), &[0, 64]);
        let (dq, ..) = attention_backward((&q, &k, &v), &attended, &q, &segments, heads).unwrap();
        assert_eq!(dq.dims(), &[0, 64]);
    }

    #[test]
    fn huge_scores_pick_one_key_and_stay_finite() {
        let (segments, heads) = (Segments::new(&[70]), heads(1, 1, 2));
        let [q, k, v] = qkv(70, heads);
        let q = (q.as_tensor() * 1e4).unwrap();
        let expected = plain::attention(&q, &k, &v, &segments, heads).unwrap();
        let attended = attention_forward((&q, &k, &v), &segments, heads).unwrap();
        assert_close(&attended.output, &expected, 1e-4);
        let (dq, dk, dv) = attention_backward((&q, &k, &v), &attended, &q, &segments, heads).unwrap();
        assert!([dq, dk, dv].iter().all(|t| flat(t).iter().all(|v| v.is_finite())));
    }

    #[test]
    fn a_sequence_does_not_depend_on_what_is_packed_with_it() {
        for sight in [Sight::Past, Sight::Window(30), Sight::All] {
            let heads = Heads { sight, ..heads(4, 2, 16) };
            let [q, k, v] = qkv(150, heads);
            let together = attention(&q, &k, &v, &Segments::new(&[50, 100]), heads).unwrap();
            let part = |t: &Tensor| t.narrow(0, 50, 100).unwrap();
            let alone = attention(&part(&q), &part(&k), &part(&v), &Segments::new(&[100]), heads).unwrap();
            assert_close(&alone, &part(&together), 0.0);
        }
    }

    #[test]
    fn a_window_as_long_as_the_sequence_gives_the_bits_of_no_window() {
        let past = heads(4, 2, 16);
        let (segments, wide) = (Segments::new(&[150]), Heads { sight: Sight::Window(150), ..past });
        let [q, k, v] = qkv(150, past);
        let run = |heads| {
            let attended = attention_forward((&q, &k, &v), &segments, heads).unwrap();
            let (dq, dk, dv) = attention_backward((&q, &k, &v), &attended, &q, &segments, heads).unwrap();
            [attended.output, dq, dk, dv]
        };
        run(wide).iter().zip(run(past)).for_each(|(found, expected)| assert_close(found, &expected, 0.0));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let [q, k, v] = qkv(10, heads(4, 2, 16));
        assert!(attention(&q, &k, &v, &Segments::new(&[9]), heads(4, 2, 16)).is_err());
        assert!(attention(&q, &k, &v, &Segments::new(&[10]), heads(4, 3, 16)).is_err());
        assert!(attention(&q, &k, &v, &Segments::new(&[10]), heads(2, 2, 32)).is_err());
        let blind = Heads { sight: Sight::Window(0), ..heads(4, 2, 16) };
        assert!(attention(&q, &k, &v, &Segments::new(&[10]), blind).is_err());
    }
}
