//! Products of some rows of a left factor, each with a matrix of its own, packed as the left factors of the next product: what many
//! low-rank updates need in their middle, without an allocation for each.

use std::{cell::RefCell, mem::MaybeUninit, ops::Range};

use super::{
    COLUMNS, Format, Leftward, Line, Panels, ROWS, Tiles,
    kernel::{
        self,
        single::{self, Single},
    },
    tiles::{Target, pack_tile},
};
use crate::team;

/// Multiplications below which other threads are not worth a word.
const PARALLEL_FROM: usize = 32 * 1024;
/// How many times a thread shall come for more tiles.
const HELPINGS: usize = 8;
/// Tiles that a thread takes at least: single rows are multiplied several at once.
const LEAST: usize = 4;

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
        let make = |tiles: &[Tile]| {
            for tiles in tiles.chunk_by(|a, b| together(parts, a, b)) {
                // SAFETY: the tiles' words lie one after the other, and each tile is made once.
                let to = unsafe { target.lines(tiles[0].start, tiles[tiles.len() - 1].end - tiles[0].start) };
                multiply(parts, tiles, to);
            }
        };
        let work: usize = parts.iter().map(|part| part.rows.len() * part.b.size().0 * part.b.size().1).sum();
        if work < PARALLEL_FROM {
            make(&tiles);
        } else {
            let each = (tiles.len() / (team::threads() * HELPINGS)).max(LEAST);
            team::for_each(tiles.len().div_ceil(each), |task| {
                make(&tiles[task * each..tiles.len().min((task + 1) * each)]);
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

/// Whether two tiles that follow each other are single rows, whose sums are as long, and made at once.
fn together(parts: &[Part<'_>], a: &Tile, b: &Tile) -> bool {
    let (first, second) = (&parts[a.part], &parts[b.part]);
    is_single(first, a.rows) && is_single(second, b.rows) && first.b.size().0 == second.b.size().0
}

/// Whether so many rows of a part are one, and are multiplied with other ones.
fn is_single(part: &Part<'_>, rows: usize) -> bool {
    rows == 1 && single::available(part.b.format()) && part.b.ready(0).is_some()
}

/// The product of a part that is one row, packed into `words`.
pub(crate) fn low(part: &Part<'_>, words: &mut Vec<u32>) {
    let count = part.format.words(part.b.size().1);
    words.clear();
    words.reserve(count);
    let tile = Tile { part: 0, row: part.rows.start, rows: 1, start: 0, end: count };
    multiply(std::slice::from_ref(part), &[tile], &mut words.spare_capacity_mut()[..count]);
    // SAFETY: `multiply` has set so many words.
    unsafe { words.set_len(count) };
}

/// Sets the words of some tiles, all of them [`together`].
fn multiply(parts: &[Part<'_>], tiles: &[Tile], to: &mut [MaybeUninit<u32>]) {
    let (mut product, mut panel) = SCRATCH.take();
    product.clear();
    product.resize(tiles.iter().map(|tile| tile.rows * parts[tile.part].b.size().1).sum(), 0.0);
    if is_single(&parts[tiles[0].part], tiles[0].rows) {
        multiply_singles(parts, tiles, &mut product);
    } else {
        tiles.iter().for_each(|tile| multiply_tile(&parts[tile.part], tile, &mut product, &mut panel));
    }
    let (mut to, mut numbers) = (to, &product[..]);
    for tile in tiles {
        let (part, now) = (&parts[tile.part], to.split_at_mut(tile.end - tile.start));
        let columns = part.b.size().1;
        let (mine, later) = numbers.split_at(tile.rows * columns);
        pack_tile(now.0, mine, (tile.rows, columns), part.format, part.scale);
        (to, numbers) = (now.1, later);
    }
    SCRATCH.set((product, panel));
}

/// The products of tiles that are single rows, one after the other.
fn multiply_singles(parts: &[Part<'_>], tiles: &[Tile], mut product: &mut [f32]) {
    let (depth, format) = (parts[tiles[0].part].b.size().0, parts[tiles[0].part].b.format());
    let steps = format.words(depth);
    let mut singles = Vec::with_capacity(tiles.len());
    for tile in tiles {
        let Part { a, b, .. } = parts[tile.part];
        let columns;
        (columns, product) = product.split_at_mut(b.size().1);
        let left = a.tile(tile.row, 1, 0..steps);
        for (index, columns) in columns.chunks_mut(COLUMNS).enumerate() {
            let Some(panel) = b.ready(index) else { unreachable!("the first panel of a factor lies ready") };
            let step = panel.len() / steps.max(1);
            for (half, to) in columns.chunks_mut(single::REGISTER).enumerate() {
                let right = &panel[half * single::REGISTER..];
                singles.push(Single { left, right, step, to });
            }
        }
    }
    single::multiply_singles(steps, &mut singles);
}

/// The product of a tile.
fn multiply_tile(part: &Part<'_>, tile: &Tile, product: &mut [f32], panel: &mut Vec<Line>) {
    let Tile { row, rows, .. } = *tile;
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
