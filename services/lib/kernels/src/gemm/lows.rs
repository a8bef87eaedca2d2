//! Products of some rows of a left factor, each with a matrix of its own, packed as the left factors of the next product: what many
//! low-rank updates need in their middle, without an allocation for each.

use std::{cell::RefCell, mem::MaybeUninit, ops::Range};

use super::{
    COLUMNS, Format, Leftward, Line, Panels, ROWS, Tiles,
    kernel::{
        self,
        single::{self, Columns},
    },
    tiles::{Target, pack_tile},
};
use crate::team;

/// Multiplications below which other threads are not worth a word.
const PARALLEL_FROM: usize = 32 * 1024;
/// How many times a thread shall come for more tiles.
const HELPINGS: usize = 8;

/// Rows of a left factor, and the matrix that is theirs.
pub(crate) struct Part<'a> {
    /// In the format of `b`.
    pub(crate) a: &'a Tiles,
    pub(crate) rows: Range<usize>,
    pub(crate) b: &'a dyn Panels,
    /// Multiplies the product before it is packed.
    pub(crate) scale: f32,
    /// What it is packed as.
    pub(crate) format: Format,
}

/// The products of all parts, a tile for each tile of the left factor that a part reaches into.
pub(crate) struct Lows {
    tiles: Vec<Tile>,
    words: Vec<u32>,
}

/// Some rows of one part, all of them in one tile of the left factor.
#[derive(Clone, Copy)]
struct Tile {
    part: usize,
    row: usize,
    rows: usize,
    /// Its words in all of them.
    start: usize,
    end: usize,
}

/// A packed product.
pub(crate) struct Low<'a> {
    /// The part that it belongs to.
    pub(crate) part: usize,
    /// Its rows in the left factor; the words of each lie `rows.len()` apart.
    pub(crate) rows: Range<usize>,
    pub(crate) words: &'a [u32],
}

impl Lows {
    /// Multiplies `scale * a[rows] b` for each part.
    pub(crate) fn new(parts: &[Part<'_>]) -> Self {
        let tiles = tiles(parts);
        let count = tiles.last().map_or(0, |tile| tile.end);
        let mut words = Vec::with_capacity(count);
        let target = Target::new(&mut words.spare_capacity_mut()[..count]);
        let make = |tile: &Tile| {
            // SAFETY: the tiles' words lie one after the other, and each tile is made once.
            let to = unsafe { target.lines(tile.start, tile.end - tile.start) };
            multiply(&parts[tile.part], (tile.row, tile.rows), to);
        };
        let work: usize = parts.iter().map(|part| part.rows.len() * part.b.size().0 * part.b.size().1).sum();
        if work < PARALLEL_FROM {
            tiles.iter().for_each(make);
        } else {
            let together = (tiles.len() / (team::threads() * HELPINGS)).max(1);
            team::for_each(tiles.len().div_ceil(together), |task| {
                tiles[task * together..].iter().take(together).for_each(make);
            });
        }
        // SAFETY: each tile has set all of its words.
        unsafe { words.set_len(count) };
        Self { tiles, words }
    }

    /// The products, in the order of parts and rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Low<'_>> {
        self.tiles.iter().map(|tile| Low {
            part: tile.part,
            rows: tile.row..tile.row + tile.rows,
            words: &self.words[tile.start..tile.end],
        })
    }
}

fn tiles(parts: &[Part<'_>]) -> Vec<Tile> {
    let (mut tiles, mut end) = (Vec::with_capacity(parts.len()), 0);
    for (number, part) in parts.iter().enumerate() {
        let words = part.format.words(part.b.size().1);
        let mut row = part.rows.start;
        while row < part.rows.end {
            let rows = (ROWS - row % ROWS).min(part.rows.end - row);
            let start = end;
            end += rows * words;
            tiles.push(Tile { part: number, row, rows, start, end });
            row += rows;
        }
    }
    tiles
}

thread_local! {
    /// A tile's product before it is packed, and a panel made for the occasion.
    static SCRATCH: RefCell<(Vec<f32>, Vec<Line>)> = RefCell::default();
}

/// The product of a part that is one row, packed into `words`.
pub(crate) fn low(part: &Part<'_>, words: &mut Vec<u32>) {
    let count = part.format.words(part.b.size().1);
    words.clear();
    words.reserve(count);
    multiply(part, (part.rows.start, 1), &mut words.spare_capacity_mut()[..count]);
    // SAFETY: `multiply` has set so many words.
    unsafe { words.set_len(count) };
}

/// Sets the words of so many rows from `row` on, all of them in one tile of the left factor.
fn multiply(part: &Part<'_>, (row, rows): (usize, usize), to: &mut [MaybeUninit<u32>]) {
    let columns = part.b.size().1;
    let (mut product, mut panel) = SCRATCH.take();
    product.clear();
    product.resize(rows * columns, 0.0);
    if rows != 1 || !multiply_single(part, row, &mut product) {
        multiply_tile(part, (row, rows), &mut product, &mut panel);
    }
    pack_tile(to, &product, (rows, columns), part.format, part.scale);
    SCRATCH.set((product, panel));
}

/// The product of a row, all of its sums at once, if its path has a loop for that and the factor lies ready; says whether it was made.
fn multiply_single(part: &Part<'_>, row: usize, product: &mut [f32]) -> bool {
    let Part { a, b, .. } = *part;
    if !single::available(b.format()) || b.ready(0).is_none() {
        return false;
    }
    let steps = b.format().words(b.size().0);
    let left = a.tile(row, 1, 0..steps);
    let mut group: [Columns<'_>; single::TOGETHER] = Default::default();
    let mut gathered = 0;
    for (index, columns) in product.chunks_mut(COLUMNS).enumerate() {
        let Some(panel) = b.ready(index) else { unreachable!("the first panel of a factor lies ready") };
        let step = panel.len() / steps.max(1);
        for (half, to) in columns.chunks_mut(single::REGISTER).enumerate() {
            if gathered == group.len() {
                single::multiply_columns(steps, left, &mut group);
                gathered = 0;
            }
            group[gathered] = Columns { right: &panel[half * single::REGISTER..], step, to };
            gathered += 1;
        }
    }
    single::multiply_columns(steps, left, &mut group[..gathered]);
    true
}

fn multiply_tile(part: &Part<'_>, (row, rows): (usize, usize), product: &mut [f32], panel: &mut Vec<Line>) {
    let (depth, columns) = part.b.size();
    let words = part.b.format().words(depth);
    for index in 0..columns.div_ceil(COLUMNS) {
        let column = index * COLUMNS;
        let c = product[column..].as_mut_ptr();
        let count = COLUMNS.min(columns - column);
        let pass = part.b.format().depth(words, rows);
        for first in (0..words).step_by(pass) {
            let range = first..(first + pass).min(words);
            let left = part.a.tile(row, rows, range.clone());
            let right = part.b.panel(index, range.clone(), panel);
            let to = kernel::Place { at: c, stride: columns };
            let block = kernel::Block { from: Some(to), to, rows, count, streams: false };
            // SAFETY: the block lies inside the product.
            unsafe { kernel::multiply(part.b.format(), range.len(), &left, &right, &block) };
        }
    }
}
