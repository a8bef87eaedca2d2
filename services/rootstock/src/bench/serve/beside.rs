//! Streams that run alone for a while and then beside something else: the gaps between their tokens in both parts.

use std::future::Future;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::Bench;
use super::load::Load;
use super::streams::{Ran, Streams};
use super::truth::Sample;
use crate::bench::BenchError;
use crate::bench::percentile::Times;

/// Different prompts: few, so that every answer can be compared with a reference.
const PROMPTS: usize = 8;

/// What the streams told.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) ran: Ran,
    /// Gaps while the streams ran alone.
    pub(super) alone: Times,
    /// Gaps while something ran beside them.
    pub(super) beside: Times,
}

/// Lets the clients' streams run alone for a time and then until `work` has ended; returns its result as well.
pub(super) async fn measure<T>(
    bench: &Bench,
    alone: Duration,
    work: impl Future<Output = Result<T, BenchError>>,
) -> Result<(Beside, T), BenchError> {
    let load = Load { prompts: Some(PROMPTS), ..bench.load.clone() };
    let began = Instant::now();
    let streams = Streams::start(bench, &load, load.concurrency);
    tokio::time::sleep(alone).await;
    let from = Instant::now();
    let done = work.await?;
    let until = Instant::now();
    let ran = streams.end().await?;
    let (alone, beside) = (gaps(&ran.samples, began..from), gaps(&ran.samples, from..until));
    Ok((Beside { ran, alone, beside }, done))
}

/// The gaps that lie within a time.
fn gaps(samples: &[Sample], within: Range<Instant>) -> Times {
    let pairs = samples.iter().flat_map(|sample| sample.answer.arrivals.windows(2));
    let inside = pairs.filter(|pair| within.start <= pair[0] && pair[1] <= within.end);
    inside.map(|pair| pair[1] - pair[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::serve::client::Answer;

    #[test]
    fn a_gap_across_the_border_belongs_to_neither_part() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let arrivals = [1, 3, 6, 20, 25].map(at).to_vec();
        let answer = Answer { sent: begun, digest: String::new(), ids: vec![1; 5], arrivals };
        let samples = [Sample { prompt: 0, answer }];
        let (alone, beside) = (gaps(&samples, at(0)..at(10)), gaps(&samples, at(10)..at(30)));
        assert_eq!((alone.percentile_ms(0.0), alone.percentile_ms(1.0)), (Some(2.0), Some(3.0)));
        assert_eq!((beside.percentile_ms(0.0), beside.percentile_ms(1.0)), (Some(5.0), Some(5.0)));
    }
}
