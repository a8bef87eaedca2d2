//! The right factor: matrices packed into panels once, read as they lie for the forward product and turned over block by block for
//! the input gradient.

use std::{cell::RefCell, mem::MaybeUninit, ops::Range};

use super::{
    COLUMNS, Format, LINE_WORDS, LINES, Line, Panels, RightPart, Rows, int8,
    tiles::{Source, columns_bf16},
    words_of_lines,
};
use crate::{arena::Lines, cpu::Matrix, simd::dispatch, team};

/// Panels of neighbouring columns that are packed together.
const PANELS_TOGETHER: usize = 4;

/// A weight [outputs, inputs] in panels of 32 outputs, `[panel][word][output]`, words along the inputs. A last panel of at most 16
/// outputs is half as wide, so that a small adapter is not padded to twice its size.
#[derive(Debug)]
pub(crate) struct Packed {
    format: Format,
    outputs: usize,
    inputs: usize,
    lines: Lines,
}

impl Packed {
    /// Packs a row-major weight. Rounds f32 to the format; bf16 numbers keep their values in either.
    pub(crate) fn new(weight: Matrix<'_>, outputs: usize, inputs: usize, format: Format) -> Self {
        Self::new_in(weight, (outputs, inputs), format, Lines::zeros)
    }

    /// [`Packed::new`] in memory that is given for so many lines.
    pub(crate) fn new_in(
        weight: Matrix<'_>,
        (outputs, inputs): (usize, usize),
        format: Format,
        memory: impl FnOnce(usize) -> Lines,
    ) -> Self {
        let rows = Rows { data: weight, across: outputs, along: inputs, format, turned: true };
        let words = format.words(inputs);
        let mut lines = memory(lines_of(outputs, words));
        team::chunks_mut(lines.as_mut_slice(), (words * LINES).max(1), |index, panel| {
            if panel.len() == words * LINES {
                return rows.fill(index, 0..words, panel);
            }
            let mut wide = vec![Line::default(); words * LINES];
            rows.fill(index, 0..words, &mut wide);
            panel.iter_mut().zip(wide.chunks_exact(LINES)).for_each(|(line, wide)| *line = wide[0]);
        });
        Self { format, outputs, inputs, lines }
    }

    /// Packs activations or gradients [along, across] to be multiplied as bf16, the sum running down their rows.
    pub(crate) fn across(data: &[f32], along: usize, across: usize) -> Self {
        assert!(data.len() >= along * across, "a right factor is shorter than its size");
        let (format, words) = (Format::Bf16, Format::Bf16.words(along));
        let count = lines_of(across, words);
        let mut lines: Vec<Line> = Vec::with_capacity(count);
        let spare = &mut lines.spare_capacity_mut()[..count];
        if !across.is_multiple_of(16) {
            spare.fill(MaybeUninit::zeroed());
        }
        team::chunks_mut(spare, (PANELS_TOGETHER * words * LINES).max(1), |index, panels| {
            let first = index * PANELS_TOGETHER * COLUMNS;
            let count = (PANELS_TOGETHER * COLUMNS).min(across - first);
            let source = Source { first, count, rows: across, depth: along, scale: 1.0 };
            columns_bf16(unset(panels), data, source, COLUMNS);
        });
        // SAFETY: all words of all lines have been set: those of columns that are there here, the others before.
        unsafe { lines.set_len(count) };
        Self { format, outputs: across, inputs: along, lines: Lines::Own(lines) }
    }

    /// Packs a right factor as it is.
    pub(crate) fn made(factor: &dyn Panels) -> Self {
        let (format, (inputs, outputs)) = (factor.format(), factor.size());
        let words = format.words(inputs);
        let mut lines = vec![Line::default(); lines_of(outputs, words)];
        team::chunks_mut(&mut lines, (words * LINES).max(1), |index, panel| {
            let mut scratch = SCRATCH.take();
            let (each, part) = (panel.len() / words, factor.panel(index, 0..words, &mut scratch));
            for (to, from) in panel.chunks_exact_mut(each).zip(part.words.chunks(part.step)) {
                for (to, from) in to.iter_mut().zip(from.as_chunks::<16>().0) {
                    to.0 = *from;
                }
            }
            SCRATCH.set(scratch);
        });
        Self { format, outputs, inputs, lines: Lines::Own(lines) }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    /// Bytes of a packed weight of these sizes.
    pub(crate) fn size_in_bytes(outputs: usize, inputs: usize, format: Format) -> usize {
        halves(outputs).saturating_mul(format.words(inputs)).saturating_mul(size_of::<Line>())
    }

    fn words(&self) -> usize {
        self.format.words(self.inputs)
    }

    /// The lines of a panel, one or two for each word.
    fn stored(&self, index: usize) -> &[Line] {
        let size = self.words() * LINES;
        &self.lines[index * size..((index + 1) * size).min(self.lines.len())]
    }

    /// Row `output` of the weight, as numbers.
    pub(crate) fn row(&self, output: usize) -> impl Iterator<Item = f32> + '_ {
        let (panel, column) = (self.stored(output / COLUMNS), output % COLUMNS);
        let lines = panel.len() / self.words().max(1);
        let word = move |word: usize| panel[word * lines + column / 16].0[column % 16];
        (0..self.inputs).map(move |input| match self.format {
            Format::F32 | Format::F16 => f32::from_bits(word(input)),
            Format::Bf16 if input % 2 == 0 => f32::from_bits(word(input / 2) << 16),
            Format::Bf16 => f32::from_bits(word(input / 2) & 0xFFFF_0000),
            Format::Int8 => int8::number(input, word),
        })
    }
}

impl Panels for Packed {
    fn format(&self) -> Format {
        self.format
    }

    fn size(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    fn panel<'a>(&'a self, index: usize, range: Range<usize>, _: &'a mut Vec<Line>) -> RightPart<'a> {
        let panel = self.stored(index);
        let lines = panel.len() / self.words();
        RightPart::of(&panel[range.start * lines..range.end * lines], lines)
    }

    fn ready(&self, index: usize) -> Option<&[u32]> {
        Some(words_of_lines(self.stored(index)))
    }

    fn run(&self, panels: Range<usize>) -> Option<&[u32]> {
        let size = self.words() * LINES;
        let whole = panels.end * COLUMNS <= self.outputs;
        whole.then(|| words_of_lines(&self.lines[panels.start * size..panels.end * size]))
    }
}

thread_local! {
    /// A panel before it is packed.
    static SCRATCH: RefCell<Vec<Line>> = RefCell::default();
}

/// Half panels that hold so many columns.
fn halves(columns: usize) -> usize {
    columns.div_ceil(COLUMNS / LINES)
}

/// Lines of a matrix with so many columns, and words along the sum.
fn lines_of(columns: usize, words: usize) -> usize {
    halves(columns) * words
}

/// The words of lines that are to be written.
fn unset(lines: &mut [MaybeUninit<Line>]) -> &mut [MaybeUninit<u32>] {
    // SAFETY: a line is 16 words and nothing else, so a slice of lines is a slice of 16 times as many words.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE_WORDS) }
}

/// A packed weight used turned over: the sum runs along its outputs.
pub(crate) struct Turned<'a>(pub(crate) &'a Packed);

impl Panels for Turned<'_> {
    fn format(&self) -> Format {
        self.0.format
    }

    fn size(&self) -> (usize, usize) {
        (self.0.outputs, self.0.inputs)
    }

    fn panel<'a>(&'a self, index: usize, range: Range<usize>, scratch: &'a mut Vec<Line>) -> RightPart<'a> {
        let weight = self.0;
        // A panel of the weight covers so many words of this one's sum.
        let across = COLUMNS / weight.format.step();
        assert!(range.start.is_multiple_of(across), "a turned panel starts inside a panel of its weight");
        // What is left of an earlier panel stands in columns that are not there, whose sums nobody stores.
        scratch.resize(range.len() * LINES, Line::default());
        let words = weight.words();
        // The panel's columns are so many words of the weight, from `first` on.
        let first = index * COLUMNS / weight.format.step();
        let count = (COLUMNS / weight.format.step()).min(words - first);
        for (block, lines) in scratch.chunks_mut(across * LINES).enumerate() {
            let panel = weight.stored(range.start / across + block);
            let width = panel.len() / words;
            let mut wide = [Line::default(); COLUMNS * LINES];
            let source = &panel[first * width..(first + count) * width];
            let source = if width == LINES { source } else { widen(&mut wide, source) };
            match weight.format {
                Format::F32 | Format::F16 => turn_f32(lines, source),
                Format::Bf16 => turn_bf16(lines, source),
                Format::Int8 => unreachable!("int8 has no gradients, and they alone turn a weight over"),
            }
        }
        RightPart::of(scratch, LINES)
    }
}

/// The lines of a half panel as those of a whole one.
fn widen<'a>(wide: &'a mut [Line], narrow: &[Line]) -> &'a [Line] {
    wide.chunks_exact_mut(LINES).zip(narrow).for_each(|(wide, narrow)| wide[0] = *narrow);
    &wide[..narrow.len() * LINES]
}

/// Turns up to 32 lines of 32 numbers over; `to` may end before the last one.
fn turn_f32(to: &mut [Line], from: &[Line]) {
    for (input, line) in from.chunks_exact(LINES).enumerate() {
        for (output, to) in to.chunks_exact_mut(LINES).enumerate() {
            to[input / 16].0[input % 16] = line[output / 16].0[output % 16];
        }
    }
}

/// Turns up to 16 lines of 32 pairs along the inputs into lines of 32 pairs along the outputs.
fn turn_bf16(to: &mut [Line], from: &[Line]) {
    #[cfg(target_arch = "x86_64")]
    if crate::dispatch::dispatch() >= crate::Dispatch::Avx512 {
        // SAFETY: `dispatch` gives only paths whose instructions the processor has.
        return unsafe { avx512::turn_pairs(to, from) };
    }
    turn_pairs(to, from);
}

dispatch! {
    fn turn_pairs(to: &mut [Line], from: &[Line]) {
        let mut turned = [[0_u64; 16]; 16];
        for (line, turned) in from.as_chunks::<LINES>().0.iter().zip(&mut turned) {
            for half in 0..LINES {
                let words = line[half].0.as_chunks::<2>().0;
                for (word, [even, odd]) in turned[half * 8..].iter_mut().zip(words) {
                    let first = (even & 0xFFFF) | (odd << 16);
                    let second = (even >> 16) | (odd & 0xFFFF_0000);
                    *word = u64::from(first) | (u64::from(second) << 32);
                }
            }
        }
        for (pair, to) in to.as_chunks_mut::<LINES>().0.iter_mut().enumerate() {
            for input in 0..16 {
                let word = turned[input][pair];
                let at = 2 * input % 16;
                to[input / 8].0[at] = word as u32;
                to[input / 8].0[at + 1] = (word >> 32) as u32;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    //! Four transpositions of 8 by 8 words of 64 bits, each two pairs that have changed partners.

    use std::arch::x86_64::{
        __m512i, _mm512_load_si512, _mm512_loadu_si512, _mm512_setzero_si512, _mm512_shuffle_epi8,
        _mm512_shuffle_i64x2, _mm512_store_si512, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
    };

    use super::{LINES, Line};

    /// Exchanges the middle two of four 16-bit numbers.
    const EXCHANGE: [u8; 64] = {
        let (mut bytes, mut i) = ([0; 64], 0);
        let pattern = [0, 1, 4, 5, 2, 3, 6, 7];
        while i < 64 {
            bytes[i] = (i % 16 / 8 * 8) as u8 + pattern[i % 8];
            i += 1;
        }
        bytes
    };

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn turn_pairs(to: &mut [Line], from: &[Line]) {
        // SAFETY: the array has the 64 bytes that are read.
        let exchange = unsafe { _mm512_loadu_si512(EXCHANGE.as_ptr().cast()) };
        for half in 0..LINES {
            for eight in 0..2 {
                let mut rows = [_mm512_setzero_si512(); 8];
                for (i, row) in rows.iter_mut().enumerate() {
                    if let Some(line) = from.get((8 * eight + i) * LINES + half) {
                        // SAFETY: a line is 64 bytes and aligned to as many.
                        *row = _mm512_shuffle_epi8(
                            unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) },
                            exchange,
                        );
                    }
                }
                for (j, column) in transpose(rows).into_iter().enumerate() {
                    if let Some(line) = to.get_mut((8 * half + j) * LINES + eight) {
                        // SAFETY: as above.
                        unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), column) };
                    }
                }
            }
        }
    }

    /// Rows of eight 64-bit words to columns.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
        // Words of neighbouring rows side by side: 0 0' 2 2' 4 4' 6 6' and 1 1' 3 3' 5 5' 7 7'.
        let (a, b) = (_mm512_unpacklo_epi64(r[0], r[1]), _mm512_unpackhi_epi64(r[0], r[1]));
        let (c, d) = (_mm512_unpacklo_epi64(r[2], r[3]), _mm512_unpackhi_epi64(r[2], r[3]));
        let (e, f) = (_mm512_unpacklo_epi64(r[4], r[5]), _mm512_unpackhi_epi64(r[4], r[5]));
        let (g, h) = (_mm512_unpacklo_epi64(r[6], r[7]), _mm512_unpackhi_epi64(r[6], r[7]));
        let even = quarters([a, c, e, g]);
        let odd = quarters([b, d, f, h]);
        [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]]
    }

    /// A transposition of 4 by 4 quarters of registers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn quarters([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        let (ab_even, ab_odd) = (_mm512_shuffle_i64x2::<EVEN>(a, b), _mm512_shuffle_i64x2::<ODD>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_i64x2::<EVEN>(c, d), _mm512_shuffle_i64x2::<ODD>(c, d));
        [
            _mm512_shuffle_i64x2::<EVEN>(ab_even, cd_even),
            _mm512_shuffle_i64x2::<EVEN>(ab_odd, cd_odd),
            _mm512_shuffle_i64x2::<ODD>(ab_even, cd_even),
            _mm512_shuffle_i64x2::<ODD>(ab_odd, cd_odd),
        ]
    }
}
