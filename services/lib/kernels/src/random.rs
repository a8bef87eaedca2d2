//! Counter-based random numbers: each is a pure function of (seed, stream, position), so nothing depends on call order.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, 2014) used as a hash: its state is an arithmetic sequence, so position
//! `i` is reached directly. Seed and stream are mixed into the starting state and into an odd increment of their own, so
//! that two streams do not run through the same sequence.

use candle_core::{Device, Result, Shape, Tensor};

use crate::team;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Elements filled by one task.
const CHUNK: usize = 16 * 1024;

/// One stream of random numbers; copying it is free, and reading it never changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    start: u64,
    increment: u64,
}

impl Random {
    /// The stream numbered `stream` of the seed `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let start = mix(mix(seed.wrapping_add(GOLDEN)) ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let increment = mix(start ^ seed ^ stream.rotate_left(32)) | 1;
        Self { start, increment }
    }

    /// The stream that belongs to a name, e.g. to a parameter.
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a: short, fixed for all time, and mixed again by `new`.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self::new(seed, hash)
    }

    /// A stream derived from this one.
    pub fn child(&self, stream: u64) -> Self {
        Self::new(self.start ^ self.increment.rotate_left(17), stream)
    }

    /// 64 random bits at a position.
    #[inline(always)]
    pub fn bits(&self, position: u64) -> u64 {
        mix(self.start.wrapping_add(position.wrapping_mul(self.increment)))
    }

    /// A number in [0, 1) with 53 random bits.
    pub fn uniform(&self, position: u64) -> f64 {
        (self.bits(position) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&self, position: u64, bound: u64) -> u64 {
        // The bias of multiply-and-shift is below bound / 2^64.
        ((u128::from(self.bits(position)) * u128::from(bound)) >> 64) as u64
    }

    /// A standard normal number (Box and Muller, 1958), from the bits at `2 position` and `2 position + 1`.
    pub fn normal(&self, position: u64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform(2 * position)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(2 * position + 1)).cos()
    }

    /// The numbers below `n` in random order (Fisher and Yates).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last as u64, last as u64 + 1) as usize);
        }
        order
    }

    /// A tensor of f32 numbers drawn from N(mean, std^2).
    ///
    /// # Errors
    /// When the device can't take the tensor.
    pub fn normal_tensor(
        &self,
        shape: impl Into<Shape>,
        mean: f64,
        std: f64,
        device: &Device,
    ) -> Result<Tensor> {
        self.tensor(shape.into(), device, |position| (mean + std * self.normal(position)) as f32)
    }

    /// A tensor of f32 numbers drawn evenly from [low, high).
    ///
    /// # Errors
    /// When the device can't take the tensor.
    pub fn uniform_tensor(
        &self,
        shape: impl Into<Shape>,
        low: f64,
        high: f64,
        device: &Device,
    ) -> Result<Tensor> {
        self.tensor(shape.into(), device, |position| (low + (high - low) * self.uniform(position)) as f32)
    }

    fn tensor(&self, shape: Shape, device: &Device, draw: impl Fn(u64) -> f32 + Sync) -> Result<Tensor> {
        let mut data = vec![0_f32; shape.elem_count()];
        team::chunks_mut(&mut data, CHUNK, |chunk, part| {
            for (offset, value) in part.iter_mut().enumerate() {
                *value = draw((chunk * CHUNK + offset) as u64);
            }
        });
        Tensor::from_vec(data, shape, device)
    }
}

/// SplitMix64's output function: a bijection of 64-bit words in which every input bit reaches every output bit.
#[inline(always)]
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_depends_on_seed_stream_and_position_alone() {
        let random = Random::new(7, 3);
        let forwards: Vec<u64> = (0..100).map(|i| random.bits(i)).collect();
        let backwards: Vec<u64> = (0..100).rev().map(|i| Random::new(7, 3).bits(i)).rev().collect();
        assert_eq!(forwards, backwards);
        assert_ne!(random.bits(0), Random::new(8, 3).bits(0));
        assert_ne!(random.bits(0), Random::new(7, 4).bits(0));
        assert_ne!(Random::named(7, "a").bits(0), Random::named(7, "b").bits(0));
        assert_ne!(random.child(0).bits(0), random.child(1).bits(0));
    }

    #[test]
    fn uniform_numbers_fill_the_unit_interval_evenly() {
        let random = Random::new(1, 0);
        let mut buckets = [0_u32; 16];
        for i in 0..160_000 {
            let value = random.uniform(i);
            assert!((0.0..1.0).contains(&value));
            buckets[(value * 16.0) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| count.abs_diff(10_000) < 500), "{buckets:?}");
    }

    #[test]
    fn normal_numbers_have_the_moments_of_a_normal() {
        let n = 200_000;
        let values = Random::new(42, 9).normal_tensor(n, 1.0, 2.0, &Device::Cpu).unwrap();
        let values = values.to_vec1::<f32>().unwrap();
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n as f64;
        let moment =
            |p: i32| values.iter().map(|v| ((f64::from(*v) - mean) / 2.0).powi(p)).sum::<f64>() / n as f64;
        assert!((mean - 1.0).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.02, "{mean} {}", moment(2));
        assert!(moment(3).abs() < 0.03 && (moment(4) - 3.0).abs() < 0.1, "{} {}", moment(3), moment(4));
    }

    #[test]
    fn a_permutation_holds_each_number_once_and_differs_between_streams() {
        let first = Random::new(5, 0).permutation(1000);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(first, Random::new(5, 1).permutation(1000));
        assert_eq!(Random::new(5, 0).permutation(0), Vec::<usize>::new());
        assert_eq!(Random::new(5, 0).permutation(1), vec![0]);
    }

    #[test]
    fn neighbouring_streams_are_uncorrelated() {
        let (a, b) = (Random::new(1, 1), Random::new(1, 2));
        let product = |i| (a.uniform(i) - 0.5) * (b.uniform(i) - 0.5);
        let correlation = (0..100_000).map(product).sum::<f64>() / 100_000.0 * 12.0;
        assert!(correlation.abs() < 0.02, "{correlation}");
    }
}
