//! Sums of products, each block of an output finished while it is in a cache, and their division among threads.

use std::{cell::RefCell, ops::Range};

use super::{
    BAND_ROWS, COLUMNS, LeftPart, Leftward, Line, Order, Packed, Panels, ROWS, RightPart, TALL_ROWS,
    kernel::{self, Next, single},
};
use crate::{cpu::Scatter, team};

mod ahead;
mod tall;

use ahead::Ahead;
pub(super) use tall::STAYING;
use tall::Walk;

/// Products below which other threads are not worth a word.
const PARALLEL_FROM: usize = 32 * 1024;
/// Parts of terms that a block of the output is summed over before the next one.
const STEPS: usize = 8;
/// Rows above which tile registers meet a right factor in blocks of at least as many: what is made of it for one block would be made again
/// for the next.
const BLOCK_ROWS: usize = 192;
/// Bytes of a right factor that each thread's second-level cache holds, however many rows meet it: threads share out the rows, so that
/// each of them reads a part of the left factor alone. In [`Walk::Rows`] it goes by once for each tile's rows.
const SHARED_BYTES: usize = 2 << 20;
const SHARED_BYTES_BY_ROWS: usize = 1 << 20;
/// The same where each thread has a block of rows: then it comes from memory as often if threads share it out.
const READ_BY_EACH_BYTES: usize = 16 << 20;
/// Bytes of a right factor at most that is packed for a sum, to meet several blocks of tiles.
const MADE_BYTES: usize = 16 << 20;
/// Words that parts may have beside the longest one: their panels stay in a cache together while the tiles go by.
const BESIDE: usize = 64;
/// Words of parts together where a term [sweeps](Term::sweeps).
const SWEEP: usize = 64;
/// Rows of a left factor at most that are worth a sweep: their sums are read and written in each pass.
const SWEEP_ROWS: usize = 8 * ROWS;
/// Bytes of a left factor that a cache shared by all threads holds.
const LEFT_BYTES: usize = 4 << 20;
/// Bytes of a part of it that a core's own cache holds.
const BLOCK_BYTES: usize = 512 << 10;
/// Panels that a thread takes at a time, at most, and how many times it shall come for more.
const PANELS_AT_A_TIME: usize = 8;
const HELPINGS: usize = 8;

/// What happens to the numbers already in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// They are overwritten.
    Set,
    /// The sums go on from them.
    Add,
}

/// One of several products that are summed up.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    pub(crate) a: &'a dyn Leftward,
    pub(crate) b: &'a dyn Panels,
}

impl Term<'_> {
    /// Whether a few rows meet a matrix that lies in memory row by row: it is read as it lies, some rows of it across all panels and
    /// then the next ones, because memory is slow to give one panel after the other.
    fn sweeps(&self) -> bool {
        self.a.rows() <= SWEEP_ROWS && self.b.apart()
    }
}

/// A product that is added to some rows of the output, all of them in one tile.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// The first of these rows, and their number.
    pub(crate) row: usize,
    pub(crate) rows: usize,
    /// The left factor, `[word][row]`, in the format of the right one.
    pub(crate) a: &'a [u32],
    pub(crate) b: &'a dyn Panels,
}

impl Piece<'_> {
    /// Words along the sum.
    fn words(&self) -> usize {
        self.b.format().words(self.b.size().0)
    }
}

/// A sum of products.
pub(crate) struct Sum<'a> {
    /// At least one, all of the same size.
    pub(crate) terms: Vec<Term<'a>>,
    /// Ordered by row.
    pub(crate) pieces: Vec<Piece<'a>>,
}

impl Sum<'_> {
    fn size(&self) -> (usize, usize) {
        (self.terms[0].a.rows(), self.terms[0].b.size().1)
    }

    fn is_empty(&self) -> bool {
        self.terms.iter().all(|term| term.b.size().0 == 0)
    }

    /// Multiplications; checks that the factors fit each other.
    fn work(&self) -> usize {
        let (rows, columns) = self.size();
        let mut work = 0;
        for Term { a, b } in &self.terms {
            let fit = a.format() == b.format() && a.depth() == b.size().0;
            assert!(fit && a.rows() == rows && b.size().1 == columns, "factors do not fit each other");
            work += rows * columns * a.depth();
        }
        for piece in &self.pieces {
            let fit = piece.a.len() == piece.words() * piece.rows && piece.b.size().1 == columns;
            let inside = piece.row % ROWS + piece.rows <= ROWS && piece.row + piece.rows <= rows;
            assert!(fit && inside, "a piece does not fit its sum");
            work += piece.rows * columns * piece.b.size().0;
        }
        work
    }
}

/// `c [rows, columns] (+)= a [rows, depth] b [depth, columns]`.
pub(crate) fn product(c: &mut [f32], write: Write, a: &dyn Leftward, b: &dyn Panels) {
    let columns = b.size().1;
    let numbers = a.rows() * columns;
    assert!(c.len() >= numbers, "matrix product writes past its output");
    if write == Write::Set && b.size().0 == 0 {
        c[..numbers].fill(0.0);
    }
    let made = made(Term { a, b });
    let b = made.as_ref().map_or(b, |made| made as &dyn Panels);
    let sum = Sum { terms: vec![Term { a, b }], pieces: Vec::new() };
    run(&[Job::new(Scatter::new(c, columns), write, &sum)]);
}

/// The right factor of a term, packed where it would be made anew for each block of tiles.
fn made(term: Term<'_>) -> Option<Packed> {
    let Term { a, b } = term;
    let (along, across) = b.size();
    let blocks = Order::of(b.format()) == Order::ByRow && a.rows() > BLOCK_ROWS;
    let wanted = blocks && b.ready(0).is_none();
    (wanted && Packed::size_in_bytes(across, along, b.format()) <= MADE_BYTES).then(|| Packed::made(b))
}

/// The sum of products, [rows, columns].
pub(crate) fn products(terms: Vec<Term<'_>>) -> Vec<f32> {
    sums(&[Sum { terms, pieces: Vec::new() }]).swap_remove(0)
}

/// Several sums, [rows, columns] each, the threads sharing the work of all of them.
pub(crate) fn sums(sums: &[Sum<'_>]) -> Vec<Vec<f32>> {
    let terms = sums.iter().flat_map(|sum| &sum.terms);
    let made: Vec<Option<Packed>> = terms.map(|term| made(*term)).collect();
    if made.iter().all(Option::is_none) {
        return summed(sums);
    }
    let mut made = made.iter();
    let mut with_made = Vec::with_capacity(sums.len());
    for sum in sums {
        let terms = sum.terms.iter().zip(&mut made);
        let terms = terms.map(|(term, made)| Term { a: term.a, b: made.as_ref().map_or(term.b, |b| b) });
        with_made.push(Sum { terms: terms.collect(), pieces: sum.pieces.clone() });
    }
    summed(&with_made)
}

fn summed(sums: &[Sum<'_>]) -> Vec<Vec<f32>> {
    let lengths = sums.iter().map(|sum| sum.size().0 * sum.size().1);
    let output = |(sum, len): (&Sum<'_>, usize)| {
        if sum.is_empty() { vec![0.0; len] } else { Vec::with_capacity(len) }
    };
    let mut outputs: Vec<Vec<f32>> = sums.iter().zip(lengths.clone()).map(output).collect();
    let jobs = outputs.iter_mut().zip(sums).zip(lengths.clone()).filter(|((_, sum), _)| !sum.is_empty());
    let jobs: Vec<Job<'_>> = jobs
        .map(|((output, sum), len)| {
            let fresh = Scatter::fresh(&mut output.spare_capacity_mut()[..len], sum.size().1);
            Job::new(fresh, Write::Set, sum)
        })
        .collect();
    run(&jobs);
    drop(jobs);
    for (output, len) in outputs.iter_mut().zip(lengths) {
        // SAFETY: `run` has set each of these numbers, unless they were zeros from the beginning.
        unsafe { output.set_len(len) };
    }
    outputs
}

/// A part of a job: some bands of some panels.
struct Task<'a> {
    job: &'a Job<'a>,
    panels: Range<usize>,
    bands: Range<usize>,
}

fn run(jobs: &[Job<'_>]) {
    let (threads, work) = (team::threads(), jobs.iter().map(|job| job.work).sum::<usize>());
    if threads == 1 || work < PARALLEL_FROM {
        return jobs.iter().for_each(|job| job.run(0..job.panels(), 0..job.bands()));
    }
    let panels: usize = jobs.iter().map(Job::panels).sum();
    let mut tasks = Vec::new();
    for job in jobs {
        let (parts, blocks) = job.share(threads, panels);
        for panels in evenly(job.panels(), parts) {
            tasks.extend(evenly(job.bands(), blocks).map(|bands| Task {
                job,
                panels: panels.clone(),
                bands,
            }));
        }
    }
    team::for_each(tasks.len(), |task| {
        let Task { job, panels, bands } = &tasks[task];
        job.run(panels.clone(), bands.clone());
    });
}

/// So many things in so many parts.
fn evenly(count: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    (0..parts).map(move |part| part * count / parts..(part + 1) * count / parts)
}

/// Words of a term.
#[derive(Clone, Debug)]
struct Step {
    term: usize,
    words: Range<usize>,
}

/// Cuts terms into steps, and gathers steps that are taken together.
fn passes(terms: &[Term<'_>]) -> Vec<Vec<Step>> {
    let (mut passes, mut pass, mut length) = (Vec::new(), Vec::new(), 0);
    for (term, factors) in terms.iter().enumerate() {
        let b = factors.b;
        let words = b.format().words(b.size().0);
        let depth = b.format().depth(words, factors.a.rows());
        let (depth, most) =
            if factors.sweeps() { (depth.min(SWEEP), SWEEP) } else { (depth, depth + BESIDE) };
        for first in (0..words).step_by(depth) {
            let step = Step { term, words: first..(first + depth).min(words) };
            if !pass.is_empty() && (length + step.words.len() > most || pass.len() == STEPS) {
                passes.push(std::mem::take(&mut pass));
                length = 0;
            }
            length += step.words.len();
            pass.push(step);
        }
    }
    passes.push(pass);
    passes
}

/// Whether no long panel would be made anew for each block.
fn blocked(terms: &[Term<'_>]) -> bool {
    let short = |b: &dyn Panels| b.format().words(b.size().0) <= BESIDE;
    terms.iter().all(|term| short(term.b) || term.b.ready(0).is_some())
}

thread_local! {
    /// Panels made for the occasion, kept so that their memory is not asked for again; the last one is for pieces.
    static SCRATCH: RefCell<[Vec<Line>; STEPS + 1]> = RefCell::default();
}

/// A sum under way.
struct Job<'a> {
    c: Scatter<'a>,
    write: Write,
    rows: usize,
    columns: usize,
    terms: &'a [Term<'a>],
    pieces: &'a [Piece<'a>],
    passes: Vec<Vec<Step>>,
    /// Rows that are not shared out: whole tiles of all terms.
    band: usize,
    /// Whether rows meet all panels in blocks.
    blocked: bool,
    walk: Walk,
    work: usize,
}

impl<'a> Job<'a> {
    fn new(c: Scatter<'a>, write: Write, sum: &'a Sum<'a>) -> Self {
        let ((rows, columns), work) = (sum.size(), sum.work());
        let passes = if work == 0 { Vec::new() } else { passes(&sum.terms) };
        let (terms, pieces) = (&sum.terms[..], &sum.pieces[..]);
        let tall = terms.iter().any(|term| Order::of(term.b.format()) == Order::ByRow);
        let flat = terms.iter().any(|term| Order::of(term.b.format()) == Order::ByWord);
        let band = match (tall, flat || !pieces.is_empty()) {
            (true, false) => TALL_ROWS,
            (true, true) => BAND_ROWS,
            (false, _) => ROWS,
        };
        let blocked = tall && blocked(terms);
        let walk = Walk::of(terms, &passes);
        Self { c, write, rows, columns, terms, pieces, passes, band, blocked, walk, work }
    }

    fn panels(&self) -> usize {
        self.columns.div_ceil(COLUMNS)
    }

    /// Words along the sums of all terms.
    fn words(&self) -> usize {
        self.passes.iter().flatten().map(|step| step.words.len()).sum()
    }

    fn bands(&self) -> usize {
        self.rows.div_ceil(self.band)
    }

    /// Into how many parts panels and bands are divided, beside other jobs with so many panels in `all`.
    fn share(&self, threads: usize, all: usize) -> (usize, usize) {
        let (panels, bands) = (self.panels().max(1), self.bands().max(1));
        let by_panels = (threads.min(panels), 1);
        if self.terms.iter().any(Term::sweeps) {
            return by_panels;
        }
        let words = self.words();
        let bytes = panels * words * COLUMNS * size_of::<u32>();
        let high = self.rows >= threads * BLOCK_ROWS && bytes <= READ_BY_EACH_BYTES;
        if self.blocked && self.rows > BLOCK_ROWS {
            let most = if self.walk == Walk::Rows { SHARED_BYTES_BY_ROWS } else { SHARED_BYTES };
            let by_rows = panels < threads || bytes <= most || high;
            return if by_rows { (1, threads.min(bands)) } else { by_panels };
        }
        let bytes_of = |rows: usize| rows * words * size_of::<u32>();
        let band_bytes = bytes_of(self.band);
        // A part of the left factor that a core's own cache holds meets all panels.
        let parts = bands.div_ceil((BLOCK_BYTES / band_bytes.max(1)).max(1));
        if high && self.walk == Walk::Passes && blocked(self.terms) {
            return (1, parts.next_multiple_of(threads).min(bands));
        }
        if bands * band_bytes > LEFT_BYTES {
            // Memory can't give the left factor once for each panel. Where it is high, a part of it meets all panels; where it is
            // wide, each thread takes many panels past it.
            let least = if self.walk == Walk::Passes { self.band } else { BAND_ROWS };
            let parted = bytes_of(least) <= BLOCK_BYTES / 4;
            return if parted { (1, parts.max(threads).min(bands)) } else { by_panels };
        }
        if bands == 1 || self.walk != Walk::Passes && self.rows <= BAND_ROWS {
            // Each panel is read once, as fast as memory gives it: best in long runs.
            return by_panels;
        }
        // Whole panels where there are enough of them, so that each is read by one thread; else their bands are shared out too.
        let blocks = if all >= 4 * threads { 1 } else { (2 * threads).div_ceil(all).min(bands) };
        let each = (all / (threads * HELPINGS)).clamp(1, PANELS_AT_A_TIME);
        (panels.div_ceil(each), blocks)
    }

    /// Computes the given bands of the given panels.
    fn run(&self, panels: Range<usize>, bands: Range<usize>) {
        let blocks = match self.walk {
            Walk::Panels if self.blocked => bands.len().div_ceil(self.together()),
            _ => 1,
        };
        let each = bands.len().div_ceil(blocks.max(1)).max(1);
        for first in bands.clone().step_by(each) {
            self.run_block(panels.clone(), first..(first + each).min(bands.end));
        }
    }

    /// A block of them.
    fn run_block(&self, panels: Range<usize>, bands: Range<usize>) {
        let pieces = self.pieces_of(&bands);
        let rows = bands.start * self.band..(bands.end * self.band).min(self.rows);
        match self.walk {
            Walk::Passes if self.set_single(panels.clone()) => {}
            Walk::Passes => self.run_passes(panels.clone(), bands, pieces),
            Walk::Panels => self.run_panels(panels.clone(), rows),
            Walk::Rows => self.run_rows(panels.clone(), rows),
        }
        let mut scratch = SCRATCH.take();
        for piece in pieces {
            // SAFETY: no two tasks share both a panel and a band, and the terms have set these columns of this one's rows.
            unsafe { add_piece((&self.c, self.columns), piece, panels.clone(), &mut scratch[STEPS]) };
        }
        SCRATCH.set(scratch);
    }

    /// Sets the columns of some panels where all is one row, in one go; says whether it was.
    fn set_single(&self, panels: Range<usize>) -> bool {
        let ([Term { a, b }], 1, Write::Set) = (self.terms, self.rows, self.write) else { return false };
        let (words, columns) = (b.format().words(b.size().0), panels.start * COLUMNS..panels.end * COLUMNS);
        let Some(run) = b.run(panels).filter(|_| words > 0 && single::available(b.format())) else {
            return false;
        };
        // SAFETY: no two tasks share a panel of the only row.
        let row = unsafe { self.c.part(0, columns.start, columns.len()) };
        single::set_single(words, a.tile(0, 1, 0..words), run, row);
        true
    }

    /// Pass by pass.
    fn run_passes(&self, panels: Range<usize>, bands: Range<usize>, pieces: &[Piece<'_>]) {
        let mut scratch = SCRATCH.take();
        let mut ahead = Ahead::of(pieces.len() + STEPS);
        // What is read again is not written past the caches.
        let streams = self.streams() && self.band == ROWS && self.passes.iter().flatten().count() == 1;
        for (number, pass) in self.passes.iter().enumerate() {
            let lefts = self.lefts(pass, &bands);
            for index in panels.clone() {
                let mut parts = [RightPart::default(); STEPS];
                for ((part, step), scratch) in parts.iter_mut().zip(pass).zip(&mut scratch) {
                    *part = part_of(self.terms[step.term].b, index, step.words.clone(), scratch);
                }
                // A run of panels in tile registers asks for its own.
                let last = number + 1 == self.passes.len() && self.band == ROWS;
                let later = if last { pieces } else { &[] }.iter().filter_map(|piece| piece.b.ready(index));
                let steps: usize = pass.iter().map(|step| step.words.len()).sum();
                let tiles =
                    bands.len() * self.band.div_ceil(if self.band == ROWS { ROWS } else { TALL_ROWS });
                ahead.set(later.chain(self.next(pass, after(index, &panels))), steps * tiles);
                for band in bands.clone() {
                    let mut add = number > 0 || self.write == Write::Add;
                    for ((step, left), panel) in pass.iter().zip(&lefts).zip(&parts) {
                        let write = (add, streams);
                        self.multiply(step, (left.as_ref(), panel), (index, band, &bands), write, &mut ahead);
                        add = true;
                    }
                }
            }
        }
        if streams {
            kernel::streamed();
        }
        SCRATCH.set(scratch);
    }

    /// What lies row by row of these bands' left factors: asked of each tile while it is multiplied, the answer would wait in memory
    /// until all sums before it are written.
    fn lefts(&self, pass: &[Step], bands: &Range<usize>) -> [Option<LeftPart<'a>>; STEPS] {
        let first = bands.start * self.band;
        let rows = (bands.end * self.band).min(self.rows).saturating_sub(first);
        let mut lefts = [None; STEPS];
        for (left, step) in lefts.iter_mut().zip(pass).filter(|_| rows > 0) {
            let a = self.terms[step.term].a;
            let by_row = Order::of(a.format()) == Order::ByRow;
            *left = by_row.then(|| a.tile(first, rows, step.words.clone()));
        }
        lefts
    }

    /// Multiplies the tiles of a band by a part of a panel.
    fn multiply(
        &self,
        step: &Step,
        (all, panel): (Option<&LeftPart<'_>>, &RightPart<'_>),
        (index, band, bands): (usize, usize, &Range<usize>),
        (add, streams): (bool, bool),
        ahead: &mut Ahead<'_>,
    ) {
        let (a, words) = (self.terms[step.term].a, &step.words);
        let start = bands.start * self.band;
        let first = band * self.band;
        let last = (first + self.band).min(self.rows);
        let height = match all {
            None => ROWS,
            // As high as each other, because tile registers are configured for a height.
            Some(_) => (last - first).div_ceil((last - first).div_ceil(TALL_ROWS)),
        };
        for row in (first..last).step_by(height) {
            let rows = height.min(last - row);
            let panel = RightPart { next: ahead.take(words.len()), ..*panel };
            let block = kernel::Block { streams, ..self.block(row, rows, index, add) };
            let left = match all {
                None => a.tile(row, rows, words.clone()),
                Some(all) => LeftPart { words: &all.words[(row - start) * all.row..], ..*all },
            };
            // SAFETY: the block lies inside the output, and is set where it is added to.
            unsafe { kernel::multiply(a.format(), words.len(), &left, &panel, &block) };
        }
    }

    /// The terms' parts of a panel, if it is there and they lie ready.
    fn next(&self, pass: &[Step], index: usize) -> impl Iterator<Item = &'a [u32]> {
        let (terms, pass) = (self.terms, if index < self.panels() { pass } else { &[] });
        pass.iter().filter_map(move |step| Some(ready(terms[step.term].b, index, &step.words)?.words))
    }

    /// What belongs to rows of these bands alone.
    fn pieces_of(&self, bands: &Range<usize>) -> &'a [Piece<'a>] {
        let before = |band: usize| self.pieces.partition_point(|piece| piece.row < band * self.band);
        &self.pieces[before(bands.start)..before(bands.end)]
    }

    /// Rows of a panel's columns in the output.
    fn block(&self, row: usize, rows: usize, index: usize, add: bool) -> kernel::Block {
        // SAFETY: no two tasks share both a panel and a band, and so neither this block of the output.
        unsafe { block((&self.c, self.columns), (row, rows), index, add) }
    }
}

/// Rows of a panel's columns in an output of so many columns.
///
/// # Safety
/// No other block that is still in use may overlap this one.
unsafe fn block(
    (c, columns): (&Scatter<'_>, usize),
    (row, rows): (usize, usize),
    index: usize,
    add: bool,
) -> kernel::Block {
    let column = index * COLUMNS;
    let count = COLUMNS.min(columns - column);
    // SAFETY: the caller's promise.
    let c = unsafe { c.block(row, rows, column, count) };
    let to = kernel::Place { at: c, stride: columns };
    kernel::Block { from: add.then_some(to), to, rows, count, streams: false }
}

/// Adds a piece to its rows of an output of so many columns, in the columns of some panels.
///
/// # Safety
/// Nobody else uses these rows of these columns, and they are set.
pub(crate) unsafe fn add_piece(
    output: (&Scatter<'_>, usize),
    piece: &Piece<'_>,
    panels: Range<usize>,
    scratch: &mut Vec<Line>,
) {
    let Piece { row, rows, a, b } = *piece;
    let words = piece.words();
    if words == 0 || rows == 0 {
        return;
    }
    let left = LeftPart::packed(b.format(), a, rows);
    let whole = panels.start..panels.end.min(output.1 / COLUMNS).max(panels.start);
    let single = rows == 1 && single::available(b.format());
    let runs = !whole.is_empty() && (single || Order::of(b.format()) == Order::ByRow);
    let run = if runs { b.run(whole.clone()) } else { None };
    // SAFETY: the caller's promise; the blocks of a run lie side by side.
    unsafe {
        match run {
            Some(run) if single => {
                let columns = whole.start * COLUMNS..whole.end * COLUMNS;
                single::add_single(a, run, output.0.part(row, columns.start, columns.len()));
            }
            Some(run) => {
                kernel::multiply_run(words, &left, run, &block(output, (row, rows), whole.start, true));
            }
            None => {}
        }
        for index in if run.is_some() { whole.end..panels.end } else { panels } {
            let block = block(output, (row, rows), index, true);
            let panel = b.panel(index, 0..words, scratch);
            kernel::multiply(b.format(), words, &left, &panel, &block);
        }
    }
}

/// Words `range` of a panel that lies ready.
fn ready<'a>(b: &'a dyn Panels, index: usize, range: &Range<usize>) -> Option<RightPart<'a>> {
    let panel = b.ready(index)?;
    let step = panel.len() / b.format().words(b.size().0);
    Some(RightPart { words: &panel[range.start * step..range.end * step], step, next: Next::default() })
}

/// Words `range` of a panel, asked for as [`ready`] first: an answer in registers need not wait for sums to be written.
fn part_of<'a>(
    b: &'a dyn Panels,
    index: usize,
    range: Range<usize>,
    scratch: &'a mut Vec<Line>,
) -> RightPart<'a> {
    ready(b, index, &range).unwrap_or_else(|| b.panel(index, range, scratch))
}

/// The panel that a thread will probably take after this one: the next of its task, or the first of the task after those that the
/// other threads are taking meanwhile.
fn after(index: usize, task: &Range<usize>) -> usize {
    if index + 1 < task.end { index + 1 } else { task.end + (team::threads() - 1) * task.len() }
}
