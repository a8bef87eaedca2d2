//! Measures the kernels beside the machine's own limits: what `rootstock doctor` and `rootstock bench kernels` print.

mod peaks;

use std::time::Instant;

use candle_core::{DType, Result};

use crate::{
    ARENA_BLOCK_BYTES, LinearInput, LinearWeight, LoraMap, LoraPair, LoraRows, Random, WeightArena,
    cpu::{Matrix, tensor},
    gemm::{Format, Packed, Tiles, Turned, Write, product},
    lora_linear_rows, team,
};
pub use peaks::{Peaks, measure_peaks};

/// Bytes of weights gone through before one is used again, when it shall not be in a cache.
const COLD_BYTES: usize = 256 << 20;
/// Seconds given to one figure.
const PATIENCE: f64 = 0.4;
/// Least and most runs of one figure.
const RUNS: (usize, usize) = (5, 200);

/// Where the weights are when a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// In memory: each run takes another copy, out of 256 MB or more.
    Cold,
    /// Where the run before left them.
    Resident,
}

/// Which product of a linear map is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `y = x W^T`.
    Forward,
    /// `dx = dy W`, from the same packed weight, which is not int8.
    InputGradient,
}

/// A linear map to measure: `rows` rows of `inputs` numbers become rows of `outputs`.
#[derive(Clone, Copy, Debug)]
pub struct LinearCase {
    /// Rows of the input.
    pub rows: usize,
    /// Width of the input.
    pub inputs: usize,
    /// Width of the output.
    pub outputs: usize,
    /// Format of the packed weight.
    pub format: Format,
    /// Which product.
    pub direction: Direction,
}

impl LinearCase {
    /// Floating-point operations of one run.
    pub fn flops(&self) -> f64 {
        2.0 * self.rows as f64 * self.inputs as f64 * self.outputs as f64
    }

    /// Bytes of the packed weight, which each run reads.
    pub fn weight_bytes(&self) -> f64 {
        LinearWeight::packed_bytes(self.outputs, self.inputs, self.format) as f64
    }

    /// Seconds of a run in the median, the packing of its input included.
    ///
    /// # Errors
    /// When the input can't be read, which has been made for it.
    pub fn measure(&self, weights: Weights) -> Result<f64> {
        let copies = copies(self.weight_bytes(), weights);
        let numbers = random(1, self.outputs * self.inputs);
        let mut arena = WeightArena::new(ARENA_BLOCK_BYTES);
        let sizes = (self.outputs, self.inputs);
        let mut pack =
            |_| Packed::new_in(Matrix::F32(&numbers), sizes, self.format, |lines| arena.take(lines));
        let packed: Vec<Packed> = (0..copies).map(&mut pack).collect();
        let (depth, width) = match self.direction {
            Direction::Forward => (self.inputs, self.outputs),
            Direction::InputGradient => (self.outputs, self.inputs),
        };
        let x = tensor(random(2, self.rows * depth), (self.rows, depth))?;
        let mut y = vec![0_f32; self.rows * width];
        let mut turn = 0;
        median(|| {
            let weight = &packed[turn % copies];
            turn += 1;
            let x = Tiles::of(&x, self.rows, depth, self.format)?;
            match self.direction {
                Direction::Forward => product(&mut y, Write::Set, &x, weight),
                Direction::InputGradient => product(&mut y, Write::Set, &x, &Turned(weight)),
            }
            Ok(())
        })
    }
}

/// A linear map of a decode batch to measure, each row of which has an adapter of its own; bf16.
#[derive(Clone, Copy, Debug)]
pub struct LoraCase {
    /// Rows of the input, and adapters.
    pub rows: usize,
    /// Width of the input.
    pub inputs: usize,
    /// Width of the output.
    pub outputs: usize,
    /// Of every adapter.
    pub rank: usize,
}

impl LoraCase {
    /// Floating-point operations of one run.
    pub fn flops(&self) -> f64 {
        2.0 * self.rows as f64
            * (self.inputs * self.outputs + self.rank * (self.inputs + self.outputs)) as f64
    }

    /// Bytes of the weight and of all adapters, which each run reads.
    pub fn weight_bytes(&self) -> f64 {
        2.0 * (self.inputs * self.outputs + self.rows * self.rank * (self.inputs + self.outputs)) as f64
    }

    /// Seconds of a run in the median, the packing of its input included.
    ///
    /// # Errors
    /// When memory for the weights is not to be had.
    pub fn measure(&self, weights: Weights) -> Result<f64> {
        let Self { rows, inputs, outputs, rank } = *self;
        let mut arena = WeightArena::new(ARENA_BLOCK_BYTES);
        let mut weight = |seed, outputs, inputs| {
            let numbers = tensor(random(seed, outputs * inputs), (outputs, inputs))?;
            LinearWeight::frozen_in(&numbers.to_dtype(DType::BF16)?, &mut arena)
        };
        let mut sets = Vec::new();
        for _ in 0..copies(self.weight_bytes(), weights) {
            let base = weight(1, outputs, inputs)?;
            let mut pairs = Vec::with_capacity(rows);
            for _ in 0..rows {
                let (a, b) = (weight(2, rank, inputs)?, weight(3, outputs, rank)?);
                pairs.push(LoraPair { a, b, scale: 2.0, dropout: 0.0 });
            }
            sets.push((base, pairs));
        }
        let x = tensor(random(4, rows * inputs), (rows, inputs))?;
        let mut turn = 0;
        median(|| {
            let (weight, pairs) = &sets[turn % sets.len()];
            turn += 1;
            let groups = pairs.iter().enumerate();
            let groups = groups.map(|(row, pair)| LoraRows { rows: row..row + 1, pair }).collect();
            let map = LoraMap { weight, groups, factors: Vec::new() };
            lora_linear_rows(&LinearInput::from(&x), &[map]).map(drop)
        })
    }
}

/// How many sets of weights are gone through.
fn copies(bytes: f64, weights: Weights) -> usize {
    if weights == Weights::Cold { COLD_BYTES.div_ceil((bytes as usize).max(1)).max(2) } else { 1 }
}

/// Threads that a kernel is spread over.
pub fn threads() -> usize {
    team::threads()
}

/// The median of as many runs as there is patience for; the first one is not counted.
fn median(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    run()?;
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < RUNS.0 || (times.len() < RUNS.1 && begun.elapsed().as_secs_f64() < PATIENCE) {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn random(seed: u64, n: usize) -> Vec<f32> {
    let random = Random::new(seed, 0);
    (0..n as u64).map(|i| (random.uniform(i) - 0.5) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_time_of_a_run_and_a_cold_weight_is_never_faster_by_much() {
        for direction in [Direction::Forward, Direction::InputGradient] {
            let case = LinearCase { rows: 3, inputs: 512, outputs: 512, format: Format::Bf16, direction };
            let [cold, resident] =
                [Weights::Cold, Weights::Resident].map(|weights| case.measure(weights).unwrap());
            assert!(cold > 0.0 && resident > 0.0 && resident < 10.0 * cold, "{cold} {resident}");
            assert_eq!(case.flops(), 2.0 * 3.0 * 512.0 * 512.0);
        }
    }

    #[test]
    fn a_row_with_an_adapter_costs_more_than_one_without() {
        let case = LoraCase { rows: 3, inputs: 64, outputs: 96, rank: 4 };
        assert_eq!(case.flops(), 6.0 * (64.0 * 96.0 + 4.0 * 160.0));
        assert_eq!(case.weight_bytes(), 2.0 * (64.0 * 96.0 + 3.0 * 4.0 * 160.0));
        assert!(case.measure(Weights::Resident).unwrap() > 0.0);
    }

    #[test]
    fn the_machine_has_limits() {
        let peaks = measure_peaks();
        assert!(
            peaks.f32_gflops > 0.1
                && peaks.bf16_gflops > 0.1
                && peaks.int8_gops > 0.1
                && peaks.read_gb_s > 0.1,
            "{peaks:?}"
        );
    }
}
