//! The forward pass of attention: tasks of a few queries and one key head each, with a running softmax over blocks of keys.

use std::{cell::RefCell, ops::Range};

use super::{Heads, KEY_BLOCK, LANES, QUERY_BLOCK};
use crate::{
    cpu::Scatter,
    gemm::{pack_pairs, prefetch, words_of},
    simd::{dispatch, exp, greater, greatest_lane, sum_lanes},
    team,
    tile::{Left, PairPanels, Right, multiply, multiply_pairs},
};

/// Products of a score below which the tasks are not worth other threads.
const PARALLEL_FROM: usize = 64 * 1024;
/// Sequences for each thread from which on they are not shared out by heads.
const SEQUENCES_EACH: usize = 4;

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
pub(super) enum KeyBlock<'a> {
    /// f32: a column of keys [Hkv * D, KEY_BLOCK] for each token, finite numbers where there is none, and rows of values
    /// [n, Hkv * D].
    Numbers { keys: &'a [f32], values: &'a [f32] },
    /// bf16: for each head in turn, panels of 32 columns: keys in pairs along the head [D / 2, KEY_BLOCK], values in pairs of tokens
    /// [KEY_BLOCK / 2, D], zeros where there is none. Queries and weights are rounded to bf16 too.
    Pairs { keys: &'a [u32], values: &'a [u32] },
}

/// A sequence's new queries, and its keys and values from its first token on.
pub(super) struct Sequence<'a> {
    pub(super) queries: Queries,
    pub(super) blocks: &'a [KeyBlock<'a>],
}

struct Task<'a> {
    q: &'a [f32],
    queries: Queries,
    /// Tokens of the whole sequence.
    keys: usize,
    blocks: &'a [KeyBlock<'a>],
    key_head: usize,
    heads: Heads,
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
        let together = together(&tasks, sequences.len(), heads);
        let run = |number: usize| {
            let next = tasks.get((number + team::threads()) * together);
            attend(&tasks[number * together..][..together], next, (&output, &log_sums));
        };
        if work * heads.group() * heads.dim < PARALLEL_FROM {
            (0..tasks.len() / together).for_each(run);
        } else {
            team::for_each(tasks.len() / together, run);
        }
    }
    (output, log_sums)
}

/// How many tasks go through their blocks of keys and values together: all heads of a sequence, where each has one query and there are
/// sequences enough for all threads. A block lies in memory in one piece, and memory is fastest where all of it is read.
fn together(tasks: &[Task<'_>], sequences: usize, heads: Heads) -> usize {
    let single =
        tasks.len() == sequences * heads.key_value && tasks.iter().all(|task| task.queries.rows.len() == 1);
    if single && sequences >= SEQUENCES_EACH * team::threads() { heads.key_value } else { 1 }
}

fn tasks<'a>(q: &'a [f32], sequences: &[Sequence<'a>], heads: Heads) -> Vec<Task<'a>> {
    let mut tasks = Vec::with_capacity(sequences.len() * heads.key_value);
    for Sequence { queries, blocks } in sequences {
        let keys = queries.position + queries.rows.len();
        for key_head in 0..heads.key_value {
            for start in queries.rows.clone().step_by(QUERY_BLOCK) {
                let rows = start..(start + QUERY_BLOCK).min(queries.rows.end);
                let position = queries.position + start - queries.rows.start;
                tasks.push(Task { q, queries: Queries { rows, position }, keys, blocks, key_head, heads });
            }
        }
    }
    tasks
}

/// Queries of a task that are multiplied together, and what has come of them so far.
#[derive(Default)]
struct Round {
    /// The queries, where keys are pairs of bf16: [rows, words].
    queries: Vec<u32>,
    /// Scores of a block's keys, and then their exponentials: [rows, KEY_BLOCK].
    scores: Vec<f32>,
    /// The exponentials, where values are pairs of bf16: [rows, words].
    weights: Vec<u32>,
    /// Unscaled sums of values: [rows, D].
    values: Vec<f32>,
    /// The greatest score of each row.
    maxima: Vec<f32>,
    /// Sums of exponentials of each row.
    sums: Vec<f32>,
}

/// What a thread works in, kept so that its memory is not asked for again.
#[derive(Default)]
struct Scratch {
    /// A task's rounds after those of the tasks before it.
    rounds: Vec<Round>,
    /// Queries that are gathered to be packed.
    rows: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Computes tasks of the same queries; asks memory for the beginning of the one that this thread will probably do next.
fn attend(tasks: &[Task<'_>], next: Option<&Task<'_>>, (output, log_sums): (&Scatter<'_>, &Scatter<'_>)) {
    let mut scratch = SCRATCH.take();
    let groups = tasks[0].groups();
    let count = tasks.len() * groups.rounds;
    if scratch.rounds.len() < count {
        scratch.rounds.resize_with(count, Round::default);
    }
    let Scratch { rounds, rows } = &mut scratch;
    let rounds = &mut rounds[..count];
    for (task, rounds) in tasks.iter().zip(rounds.chunks_exact_mut(groups.rounds)) {
        task.begin(&groups, rounds, rows);
    }
    attend_all(tasks, next, &groups, rounds);
    for (task, rounds) in tasks.iter().zip(rounds.chunks_exact(groups.rounds)) {
        task.store(&groups, rounds, output, log_sums);
    }
    SCRATCH.set(scratch);
}

dispatch! {
    fn attend_all(tasks: &[Task<'_>], next: Option<&Task<'_>>, groups: &Groups, rounds: &mut [Round]) {
        let Task { queries, keys, blocks, heads, .. } = &tasks[0];
        let n = queries.rows.len();
        let visible = heads.sight.of(queries.position + n - 1, *keys).end;
        // A block that none of the queries sees would change nothing.
        let unseen = heads.sight.of(queries.position, *keys).start / KEY_BLOCK;
        let ends = (0..visible).step_by(KEY_BLOCK).enumerate();
        for (block, (index, first)) in blocks.iter().zip(ends).skip(unseen) {
            let keys = first..(first + KEY_BLOCK).min(visible);
            let left = visible.saturating_sub(first + KEY_BLOCK);
            let here = blocks.get(index + 1).filter(|_| left > 0).map(|block| (&tasks[0], block, left));
            let mut later = here.or_else(|| next?.first());
            if let (1, Some((task, block, _))) = (tasks.len(), later) {
                task.ask(block);
                later = None;
            }
            // What several tasks do in each of these three does not wait for what any of them did before.
            for (number, round) in rounds.iter_mut().enumerate() {
                let (task, g) = (&tasks[number / groups.rounds], number % groups.rounds);
                task.score(block, groups, (g, keys.len()), round);
            }
            for (number, round) in rounds.iter_mut().enumerate() {
                tasks[number / groups.rounds].soften::<FMA>(block, groups, &keys, round);
            }
            for (number, round) in rounds.iter_mut().enumerate() {
                let later = later.map(|(_, block, keys)| (block, keys));
                tasks[number / groups.rounds].weigh(block, groups, keys.len(), later, round);
            }
        }
    }
}

/// Which of a task's queries are multiplied at a time: all rows for one head after the other, or all heads of a single row, which
/// read the same keys.
struct Groups {
    rounds: usize,
    rows: usize,
    /// Numbers from one of them to the next.
    stride: usize,
}

impl Task<'_> {
    fn groups(&self) -> Groups {
        let n = self.queries.rows.len();
        match self.heads.group() {
            group @ ..=QUERY_BLOCK if n == 1 => Groups { rounds: 1, rows: group, stride: self.heads.dim },
            group => Groups { rounds: group, rows: n, stride: self.heads.query_width() },
        }
    }

    /// Packs the queries of all rounds and begins their sums.
    fn begin(&self, groups: &Groups, rounds: &mut [Round], rows: &mut Vec<f32>) {
        let (dim, n) = (self.heads.dim, groups.rows);
        let pairs = matches!(self.blocks.first(), Some(KeyBlock::Pairs { .. }));
        for (g, round) in rounds.iter_mut().enumerate() {
            if pairs {
                let query = self.query(g);
                if groups.stride == dim {
                    pack_pairs(&mut round.queries, &query[..n * dim], (n, dim));
                } else {
                    rows.clear();
                    (0..n).for_each(|i| rows.extend_from_slice(&query[i * groups.stride..][..dim]));
                    pack_pairs(&mut round.queries, rows, (n, dim));
                }
            }
            // Whatever the scores of columns are that no key has, they are no numbers of other queries.
            for (numbers, len, start) in [
                (&mut round.scores, n * KEY_BLOCK, 0.0),
                (&mut round.values, n * dim, 0.0),
                (&mut round.maxima, n, f32::NEG_INFINITY),
                (&mut round.sums, n, 0.0),
            ] {
                numbers.clear();
                numbers.resize(len, start);
            }
        }
    }

    fn store(&self, groups: &Groups, rounds: &[Round], output: &Scatter<'_>, log_sums: &Scatter<'_>) {
        let (Heads { dim, .. }, group) = (self.heads, self.heads.group());
        let n = self.queries.rows.len();
        for (g, round) in rounds.iter().enumerate() {
            for (i, sum) in round.sums.iter().enumerate() {
                let at = g * groups.rows + i;
                let (row, head) = (self.queries.rows.start + at % n, self.key_head * group + at / n);
                // SAFETY: no two tasks share both a row and a key head, and so none writes these columns of this row.
                let (y, log_sum) =
                    unsafe { (output.part(row, head * dim, dim), log_sums.part(row, head, 1)) };
                for (y, value) in y.iter_mut().zip(&round.values[i * dim..][..dim]) {
                    *y = value / sum;
                }
                log_sum[0] = round.maxima[i] + sum.ln();
            }
        }
    }

    /// The first block that it reads, and how many keys it sees from there on.
    #[inline(always)]
    fn first(&self) -> Option<(&Self, &KeyBlock<'_>, usize)> {
        let first = self.heads.sight.of(self.queries.position, self.keys).start / KEY_BLOCK;
        Some((self, self.blocks.get(first)?, self.keys - first * KEY_BLOCK))
    }

    /// Asks memory for a block of this task's keys and values, so that it comes while another is worked on.
    #[inline(always)]
    fn ask(&self, block: &KeyBlock<'_>) {
        let (dim, width) = (self.heads.dim, self.heads.key_width());
        match *block {
            KeyBlock::Numbers { keys, values } => {
                prefetch(words_of(&keys[self.key_head * dim * KEY_BLOCK..][..dim * KEY_BLOCK]));
                let ask = |row: &[f32]| prefetch(words_of(&row[self.key_head * dim..][..dim]));
                values.chunks_exact(width).for_each(ask);
            }
            KeyBlock::Pairs { keys, values } => {
                prefetch(self.keys_of(keys).words);
                prefetch(self.values_of(values).words);
            }
        }
    }

    /// The queries of round `g`, from the first one on.
    fn query(&self, g: usize) -> &[f32] {
        let head = self.key_head * self.heads.group() + g;
        &self.q[self.queries.rows.start * self.heads.query_width() + head * self.heads.dim..]
    }

    /// The keys of this task's head in a block of pairs.
    #[inline(always)]
    fn keys_of<'a>(&self, keys: &'a [u32]) -> PairPanels<'a> {
        PairPanels::of_head(keys, self.key_head, (self.heads.dim / 2, KEY_BLOCK))
    }

    /// The values of this task's head in a block of pairs.
    #[inline(always)]
    fn values_of<'a>(&self, values: &'a [u32]) -> PairPanels<'a> {
        PairPanels::of_head(values, self.key_head, (KEY_BLOCK / 2, self.heads.dim))
    }

    /// Scores the queries of round `g` for so many keys of a block.
    #[inline(always)]
    fn score(&self, block: &KeyBlock<'_>, groups: &Groups, (g, count): (usize, usize), round: &mut Round) {
        let (dim, columns) = (self.heads.dim, columns(block, count));
        let scores = (&mut round.scores[..], KEY_BLOCK);
        match block {
            KeyBlock::Numbers { keys, .. } => {
                let left = Left { data: self.query(g), row: groups.stride, column: 1 };
                let right = Right { data: &keys[self.key_head * dim * KEY_BLOCK..], row: KEY_BLOCK };
                multiply(scores, false, (groups.rows, columns, dim), left, right);
            }
            KeyBlock::Pairs { keys, values } => {
                let next = (self.values_of(values), columns / 2);
                let size = (groups.rows, columns, dim / 2);
                multiply_pairs(
                    scores,
                    false,
                    size,
                    (&round.queries, dim / 2),
                    self.keys_of(keys),
                    Some(next),
                );
            }
        }
    }

    /// Turns the scores of a block into exponentials against the running maxima.
    #[inline(always)]
    fn soften<const FMA: bool>(
        &self,
        block: &KeyBlock<'_>,
        groups: &Groups,
        keys: &Range<usize>,
        round: &mut Round,
    ) {
        let Task { queries, heads, .. } = self;
        let Round { scores, weights, values, maxima, sums, .. } = round;
        let (dim, n, columns) = (heads.dim, queries.rows.len(), columns(block, keys.len()));
        for i in 0..groups.rows {
            let seen = heads.sight.of(queries.position + i.min(n - 1), self.keys);
            let inside = |key: usize| key.saturating_sub(keys.start).min(keys.len());
            let seen = (inside(seen.start), inside(seen.end));
            let row = &mut scores[i * KEY_BLOCK..][..columns];
            let values = &mut values[i * dim..][..dim];
            soften::<FMA>(row, seen, heads.scale(), &mut maxima[i], &mut sums[i], values);
        }
        if matches!(block, KeyBlock::Pairs { .. }) {
            pack_pairs(weights, scores, (groups.rows, KEY_BLOCK));
        }
    }

    /// Adds a block's values, each weighed by its exponential.
    #[inline(always)]
    fn weigh(
        &self,
        block: &KeyBlock<'_>,
        groups: &Groups,
        count: usize,
        later: Option<(&KeyBlock<'_>, usize)>,
        round: &mut Round,
    ) {
        let (Heads { dim, .. }, rows) = (self.heads, groups.rows);
        let sums = (&mut round.values[..], dim);
        match block {
            KeyBlock::Numbers { values, .. } => {
                let left = Left { data: &round.scores, row: KEY_BLOCK, column: 1 };
                let right = Right { data: &values[self.key_head * dim..], row: self.heads.key_width() };
                multiply(sums, true, (rows, dim, count), left, right);
            }
            KeyBlock::Pairs { values, .. } => {
                let next = match later {
                    Some((KeyBlock::Pairs { keys, .. }, tokens)) => {
                        Some((self.keys_of(keys).narrow(tokens), dim / 2))
                    }
                    _ => None,
                };
                let size = (rows, dim, columns(block, count) / 2);
                multiply_pairs(
                    sums,
                    true,
                    size,
                    (&round.weights, KEY_BLOCK / 2),
                    self.values_of(values),
                    next,
                );
            }
        }
    }
}

/// Columns of scores that are computed for so many keys: whole groups of lanes, and with pairs of bf16 whole tile registers of pairs,
/// whose shape so stays the same. Keys that are not there have no weight.
#[inline(always)]
fn columns(block: &KeyBlock<'_>, keys: usize) -> usize {
    match block {
        KeyBlock::Numbers { .. } => keys.next_multiple_of(LANES),
        KeyBlock::Pairs { .. } => keys.next_multiple_of(2 * LANES),
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

/// Turns a row of scores into exponentials against the running maximum; the keys `from..to` count.
#[inline(always)]
fn soften<const FMA: bool>(
    row: &mut [f32],
    (from, to): (usize, usize),
    scale: f32,
    maximum: &mut f32,
    sum: &mut f32,
    values: &mut [f32],
) {
    if from == to {
        row.fill(0.0);
        return;
    }
    row[..from].fill(f32::NEG_INFINITY);
    row[to..].fill(f32::NEG_INFINITY);
    let mut lanes = [*maximum; LANES];
    for part in row.as_chunks_mut::<LANES>().0 {
        for (score, lane) in part.iter_mut().zip(&mut lanes) {
            *score *= scale;
            *lane = greater(*score, *lane);
        }
    }
    let highest = greatest_lane(lanes);
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
