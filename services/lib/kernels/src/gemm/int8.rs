//! Words of int8: how numbers become groups of bytes with a scale, and bytes numbers again.
//!
//! A group is 64 numbers that follow each other along the sum: a head, then 16 words of four bytes. Scales of single groups, not of
//! whole rows, keep the error small where a few numbers are much larger than all others.
//!
//! The instruction that multiplies bytes takes those of one factor without sign. So the right factor's are 128 more than its numbers,
//! and its head is an f32 scale. The left factor's are its numbers; its head has in the high half a bf16 scale and in the low half
//! minus the sum of the bytes, which times 128 takes off what was too much.

use std::mem::MaybeUninit;

use half::bf16;

use super::{LINES, Line, rows::Part, tiles::Source};
use crate::simd::dispatch;

/// Numbers that follow each other in a row of an int8 weight and share a scale, which is the largest of them over 127.
pub const GROUP: usize = 64;
/// Words of a group: its head, and its numbers by fours.
pub(super) const GROUP_WORDS: usize = 1 + GROUP / 4;
/// The bit of each byte that adds 128 to a number with sign and gives one without.
const OFFSETS: u32 = 0x8080_8080;
/// The largest number of a byte.
const MOST: f32 = 127.0;
/// A group whose largest number is below this is zeros: the reciprocal of its scale could be infinite.
const LEAST: f32 = 1e-30;
/// Adding it rounds a number of up to 2^22 to a whole one, ties to even, and leaves that in the low bits.
const MAGIC: f32 = 12_582_912.0;

dispatch! {
    /// Fills a tile with rows of the left factor.
    pub(super) fn fill_rows(tile: &mut [MaybeUninit<u32>], data: &[f32], source: Source) {
        let Source { first, count, depth, scale: factor, .. } = source;
        for row in 0..count {
            let numbers = &data[(first + row) * depth..][..depth];
            for (lines, numbers) in tile.chunks_mut(GROUP_WORDS * count).zip(numbers.chunks(GROUP)) {
                let group = group_of(numbers, |number| number * factor);
                let scale = at_least_bf16(scale_of(&group));
                let bytes = bytes_of(&group, scale);
                let sum: i32 = bytes.iter().map(|byte| i32::from(*byte)).sum();
                let words = words_of(scale.to_bits() | u32::from((-sum) as u16), &bytes, 0);
                for (line, word) in lines.chunks_exact_mut(count).zip(words) {
                    line[row].write(word);
                }
            }
        }
    }
}

dispatch! {
    /// Fills a panel, where there are zeros, with columns of the right factor, which are rows of the matrix.
    pub(super) fn fill_columns_f32(panel: &mut [Line], data: &[f32], part: Part) {
        fill_columns(panel, data, part, |number| number);
    }
}

dispatch! {
    /// [`fill_columns_f32`] for a matrix of bf16.
    pub(super) fn fill_columns_bf16(panel: &mut [Line], data: &[bf16], part: Part) {
        fill_columns(panel, data, part, |number| f32::from_bits(u32::from(number.to_bits()) << 16));
    }
}

#[inline(always)]
fn fill_columns<T: Copy>(panel: &mut [Line], data: &[T], part: Part, number: impl Fn(T) -> f32) {
    let Part { first, along, column, count, row, next, .. } = part;
    assert!(row == 1 && first.is_multiple_of(GROUP_WORDS), "a group of int8 is read whole, along a row");
    let start = first / GROUP_WORDS * GROUP;
    for (index, lines) in panel.chunks_mut(GROUP_WORDS * LINES).enumerate() {
        for j in 0..count {
            let numbers = &data[(column + j) * next..][..along][start + index * GROUP..];
            let group = group_of(&numbers[..GROUP.min(numbers.len())], &number);
            let scale = scale_of(&group);
            let words = words_of(scale.to_bits(), &bytes_of(&group, scale), OFFSETS);
            for (to, word) in lines.as_chunks_mut::<LINES>().0.iter_mut().zip(words) {
                to[j / 16].0[j % 16] = word;
            }
        }
    }
}

/// Number `index` of a column of the right factor, whose words `word` gives.
pub(super) fn number(index: usize, word: impl Fn(usize) -> u32) -> f32 {
    let head = index / GROUP * GROUP_WORDS;
    let byte = (word(head + 1 + index % GROUP / 4) ^ OFFSETS) >> (index % 4 * 8);
    f32::from(byte as i8) * f32::from_bits(word(head))
}

/// Up to a group's numbers, and zeros after them.
#[inline(always)]
fn group_of<T: Copy>(numbers: &[T], number: impl Fn(T) -> f32) -> [f32; GROUP] {
    let mut group = [0.0; GROUP];
    group.iter_mut().zip(numbers).for_each(|(to, from)| *to = number(*from));
    group
}

/// The scale with which the largest number becomes the largest byte; not finite if one of the numbers is not.
#[inline(always)]
fn scale_of(group: &[f32; GROUP]) -> f32 {
    // Bits without signs are ordered as their numbers are, with what is no number last.
    let largest = group.iter().fold(0, |largest, number| (number.to_bits() & 0x7FFF_FFFF).max(largest));
    let largest = f32::from_bits(largest);
    if largest < LEAST { 0.0 } else { largest / MOST }
}

/// The least bf16 that is not below a number.
#[inline(always)]
fn at_least_bf16(number: f32) -> f32 {
    if number.is_nan() { f32::NAN } else { f32::from_bits((number.to_bits() + 0xFFFF) & 0xFFFF_0000) }
}

/// The bytes that come nearest to the numbers.
#[inline(always)]
fn bytes_of(group: &[f32; GROUP], scale: f32) -> [i8; GROUP] {
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut bytes = [0; GROUP];
    for (byte, number) in bytes.iter_mut().zip(group) {
        *byte = (number * inverse + MAGIC).to_bits() as i8;
    }
    bytes
}

/// A group's words: its head, and its bytes with these bits turned over.
#[inline(always)]
fn words_of(head: u32, bytes: &[i8; GROUP], bits: u32) -> [u32; GROUP_WORDS] {
    let mut words = [head; GROUP_WORDS];
    for (word, four) in words[1..].iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(four.map(i8::cast_unsigned)) ^ bits;
    }
    words
}

#[cfg(test)]
mod tests;
