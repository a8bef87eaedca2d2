//! The Wilson score interval for a share of successes; it holds its confidence for small numbers too.
//!
//! Source: E. B. Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".

/// An interval within 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The interval for `successes` out of `n` at a confidence such as 0.95 (two-sided). With `n = 0` nothing
/// is known: 0 to 1. Successes over `n` count as `n`; a confidence is taken within 0 to 0.999999.
pub fn wilson_interval(successes: u64, n: u64, confidence: f64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let z = normal_quantile(0.5 + confidence.clamp(0.0, 0.999_999) / 2.0);
    let n_real = n as f64;
    let share = successes.min(n) as f64 / n_real;
    let z2 = z * z / n_real;
    let centre = (share + z2 / 2.0) / (1.0 + z2);
    let half = (z / (1.0 + z2)) * (share * (1.0 - share) / n_real + z2 / (4.0 * n_real)).sqrt();
    // The ends are exact at no success and at nothing but success; rounding must not move them.
    let low = if successes == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if successes >= n { 1.0 } else { (centre + half).min(1.0) };
    Interval { low, high }
}

/// The number below which a share `p` (0.5 to below 1) of a standard normal lies, by bisection.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 8.0_f64);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if normal_below(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The share of a standard normal below `x` (0 to 8): 1/2 + density(x) * (x + x^3/3 + x^5/(3*5) + ...).
fn normal_below(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > sum * 1e-17 && odd < 1000.0 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + density * sum
}
