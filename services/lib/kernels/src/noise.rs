//! Noise on embeddings while training (NEFTune: Jain et al., 2023), drawn from a key so that a resumed run draws it again.

use candle_core::{Result, Tensor, bail};

use crate::{DropoutKey, Random, Segments, add, cpu::tensor, team};

/// Adds to each number of `x` [T, H], rows of packed sequences, noise drawn evenly from +-alpha / sqrt(n H), where n is the number of
/// tokens of its sequence. The gradient passes through unchanged.
///
/// # Errors
/// When `x` is not f32, or has another number of rows than the sequences have tokens.
pub fn embedding_noise(x: &Tensor, segments: &Segments, alpha: f64, key: DropoutKey) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    if tokens != segments.tokens() {
        bail!("embedding noise: {tokens} rows for sequences of {} tokens", segments.tokens());
    }
    let random = Random::named(key.seed, "embedding noise").child(key.step).child(key.micro);
    let mut noise = vec![0_f32; tokens * width];
    for range in segments.ranges() {
        let bound = alpha / ((range.len() * width) as f64).sqrt();
        let first = range.start;
        team::chunks_mut(&mut noise[first * width..range.end * width], width.max(1), |row, numbers| {
            let position = ((first + row) * width) as u64;
            for (number, position) in numbers.iter_mut().zip(position..) {
                *number = (bound * (2.0 * random.uniform(position) - 1.0)) as f32;
            }
        });
    }
    add(x, &tensor(noise, (tokens, width))?.to_device(x.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{flat, normal};

    const KEY: DropoutKey = DropoutKey { seed: 1, step: 2, micro: 3 };

    #[test]
    fn noise_fills_its_bounds_which_are_narrower_for_longer_sequences() {
        let (width, segments) = (50, Segments::new(&[4, 0, 100]));
        let x = normal(1, (104, width));
        let noisy = embedding_noise(&x, &segments, 5.0, KEY).unwrap();
        let noise = flat(&(noisy - &x).unwrap());
        for range in [0..4, 4..104] {
            let bound = 5.0 / ((range.len() * width) as f32).sqrt();
            let numbers = &noise[range.start * width..range.end * width];
            let greatest = numbers.iter().fold(0_f32, |most, number| most.max(number.abs()));
            assert!(greatest <= bound * 1.001 && greatest > 0.9 * bound, "{greatest}, bound {bound}");
            let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
            assert!(mean.abs() < 0.15 * bound, "{mean}");
        }
    }

    #[test]
    fn noise_is_a_function_of_its_key() {
        let (x, segments) = (normal(1, (6, 8)), Segments::new(&[6]));
        let draw = |key| flat(&embedding_noise(&x, &segments, 5.0, key).unwrap());
        assert_eq!(draw(KEY), draw(KEY));
        assert_ne!(draw(KEY), draw(DropoutKey { step: 9, ..KEY }));
        assert_ne!(draw(KEY), draw(DropoutKey { micro: 9, ..KEY }));
        assert!(embedding_noise(&x, &Segments::new(&[5]), 5.0, KEY).is_err());
    }
}
