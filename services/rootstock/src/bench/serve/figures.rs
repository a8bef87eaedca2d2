//! From the times at which tokens came to the figures by which servers are compared.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::client::Answer;
use crate::bench::BenchError;
use crate::bench::percentile::{Times, per_second};

/// What the answers' times tell.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// From sending a request to its first token.
    first_tokens: Times,
    /// Between one token of an answer and the next.
    gaps: Times,
    /// Tokens a second from the first request to the last token.
    output: Option<f64>,
    /// Tokens after the first of each answer, from the first first token to the last token, where no client asked again.
    decode: Option<f64>,
    /// Prompt tokens from the first request to the last first token, where no client asked again.
    prefill: Option<f64>,
    /// Repeated requests that got other tokens alone.
    pub(super) mismatches: usize,
}

/// The result of `bench serve`; a figure that nothing was measured for is null.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    output_tokens_per_second: Option<f64>,
    ttft_ms_p50: Option<f64>,
    ttft_ms_p99: Option<f64>,
    itl_ms_p50: Option<f64>,
    itl_ms_p99: Option<f64>,
    gap_ms_p999: Option<f64>,
    decode_tokens_per_second: Option<f64>,
    prefill_tokens_per_second: Option<f64>,
    peak_rss_bytes: u64,
    mismatches: usize,
    dispatch: &'static str,
    weight_format: &'static str,
    /// What this kind of measurement tells beyond that.
    #[serde(flatten)]
    own: Value,
}

impl Figures {
    /// Of the answers to prompts of `prompt` tokens.
    pub(super) fn new<'a>(
        answers: impl IntoIterator<Item = &'a Answer>,
        prompt: usize,
        mismatches: usize,
    ) -> Result<Self, BenchError> {
        let answers: Vec<&Answer> = answers.into_iter().collect();
        let firsts = || answers.iter().filter_map(|answer| answer.arrivals.first().copied());
        let sent = answers.iter().map(|answer| answer.sent).min();
        let lasts = || answers.iter().filter_map(|answer| answer.arrivals.last().copied());
        let (Some(sent), Some(first), Some(last_first), Some(first_last), Some(ended)) =
            (sent, firsts().min(), firsts().max(), lasts().min(), lasts().max())
        else {
            return Err(BenchError::Unexpected("no tokens".to_owned()));
        };
        let tokens: usize = answers.iter().map(|answer| answer.arrivals.len()).sum();
        // Where clients ask again, prompts and tokens take turns all the time.
        let apart = answers.iter().all(|answer| answer.sent <= first_last);
        let began = answers.iter().filter(|answer| !answer.arrivals.is_empty()).count();
        Ok(Self {
            first_tokens: answers.iter().copied().filter_map(Answer::first_token).collect(),
            gaps: answers.iter().copied().flat_map(gaps).collect(),
            output: per_second(tokens, ended - sent),
            decode: per_second(tokens - began, ended - first).filter(|_| apart),
            prefill: per_second(answers.len() * prompt, last_first - sent).filter(|_| apart),
            mismatches,
        })
    }

    /// The same with the times to the first token of these answers.
    pub(super) fn with_first_tokens<'a>(mut self, answers: impl IntoIterator<Item = &'a Answer>) -> Self {
        self.first_tokens = answers.into_iter().filter_map(Answer::first_token).collect();
        self
    }

    /// As scripts get it, with the figures that this kind of measurement has of its own.
    pub(super) fn report(&self, peak_rss_bytes: u64, weight_format: &'static str, own: Value) -> Report {
        Report {
            output_tokens_per_second: self.output,
            ttft_ms_p50: self.first_tokens.median_ms(),
            ttft_ms_p99: self.first_tokens.percentile_ms(0.99),
            itl_ms_p50: self.gaps.median_ms(),
            itl_ms_p99: self.gaps.percentile_ms(0.99),
            gap_ms_p999: self.gaps.percentile_ms(0.999),
            decode_tokens_per_second: self.decode,
            prefill_tokens_per_second: self.prefill,
            peak_rss_bytes,
            mismatches: self.mismatches,
            dispatch: rootstock_kernels::dispatch().name(),
            weight_format,
            own,
        }
    }
}

fn gaps(answer: &Answer) -> impl Iterator<Item = Duration> {
    answer.arrivals.windows(2).map(|pair| pair[1] - pair[0])
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Answers that were sent at a time and got tokens at others, in milliseconds.
    fn answers(times: &[(u64, &[u64])]) -> Vec<Answer> {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let answer = |(sent, arrivals): &(u64, &[u64])| Answer {
            sent: at(*sent),
            digest: String::new(),
            ids: vec![1; arrivals.len()],
            arrivals: arrivals.iter().map(|ms| at(*ms)).collect(),
        };
        times.iter().map(answer).collect()
    }

    #[test]
    fn figures_follow_from_when_tokens_came() {
        let answers = answers(&[(0, &[100, 110, 130]), (10, &[210, 220, 500])]);
        let report = Figures::new(&answers, 42, 1).unwrap().report(7, "bf16", Value::Null);
        assert_eq!((report.ttft_ms_p50, report.ttft_ms_p99), (Some(200.0), Some(200.0)));
        assert_eq!((report.itl_ms_p50, report.itl_ms_p99), (Some(20.0), Some(280.0)));
        assert_eq!(report.gap_ms_p999, Some(280.0));
        assert_eq!(report.output_tokens_per_second, Some(6.0 / 0.5));
        assert_eq!(report.decode_tokens_per_second, Some(4.0 / 0.4));
        assert_eq!(report.prefill_tokens_per_second, Some(84.0 / 0.21));
        assert_eq!((report.mismatches, report.peak_rss_bytes, report.weight_format), (1, 7, "bf16"));
    }

    #[test]
    fn prompts_and_tokens_that_take_turns_have_no_rates_of_their_own() {
        let answers = answers(&[(0, &[100, 110]), (120, &[200, 220])]);
        let report = Figures::new(&answers, 42, 0).unwrap().report(7, "bf16", Value::Null);
        assert_eq!((report.decode_tokens_per_second, report.prefill_tokens_per_second), (None, None));
        assert_eq!(report.output_tokens_per_second, Some(4.0 / 0.22));
    }

    #[test]
    fn answers_of_one_token_have_no_gaps_and_no_answers_have_no_figures() {
        let report = Figures::new(&answers(&[(0, &[5])]), 1, 0).unwrap().report(0, "f32", Value::Null);
        assert_eq!((report.itl_ms_p50, report.decode_tokens_per_second), (None, None));
        assert!(Figures::new(&[], 1, 0).is_err());
    }
}
