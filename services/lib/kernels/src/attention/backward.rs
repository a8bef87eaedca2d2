//! The backward pass of attention: one task per sequence and key head, which draws the probabilities again block by block.

use std::ops::Range;

use super::{Heads, KEY_BLOCK, LANES, QUERY_BLOCK, forward::turn};
use crate::{
    Segments,
    cpu::Scatter,
    simd::{dispatch, dot, exp, madd},
    team,
    tile::{Left, Right, multiply},
};

/// What the forward pass read and left, and the gradient of its output.
pub(super) struct Inputs<'a> {
    /// [T, Hq * D]
    pub(super) q: &'a [f32],
    /// [T, Hkv * D]
    pub(super) k: &'a [f32],
    /// [T, Hkv * D]
    pub(super) v: &'a [f32],
    /// [T, Hq * D]
    pub(super) output: &'a [f32],
    /// [T, Hq]
    pub(super) log_sums: &'a [f32],
    /// [T, Hq * D]
    pub(super) dy: &'a [f32],
    pub(super) heads: Heads,
}

struct Task<'a> {
    inputs: &'a Inputs<'a>,
    rows: Range<usize>,
    key_head: usize,
}

/// A task's gradients: those of its queries [g, S, D], of its keys and of its values [S, D].
struct Gradients {
    dq: Vec<f32>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

/// Buffers of one block of scores.
struct Block {
    keys: Vec<f32>,
    values: Vec<f32>,
    weights: [f32; QUERY_BLOCK * KEY_BLOCK],
    slopes: [f32; QUERY_BLOCK * KEY_BLOCK],
}

/// Gradients of q, k and v, in their layouts.
pub(super) fn run(inputs: &Inputs<'_>, segments: &Segments) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let heads = inputs.heads;
    let [mut dq, mut dk, mut dv] = [inputs.q, inputs.k, inputs.v].map(|x| Vec::with_capacity(x.len()));
    let targets = [
        Scatter::fresh(&mut dq.spare_capacity_mut()[..inputs.q.len()], heads.query_width()),
        Scatter::fresh(&mut dk.spare_capacity_mut()[..inputs.k.len()], heads.key_width()),
        Scatter::fresh(&mut dv.spare_capacity_mut()[..inputs.v.len()], heads.key_width()),
    ];
    let ranges = segments.ranges().iter().filter(|rows| !rows.is_empty());
    let tasks: Vec<Task<'_>> = ranges
        .flat_map(|rows| (0..heads.key_value).map(|key_head| Task { inputs, rows: rows.clone(), key_head }))
        .collect();
    team::for_each(tasks.len(), |task| tasks[task].store(&tasks[task].gradients(), &targets));
    // SAFETY: the segments cover all rows and the key heads all columns, and each task sets its own.
    unsafe {
        dq.set_len(inputs.q.len());
        dk.set_len(inputs.k.len());
        dv.set_len(inputs.v.len());
    }
    (dq, dk, dv)
}

impl Task<'_> {
    fn gradients(&self) -> Gradients {
        let Heads { dim, .. } = self.inputs.heads;
        let (n, group) = (self.rows.len(), self.inputs.heads.group());
        let zeros = |rows: usize| vec![0_f32; rows * dim];
        let mut gradients = Gradients { dq: zeros(group * n), dk: zeros(n), dv: zeros(n) };
        run_task(self, &mut gradients);
        gradients
    }

    fn store(&self, gradients: &Gradients, [dq, dk, dv]: &[Scatter<'_>; 3]) {
        let Heads { dim, .. } = self.inputs.heads;
        let (n, group) = (self.rows.len(), self.inputs.heads.group());
        for (i, row) in self.rows.clone().enumerate() {
            for g in 0..group {
                let column = (self.key_head * group + g) * dim;
                // SAFETY: no two tasks share both a row and a key head, and so none writes these columns.
                unsafe { dq.copy(row, column, &gradients.dq[(g * n + i) * dim..][..dim]) };
            }
            let column = self.key_head * dim;
            // SAFETY: as above.
            unsafe {
                dk.copy(row, column, &gradients.dk[i * dim..][..dim]);
                dv.copy(row, column, &gradients.dv[i * dim..][..dim]);
            }
        }
    }

    /// Where row `i` of the sequence starts in a matrix of queries, for head `g` of the group.
    fn query_offset(&self, i: usize, g: usize) -> usize {
        let heads = self.inputs.heads;
        (self.rows.start + i) * heads.query_width() + (self.key_head * heads.group() + g) * heads.dim
    }

    fn key_offset(&self, j: usize) -> usize {
        let heads = self.inputs.heads;
        (self.rows.start + j) * heads.key_width() + self.key_head * heads.dim
    }
}

dispatch! {
    fn run_task(task: &Task<'_>, gradients: &mut Gradients) {
        let Heads { dim, sight, .. } = task.inputs.heads;
        let (n, group) = (task.rows.len(), task.inputs.heads.group());
        let deltas = deltas::<FMA>(task);
        let mut block = Block {
            keys: vec![0.0; dim * KEY_BLOCK],
            values: vec![0.0; dim * KEY_BLOCK],
            weights: [0.0; QUERY_BLOCK * KEY_BLOCK],
            slopes: [0.0; QUERY_BLOCK * KEY_BLOCK],
        };
        for first_key in (0..n).step_by(KEY_BLOCK) {
            let count = KEY_BLOCK.min(n - first_key);
            let (width, offset) = (task.inputs.heads.key_width(), task.key_offset(first_key));
            turn(&mut block.keys, 0, &task.inputs.k[offset..], (width, count, dim));
            turn(&mut block.values, 0, &task.inputs.v[offset..], (width, count, dim));
            let onto = sight.onto(&(first_key..first_key + count), n);
            for g in 0..group {
                for first in onto.clone().step_by(QUERY_BLOCK) {
                    let queries = first..(first + QUERY_BLOCK).min(onto.end);
                    let keys = first_key..(first_key + count).min(sight.of(queries.end - 1, n).end);
                    block.score::<FMA>(task, g, queries.clone(), keys.clone(), &deltas[g * n..]);
                    block.add(task, g, queries, keys, gradients);
                }
            }
        }
    }
}

/// Each query's `sum(dy * y)`, which is the sum of its weights times their gradients, [g, S].
#[inline(always)]
fn deltas<const FMA: bool>(task: &Task<'_>) -> Vec<f32> {
    let (n, dim) = (task.rows.len(), task.inputs.heads.dim);
    let mut deltas = vec![0_f32; task.inputs.heads.group() * n];
    // A loop rather than `map`: a closure would be compiled without the wide instructions.
    for (i, delta) in deltas.iter_mut().enumerate() {
        let row = task.query_offset(i % n, i / n);
        *delta = dot::<FMA>(&task.inputs.dy[row..][..dim], &task.inputs.output[row..][..dim]);
    }
    deltas
}

impl Block {
    /// Draws the weights of these queries and keys again, and the gradients of their scores.
    #[inline(always)]
    fn score<const FMA: bool>(
        &mut self,
        task: &Task<'_>,
        g: usize,
        queries: Range<usize>,
        keys: Range<usize>,
        deltas: &[f32],
    ) {
        let Inputs { q, dy, log_sums, heads, .. } = *task.inputs;
        let columns = keys.len().next_multiple_of(LANES);
        let sizes = (queries.len(), columns, heads.dim);
        let (row, start) = (heads.query_width(), task.query_offset(queries.start, g));
        let (keys_right, values_right) =
            (Right { data: &self.keys, row: KEY_BLOCK }, Right { data: &self.values, row: KEY_BLOCK });
        let left = |data| Left { data, row, column: 1 };
        multiply((&mut self.weights, KEY_BLOCK), false, sizes, left(&q[start..]), keys_right);
        multiply((&mut self.slopes, KEY_BLOCK), false, sizes, left(&dy[start..]), values_right);
        for (i, query) in queries.enumerate() {
            let seen = heads.sight.of(query, task.rows.len());
            let inside = |key: usize| key.saturating_sub(keys.start).min(keys.len());
            let head = task.key_head * heads.group() + g;
            let log_sum = log_sums[(task.rows.start + query) * heads.query + head];
            let weights = &mut self.weights[i * KEY_BLOCK..][..columns];
            let slopes = &mut self.slopes[i * KEY_BLOCK..][..columns];
            let (delta, scale) = (deltas[query], heads.scale());
            for (weight, slope) in weights.iter_mut().zip(slopes.iter_mut()) {
                *weight = exp::<FMA>(madd::<FMA>(*weight, scale, -log_sum));
                *slope = *weight * (*slope - delta) * scale;
            }
            for numbers in [weights, slopes] {
                numbers[..inside(seen.start)].fill(0.0);
                numbers[inside(seen.end)..].fill(0.0);
            }
        }
    }

    /// Adds what these queries and keys give to the gradients.
    #[inline(always)]
    fn add(
        &self,
        task: &Task<'_>,
        g: usize,
        queries: Range<usize>,
        keys: Range<usize>,
        gradients: &mut Gradients,
    ) {
        let Inputs { q, k, dy, heads, .. } = *task.inputs;
        let (dim, n) = (heads.dim, task.rows.len());
        let start = task.query_offset(queries.start, g);
        let rows = |data| Right { data, row: heads.query_width() };
        let transposed = |data| Left { data, row: 1, column: KEY_BLOCK };
        let sizes = (keys.len(), dim, queries.len());
        // dV += P^T dY, dK += dS^T Q, dQ += dS K
        let dv = &mut gradients.dv[keys.start * dim..];
        multiply((dv, dim), true, sizes, transposed(&self.weights), rows(&dy[start..]));
        let dk = &mut gradients.dk[keys.start * dim..];
        multiply((dk, dim), true, sizes, transposed(&self.slopes), rows(&q[start..]));
        let dq = &mut gradients.dq[(g * n + queries.start) * dim..];
        let left = Left { data: &self.slopes, row: KEY_BLOCK, column: 1 };
        let right = Right { data: &k[task.key_offset(keys.start)..], row: heads.key_width() };
        multiply((dq, dim), true, (queries.len(), dim, keys.len()), left, right);
    }
}
