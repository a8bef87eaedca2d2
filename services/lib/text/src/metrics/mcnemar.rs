//! McNemar's test: whether one of two who answered the same questions is right more often, beyond chance.
//!
//! Source: Q. McNemar 1947, "Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages"; the
//! exact form is the sign test of those questions that only one of them got right.

/// The two-sided p-value for `gained` questions that only the one and `lost` questions that only the other got right: twice
/// the probability of so few heads as the smaller one in `gained + lost` throws of a coin, at most 1.
pub fn mcnemar_exact(gained: u64, lost: u64) -> f64 {
    let throws = gained + lost;
    // In logarithms: a single term is too small for an f64 from a thousand throws on.
    let mut ln_term = -(throws as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for heads in 0..=gained.min(lost) {
        tail += ln_term.exp();
        ln_term += ((throws - heads) as f64 / (heads + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}
