//! The forward pass of attention: tasks of a few queries and one key head each, with a running softmax over blocks of keys.

use std::ops::Range;

use super::{Heads, KEY_BLOCK, LANES, QUERY_BLOCK};
use crate::{
    cpu::Scatter,
    gemm::{pack_pairs, prefetch, words_of},
    simd::{dispatch, exp, greater, sum_lanes},
    team,
    tile::{Left, Right, multiply, multiply_pairs},
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
    /// bf16: the same, keys in pairs along a head [Hkv * D / 2, KEY_BLOCK], values in pairs of tokens [n / 2, Hkv * D]. Queries and
    /// weights are rounded to bf16 too.
    Pairs { keys: &'a [u32], values: &'a [u32] },
}

/// A sequence's new queries, and its keys and values from its first token on.
pub(super) struct Sequence<'a> {
    pub(super) queries: Queries,
    pub(super) blocks: Vec<KeyBlock<'a>>,
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
        let together = together(&tasks, sequences.len(), heads);
        let run = |number: usize| {
            let next = tasks.get((number + team::threads()) * together);
            let tasks = &tasks[number * together..][..together];
            for (task, running) in tasks.iter().zip(attend(tasks, next)) {
                task.store(&running, &output, &log_sums);
            }
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

fn tasks<'a>(q: &'a [f32], sequences: &'a [Sequence<'a>], heads: Heads) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
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

/// Computes tasks of the same queries; asks memory for the beginning of the one that this thread will probably do next.
fn attend(tasks: &[Task<'_>], next: Option<&Task<'_>>) -> Vec<Running> {
    let running = |task: &Task<'_>| {
        let rows = task.heads.group() * task.queries.rows.len();
        Running {
            values: vec![0.0; rows * task.heads.dim],
            maxima: vec![f32::NEG_INFINITY; rows],
            sums: vec![0.0; rows],
        }
    };
    let mut running: Vec<Running> = tasks.iter().map(running).collect();
    attend_all(tasks, next, &mut running);
    running
}

dispatch! {
    fn attend_all(tasks: &[Task<'_>], next: Option<&Task<'_>>, running: &mut [Running]) {
        let Task { queries, keys, blocks, heads, .. } = &tasks[0];
        let n = queries.rows.len();
        let visible = heads.sight.of(queries.position + n - 1, *keys).end;
        // A block that none of the queries sees would change nothing.
        let unseen = heads.sight.of(queries.position, *keys).start / KEY_BLOCK;
        let groups = tasks[0].groups();
        let mut pairs: Vec<Pairs<'_>> = tasks.iter().map(|task| task.pairs(&groups)).collect();
        let mut scores = [0_f32; QUERY_BLOCK * KEY_BLOCK];
        let ends = (0..visible).step_by(KEY_BLOCK).enumerate();
        for (block, (index, first)) in blocks.iter().zip(ends).skip(unseen) {
            let left = visible.saturating_sub(first + KEY_BLOCK);
            let here = blocks.get(index + 1).filter(|_| left > 0).map(|block| (&tasks[0], block, left));
            let later = here.or_else(|| next?.first());
            if let (1, Some((task, later, _))) = (tasks.len(), later) {
                task.ask(later);
            }
            let keys = first..(first + KEY_BLOCK).min(visible);
            for (number, (task, running)) in tasks.iter().zip(&mut *running).enumerate() {
                let pairs = &mut pairs[number];
                pairs.next = later.map_or([&[]; 2], |(_, later, keys)| later.share(keys, (number, tasks.len())));
                task.attend::<FMA>(block, keys.clone(), (&groups, pairs, &mut scores), running);
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

/// What is multiplied with bf16 keys and values, in tiles of pairs: the queries of all rounds, and the weights of a block.
#[derive(Default)]
struct Pairs<'a> {
    queries: Vec<Vec<u32>>,
    weights: Vec<u32>,
    /// Keys and values that memory is asked for meanwhile.
    next: [&'a [u32]; 2],
}

impl<'a> KeyBlock<'a> {
    /// One of several shares of the keys, and of what so many tokens have of the values, as they lie in memory; nothing where no
    /// tasks share it.
    fn share(self, tokens: usize, (number, shares): (usize, usize)) -> [&'a [u32]; 2] {
        let part =
            |words: &'a [u32]| &words[words.len() * number / shares..words.len() * (number + 1) / shares];
        match self {
            Self::Pairs { keys, values } if shares > 1 => {
                [part(keys), part(&values[..values.len() * tokens.min(KEY_BLOCK) / KEY_BLOCK])]
            }
            _ => [&[]; 2],
        }
    }
}

impl Task<'_> {
    /// Goes on with a block of so many keys that are seen.
    #[inline(always)]
    fn attend<const FMA: bool>(
        &self,
        block: &KeyBlock<'_>,
        keys: Range<usize>,
        (groups, pairs, scores): (&Groups, &mut Pairs<'_>, &mut [f32]),
        running: &mut Running,
    ) {
        let Task { queries, heads, .. } = self;
        let (dim, n) = (heads.dim, queries.rows.len());
        let columns = keys.len().next_multiple_of(LANES);
        for g in 0..groups.rounds {
            self.score(block, groups, (g, columns), pairs, scores);
            for i in 0..groups.rows {
                let seen = heads.sight.of(queries.position + i.min(n - 1), self.keys);
                let inside = |key: usize| key.saturating_sub(keys.start).min(keys.len());
                let seen = (inside(seen.start), inside(seen.end));
                let row = &mut scores[i * KEY_BLOCK..][..columns];
                let at = g * n + i;
                let values = &mut running.values[at * dim..][..dim];
                let (maximum, sum) = (&mut running.maxima[at], &mut running.sums[at]);
                soften::<FMA>(row, seen, heads.scale(), maximum, sum, values);
            }
            let values = &mut running.values[g * groups.rows * dim..][..groups.rows * dim];
            self.weigh(block, (groups.rows, keys.len()), scores, pairs, values);
        }
    }

    fn groups(&self) -> Groups {
        let n = self.queries.rows.len();
        match self.heads.group() {
            group @ ..=QUERY_BLOCK if n == 1 => Groups { rounds: 1, rows: group, stride: self.heads.dim },
            group => Groups { rounds: group, rows: n, stride: self.heads.query_width() },
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
        let (keys, values, words) = match *block {
            KeyBlock::Numbers { keys, values } => (words_of(keys), words_of(values), dim),
            KeyBlock::Pairs { keys, values } => (keys, values, dim / 2),
        };
        prefetch(&keys[self.key_head * words * KEY_BLOCK..][..words * KEY_BLOCK]);
        values.chunks_exact(width).for_each(|row| prefetch(&row[self.key_head * dim..][..dim]));
    }

    /// The queries of round `g`, from the first one on.
    fn query(&self, g: usize) -> &[f32] {
        let head = self.key_head * self.heads.group() + g;
        &self.q[self.queries.rows.start * self.heads.query_width() + head * self.heads.dim..]
    }

    fn pairs<'a>(&self, groups: &Groups) -> Pairs<'a> {
        if !matches!(self.blocks.first(), Some(KeyBlock::Pairs { .. })) {
            return Pairs::default();
        }
        let dim = self.heads.dim;
        let mut rows = Vec::with_capacity(groups.rows * dim);
        let pack = |g| {
            rows.clear();
            let query = self.query(g);
            (0..groups.rows).for_each(|i| rows.extend_from_slice(&query[i * groups.stride..][..dim]));
            let mut packed = Vec::new();
            pack_pairs(&mut packed, &rows, (groups.rows, dim));
            packed
        };
        Pairs { queries: (0..groups.rounds).map(pack).collect(), ..Pairs::default() }
    }

    /// Scores [rows, columns] of the queries of round `g` for the keys of a block, rows of [`KEY_BLOCK`].
    #[inline(always)]
    fn score(
        &self,
        block: &KeyBlock<'_>,
        groups: &Groups,
        (g, columns): (usize, usize),
        pairs: &Pairs<'_>,
        scores: &mut [f32],
    ) {
        let dim = self.heads.dim;
        match block {
            KeyBlock::Numbers { keys, .. } => {
                let left = Left { data: self.query(g), row: groups.stride, column: 1 };
                let right = Right { data: &keys[self.key_head * dim * KEY_BLOCK..], row: KEY_BLOCK };
                multiply((scores, KEY_BLOCK), false, (groups.rows, columns, dim), left, right);
            }
            KeyBlock::Pairs { keys, .. } => {
                let (words, left) = (dim / 2, (&pairs.queries[g][..], dim / 2));
                let right = (&keys[self.key_head * words * KEY_BLOCK..], KEY_BLOCK, pairs.next[0]);
                multiply_pairs((scores, KEY_BLOCK), false, (groups.rows, columns, words), left, right);
            }
        }
    }

    /// Adds the block's values [rows, D], each weighed by its exponential.
    #[inline(always)]
    fn weigh(
        &self,
        block: &KeyBlock<'_>,
        (rows, count): (usize, usize),
        exponentials: &[f32],
        pairs: &mut Pairs<'_>,
        sums: &mut [f32],
    ) {
        let (Heads { dim, .. }, width) = (self.heads, self.heads.key_width());
        match block {
            KeyBlock::Numbers { values, .. } => {
                let left = Left { data: exponentials, row: KEY_BLOCK, column: 1 };
                let right = Right { data: &values[self.key_head * dim..], row: width };
                multiply((sums, dim), true, (rows, dim, count), left, right);
            }
            KeyBlock::Pairs { values, .. } => {
                pack_pairs(&mut pairs.weights, exponentials, (rows, KEY_BLOCK));
                let right = (&values[self.key_head * dim..], width, pairs.next[1]);
                let left = (&pairs.weights[..], KEY_BLOCK / 2);
                multiply_pairs((sums, dim), true, (rows, dim, count.div_ceil(2)), left, right);
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
    let mut highest = *maximum;
    // A loop, because a fold is a call that leaves the instruction set.
    for lane in lanes {
        highest = greater(highest, lane);
    }
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
