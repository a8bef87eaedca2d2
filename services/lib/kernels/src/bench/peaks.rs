//! The machine's limits on the dispatch path in use: multiplications in registers, and bytes read from memory, on all threads.

use std::time::Instant;

use crate::{
    WeightArena,
    gemm::{Format, Line, multiply_resident, words_of_lines},
    simd::dispatch,
    team,
};

/// Bytes of the block that is read: more than any cache holds.
const BLOCK: usize = 256 << 20;
/// Times a limit is measured; the best counts.
const TRIES: usize = 5;
/// Words along the sum of the product in registers: its panel stays in the first-level cache.
const WORDS: usize = 96;
/// Products in registers per try and thread.
const PRODUCTS: usize = 20_000;

/// What the machine can do at most, all threads together.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// Multiplications and additions of f32, 10^9 per second.
    pub f32_gflops: f64,
    /// Those of bf16 pairs with f32 sums.
    pub bf16_gflops: f64,
    /// Those of four int8, with sums of whole numbers that are scaled.
    pub int8_gops: f64,
    /// Bytes read from memory, 10^9 per second.
    pub read_gb_s: f64,
}

/// Measures the limits; takes about a second.
pub fn measure_peaks() -> Peaks {
    Peaks {
        f32_gflops: multiplications(Format::F32),
        bf16_gflops: multiplications(Format::Bf16),
        int8_gops: multiplications(Format::Int8),
        read_gb_s: reading(),
    }
}

/// The best of some tries.
fn best(work: impl Fn() -> f64) -> f64 {
    (0..TRIES).map(|_| work()).fold(0.0, f64::max)
}

/// A tile times a panel that both stay in the first-level cache, again and again.
fn multiplications(format: Format) -> f64 {
    let numbers = WORDS * format.step();
    let flops = multiply_resident(format, numbers, 1) * PRODUCTS as f64;
    let threads = team::threads();
    best(|| {
        let start = Instant::now();
        team::for_each(threads, |_| {
            multiply_resident(format, numbers, PRODUCTS);
        });
        flops * threads as f64 / start.elapsed().as_secs_f64() / 1e9
    })
}

fn reading() -> f64 {
    // As weights lie, and not all zeros, which the system might keep once.
    let mut block = WeightArena::new(BLOCK).take(BLOCK / size_of::<Line>());
    block.as_mut_slice().fill(Line([1; 16]));
    let words = words_of_lines(&block);
    let parts: Vec<&[u32]> = words.chunks(words.len().div_ceil(team::threads())).collect();
    best(|| {
        let start = Instant::now();
        std::hint::black_box(team::map(parts.len(), |part| sum(parts[part])));
        BLOCK as f64 / start.elapsed().as_secs_f64() / 1e9
    })
}

/// Numbers read before the sums are used again: several registers, to hide the latency of an addition.
const RUN: usize = 128;

dispatch! {
    fn sum(numbers: &[u32]) -> u32 {
        let mut sums = [0_u32; RUN];
        for run in numbers.as_chunks::<RUN>().0 {
            for i in 0..RUN {
                sums[i] = sums[i].wrapping_add(run[i]);
            }
        }
        sums.into_iter().fold(0, u32::wrapping_add)
    }
}
