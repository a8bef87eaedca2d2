//! The forward pass of attention: tasks of a few queries and one key head each, with a running softmax over blocks of keys.

use std::ops::Range;

use super::{Heads, KEY_BLOCK, LANES, QUERY_BLOCK};
use crate::{
    cpu::Scatter,
    simd::{dispatch, exp, greater, sum_lanes},
    team,
    tile::{Left, Right, multiply},
};

/// Products of a score below which the tasks are not worth other threads.
const PARALLEL_FROM: usize = 64 * 1024;

/// Consecutive queries of one sequence.
#[derive(Clone, Debug)]
pub(super) struct Queries {
    /// Their rows in the query matrix.
    pub(super) rows: Range<usize>,
    /// Position of the first one in its sequence.
    pub(super) position: usize,
}

/// Up to [`KEY_BLOCK`] consecutive keys and values of one sequence; all blocks but its last are full.
#[derive(Clone, Copy)]
pub(super) struct KeyBlock<'a> {
    /// [Hkv * D, KEY_BLOCK]: a column for each key, finite numbers where there is none.
    pub(super) keys: &'a [f32],
    /// [n, Hkv * D]
    pub(super) values: &'a [f32],
}

/// A sequence's new queries, and its keys and values from its first token on.
pub(super) struct Sequence<'a> {
    pub(super) queries: Queries,
    pub(super) blocks: Vec<KeyBlock<'a>>,
}

struct Task<'a> {
    q: &'a [f32],
    queries: Queries,
    blocks: &'a [KeyBlock<'a>],
    key_head: usize,
    heads: Heads,
}

/// A task's results, by head of its group and query: unscaled sums [g, n, D], maxima [g, n], sums of exponentials [g, n].
struct Running {
    values: Vec<f32>,
    maxima: Vec<f32>,
    sums: Vec<f32>,
}

/// Attention for several sequences of one query matrix: the output [T, Hq * D] and the log-sums [T, Hq].
pub(super) fn run(q: &[f32], sequences: &[Sequence<'_>], heads: Heads) -> (Vec<f32>, Vec<f32>) {
    let mut output = vec![0_f32; q.len()];
    let mut log_sums = vec![0_f32; q.len() / heads.dim];
    let tasks = tasks(q, sequences, heads);
    let work: usize = tasks.iter().map(|t| t.queries.rows.len() * (t.queries.position + QUERY_BLOCK)).sum();
    {
        let output = Scatter::new(&mut output, heads.query_width());
        let log_sums = Scatter::new(&mut log_sums, heads.query);
        let run = |task: &Task<'_>| {
            let running = attend(task);
            task.store(&running, &output, &log_sums);
        };
        if work * heads.group() * heads.dim < PARALLEL_FROM {
            tasks.iter().for_each(run);
        } else {
            team::for_each(tasks.len(), |task| run(&tasks[task]));
        }
    }
    (output, log_sums)
}

fn tasks<'a>(q: &'a [f32], sequences: &'a [Sequence<'a>], heads: Heads) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for Sequence { queries, blocks } in sequences {
        for key_head in 0..heads.key_value {
            for start in queries.rows.clone().step_by(QUERY_BLOCK) {
                let rows = start..(start + QUERY_BLOCK).min(queries.rows.end);
                let position = queries.position + start - queries.rows.start;
                tasks.push(Task { q, queries: Queries { rows, position }, blocks, key_head, heads });
            }
        }
    }
    tasks
}

impl Task<'_> {
    fn store(&self, running: &Running, output: &Scatter<'_>, log_sums: &Scatter<'_>) {
        let (Heads { dim, .. }, group) = (self.heads, self.heads.group());
        let n = self.queries.rows.len();
        for (i, sum) in running.sums.iter().enumerate() {
            let (row, head) = (self.queries.rows.start + i % n, self.key_head * group + i / n);
            // SAFETY: no two tasks share both a row and a key head, and so none writes these columns of this row.
            let (y, log_sum) = unsafe { (output.part(row, head * dim, dim), log_sums.part(row, head, 1)) };
            for (y, value) in y.iter_mut().zip(&running.values[i * dim..][..dim]) {
                *y = value / sum;
            }
            log_sum[0] = running.maxima[i] + sum.ln();
        }
    }
}

fn attend(task: &Task<'_>) -> Running {
    let rows = task.heads.group() * task.queries.rows.len();
    let mut running = Running {
        values: vec![0.0; rows * task.heads.dim],
        maxima: vec![f32::NEG_INFINITY; rows],
        sums: vec![0.0; rows],
    };
    attend_all(task, &mut running);
    running
}

dispatch! {
    fn attend_all(task: &Task<'_>, running: &mut Running) {
        let Task { q, queries, blocks, key_head, heads } = task;
        let (dim, n) = (heads.dim, queries.rows.len());
        let visible = queries.position + n;
        // The heads of a group read the same keys: those of a single query are taken together.
        let (rounds, rows, stride) = match heads.group() {
            group @ ..=QUERY_BLOCK if n == 1 => (1, group, dim),
            group => (group, n, heads.query_width()),
        };
        let mut scores = [0_f32; QUERY_BLOCK * KEY_BLOCK];
        for (block, first) in blocks.iter().zip((0..visible).step_by(KEY_BLOCK)) {
            let count = KEY_BLOCK.min(visible - first);
            let keys = &block.keys[key_head * dim * KEY_BLOCK..][..dim * KEY_BLOCK];
            for g in 0..rounds {
                let start = queries.rows.start * heads.query_width() + (key_head * heads.group() + g) * dim;
                let left = Left { data: &q[start..], row: stride, column: 1 };
                let right = Right { data: keys, row: KEY_BLOCK };
                let columns = count.next_multiple_of(LANES);
                multiply((&mut scores, KEY_BLOCK), false, (rows, columns, dim), left, right);
                for i in 0..rows {
                    let seen = (queries.position + i.min(n - 1) + 1).saturating_sub(first).min(count);
                    let row = &mut scores[i * KEY_BLOCK..][..columns];
                    let at = g * n + i;
                    let values = &mut running.values[at * dim..][..dim];
                    soften::<FMA>(row, seen, heads.scale(), &mut running.maxima[at], &mut running.sums[at], values);
                }
                let values = &mut running.values[g * rows * dim..][..rows * dim];
                let left = Left { data: &scores, row: KEY_BLOCK, column: 1 };
                let right = Right { data: &block.values[key_head * dim..], row: heads.key_width() };
                multiply((values, dim), true, (rows, dim, count), left, right);
            }
        }
    }
}

/// Copies `count` rows of width `width`, `stride` apart, into columns of a [width, KEY_BLOCK] block, from column `at` on.
#[inline(always)]
pub(super) fn turn(
    block: &mut [f32],
    at: usize,
    rows: &[f32],
    (stride, count, width): (usize, usize, usize),
) {
    /// Columns written together, so that the lines they lie in stay in the first-level cache.
    const STRIP: usize = 32;
    for first in (0..width).step_by(STRIP) {
        let strip = STRIP.min(width - first);
        for j in 0..count {
            for (d, value) in rows[j * stride + first..][..strip].iter().enumerate() {
                block[(first + d) * KEY_BLOCK + at + j] = *value;
            }
        }
    }
}

/// Turns a row of scores into exponentials against the running maximum; the first `seen` keys count.
#[inline(always)]
fn soften<const FMA: bool>(
    row: &mut [f32],
    seen: usize,
    scale: f32,
    maximum: &mut f32,
    sum: &mut f32,
    values: &mut [f32],
) {
    if seen == 0 {
        row.fill(0.0);
        return;
    }
    row[seen..].fill(f32::NEG_INFINITY);
    let mut lanes = [*maximum; LANES];
    for part in row.as_chunks_mut::<LANES>().0 {
        for (score, lane) in part.iter_mut().zip(&mut lanes) {
            *score *= scale;
            *lane = greater(*score, *lane);
        }
    }
    let highest = lanes.into_iter().fold(*maximum, greater);
    if highest > *maximum {
        let shrink = exp::<FMA>(*maximum - highest);
        *sum *= shrink;
        values.iter_mut().for_each(|value| *value *= shrink);
        *maximum = highest;
    }
    let mut lanes = [0_f32; LANES];
    for part in row.as_chunks_mut::<LANES>().0 {
        for (score, lane) in part.iter_mut().zip(&mut lanes) {
            *score = exp::<FMA>(*score - highest);
            *lane += *score;
        }
    }
    *sum += sum_lanes(lanes);
}
