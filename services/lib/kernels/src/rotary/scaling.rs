//! How rotary frequencies are stretched for contexts longer than a model was first trained for (transformers'
//! `modeling_rope_utils`).

use std::f64::consts::{PI, TAU};

/// How rotary frequencies are changed for contexts longer than the model was first trained for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All frequencies divided by one factor (transformers' `linear`).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// A larger base beyond the context of the first training, growing with the length (transformers' `dynamic`). Each position
    /// turns as in a sequence that ends with it: as transformers does where it decodes token by token, and so that a row depends on
    /// nothing that comes after it.
    Dynamic {
        /// How much longer contexts may become.
        factor: f64,
        /// Context length of the first training, in tokens.
        original_max_position_embeddings: usize,
    },
    /// Low frequencies divided, high ones kept, a ramp over the dimensions between (Peng et al., 2023; transformers' `yarn`).
    Yarn {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Context length of the first training, in tokens.
        original_max_position_embeddings: usize,
        /// Turns within that context from which on a frequency is kept.
        beta_fast: f64,
        /// Turns below which it is divided.
        beta_slow: f64,
        /// Multiplies sines and cosines.
        attention_factor: f64,
        /// Whether the ramp begins and ends at whole dimensions.
        truncate: bool,
    },
    /// Low frequencies divided, high ones kept, those between interpolated (Llama 3.1; transformers' `llama3`).
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` count as low frequencies.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` count as high frequencies.
        high_freq_factor: f64,
        /// Context length of the first training, in tokens.
        original_max_position_embeddings: usize,
    },
}

impl RopeScaling {
    /// Frequencies `theta^(-2i/dim)`, scaled, for sequences of `length` tokens.
    pub(super) fn frequencies(&self, dim: usize, theta: f64, length: usize) -> Vec<f32> {
        let theta = self.base(dim, theta, length);
        let frequency = |i: usize| theta.powf(-2.0 * i as f64 / dim as f64);
        (0..dim / 2).map(|i| self.scale(frequency(i), i, dim, theta) as f32).collect()
    }

    /// What sines and cosines are multiplied by.
    pub(super) fn magnitude(&self) -> f32 {
        match *self {
            Self::Yarn { attention_factor, .. } => attention_factor as f32,
            _ => 1.0,
        }
    }

    /// The longest sequence whose frequencies are those of all shorter ones.
    pub(super) fn constant_to(&self) -> usize {
        match *self {
            Self::Dynamic { original_max_position_embeddings, .. } => original_max_position_embeddings,
            _ => usize::MAX,
        }
    }

    fn base(&self, dim: usize, theta: f64, length: usize) -> f64 {
        match *self {
            Self::Dynamic { factor, original_max_position_embeddings: original } if length > original => {
                let stretch = factor * length as f64 / original as f64 - (factor - 1.0);
                theta * stretch.powf(dim as f64 / (dim as f64 - 2.0))
            }
            _ => theta,
        }
    }

    fn scale(&self, frequency: f64, i: usize, dim: usize, theta: f64) -> f64 {
        match *self {
            Self::None | Self::Dynamic { .. } => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Yarn { factor, .. } => {
                let divided = self.ramp(i, dim, theta);
                divided * frequency / factor + (1.0 - divided) * frequency
            }
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
                let original = original_max_position_embeddings as f64;
                let wavelength = TAU / frequency;
                if wavelength < original / high_freq_factor {
                    frequency
                } else if wavelength > original / low_freq_factor {
                    frequency / factor
                } else {
                    let smooth =
                        (original / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }

    /// The share of a dimension's frequency that YaRN divides.
    fn ramp(&self, i: usize, dim: usize, theta: f64) -> f64 {
        let Self::Yarn { original_max_position_embeddings, beta_fast, beta_slow, truncate, .. } = *self
        else {
            return 0.0;
        };
        // The dimension whose frequency turns so many times within the first context.
        let turning = |times: f64| {
            let wavelength = original_max_position_embeddings as f64 / (times * 2.0 * PI);
            dim as f64 * wavelength.ln() / (2.0 * theta.ln())
        };
        let (low, high) = (turning(beta_fast), turning(beta_slow));
        let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
        let (low, high) = (low.max(0.0), high.min(dim as f64 - 1.0));
        let high = if low == high { high + 0.001 } else { high };
        ((i as f64 - low) / (high - low)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_scaling_keeps_short_waves_divides_long_ones_and_blends_between() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        let scaled = |frequency| scaling.scale(frequency, 0, 8, 1e4);
        assert_eq!(scaled(TAU / 2047.0), TAU / 2047.0);
        assert_eq!(scaled(TAU / 8193.0), TAU / 8193.0 / 8.0);
        // Wavelength 4096: smooth = (2 - 1) / 3.
        let middle = scaled(TAU / 4096.0) / (TAU / 4096.0);
        assert!((middle - (2.0 / 3.0 / 8.0 + 1.0 / 3.0)).abs() < 1e-12, "{middle}");
    }

    #[test]
    fn dynamic_scaling_begins_beyond_the_first_context() {
        let scaling = RopeScaling::Dynamic { factor: 2.0, original_max_position_embeddings: 64 };
        let plain = RopeScaling::None.frequencies(8, 1e4, 1);
        assert_eq!(scaling.frequencies(8, 1e4, 64), plain);
        // Twice the length with factor 2: the base grows by 3^(8/6), and the last of four frequencies shrinks by 3^(-6/6).
        let stretched = scaling.frequencies(8, 1e4, 128);
        assert_eq!(stretched[0], plain[0]);
        assert!((stretched[3] * 3.0 / plain[3] - 1.0).abs() < 1e-6, "{stretched:?}");
    }

    #[test]
    fn yarn_keeps_the_first_frequencies_and_divides_the_last() {
        let scaling = RopeScaling::Yarn {
            factor: 4.0,
            original_max_position_embeddings: 4096,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: 1.1,
            truncate: true,
        };
        let (plain, found) = (RopeScaling::None.frequencies(128, 1e4, 1), scaling.frequencies(128, 1e4, 1));
        assert_eq!((found[0], found[63]), (plain[0], plain[63] / 4.0));
        assert!(found.iter().zip(&plain).all(|(found, plain)| *found <= *plain && *found >= plain / 4.0));
        assert_eq!(scaling.magnitude(), 1.1);
    }
}
