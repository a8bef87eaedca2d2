//! How answers are judged: keywords, exact matches and shared words of folded text, and what their numbers are worth.

mod bootstrap;
mod f1;
mod mcnemar;
mod proportion;
mod wilson;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

pub use bootstrap::{Bootstrap, Mean, RESAMPLES};
pub use f1::{token_f1, words};
pub use mcnemar::mcnemar_exact;
pub use proportion::Proportion;
pub use wilson::{Interval, wilson_interval};

/// Confidence of the intervals that come with a share or a mean.
pub const CONFIDENCE: f64 = 0.95;

/// Which keywords an answer has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeywordHit {
    /// All keywords occur, and there is at least one.
    pub hit: bool,
    /// For each keyword, whether it occurs.
    pub found: Vec<bool>,
}

/// Text as it is compared: NFKC with full case folding (Unicode 3.13, `NFKC_Casefold` but for the
/// characters that are ignored by default), so that `ＧＰＴ`, `GPT` and `gpt` are one.
pub fn fold(text: &str) -> String {
    // Folding can undo NFKC and NFKC can bring new capitals: twice is enough for both to hold.
    text.nfkc().default_case_fold().nfkc().default_case_fold().nfkc().collect()
}

/// Looks for every keyword in an answer; both are folded first. A blank keyword never occurs.
pub fn keyword_hit<S: AsRef<str>>(answer: &str, keywords: &[S]) -> KeywordHit {
    let answer = fold(answer);
    let occurs = |keyword: &S| {
        let keyword = fold(keyword.as_ref().trim());
        !keyword.is_empty() && answer.contains(&keyword)
    };
    let found: Vec<bool> = keywords.iter().map(occurs).collect();
    KeywordHit { hit: !found.is_empty() && found.iter().all(|&f| f), found }
}

/// Whether two answers are the same once folded, with runs of space as one and none around.
pub fn exact_match(answer: &str, reference: &str) -> bool {
    let (answer, reference) = (fold(answer), fold(reference));
    answer.split_whitespace().eq(reference.split_whitespace())
}
