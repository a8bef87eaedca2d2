//! Requests that come at a rate of their own, whether the server keeps up or not, and what of them was useful.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rootstock_client::Clients;
use rootstock_kernels::Random;
use tokio::task::JoinSet;

use super::client::{ask, is_rejection};
use super::load::Load;
use super::truth::Sample;
use crate::bench::BenchError;
use crate::bench::tokens::SEED;

/// Requests that were sent; dropped, those that have not ended are given up.
#[derive(Debug)]
pub(super) struct Offering {
    asking: JoinSet<Outcome>,
}

/// How one request ended.
#[derive(Debug)]
enum Outcome {
    Finished(Sample),
    /// The server had no room for it, and said so after this time.
    Rejected(Duration),
    Failed,
}

/// How all of them ended.
#[derive(Debug, Default)]
pub(super) struct Offered {
    pub(super) samples: Vec<Sample>,
    pub(super) rejections: Vec<Duration>,
    pub(super) errors: usize,
}

/// Sends the load's requests for a time, one after the other at random moments of this rate (Poisson), the same each time for a
/// name. Returns when the time is over; the last requests are still under way.
pub(super) async fn offer(
    clients: &Clients,
    load: &Load,
    per_second: f64,
    name: &str,
    lasts: Duration,
) -> Offering {
    let (random, load) = (Random::named(SEED, name), Arc::new(load.clone()));
    let begun = Instant::now();
    let mut asking = JoinSet::new();
    let mut after = Duration::ZERO;
    for index in 0.. {
        after += gap(&random, index, per_second);
        if after >= lasts {
            break;
        }
        tokio::time::sleep_until((begun + after).into()).await;
        asking.spawn(one(clients.clone(), Arc::clone(&load), index));
    }
    tokio::time::sleep_until((begun + lasts).into()).await;
    Offering { asking }
}

/// Between one request and the next.
fn gap(random: &Random, index: usize, per_second: f64) -> Duration {
    let gap = -(1.0 - random.uniform(index as u64)).ln() / per_second;
    Duration::try_from_secs_f64(gap).unwrap_or(Duration::MAX)
}

async fn one(clients: Clients, load: Arc<Load>, index: usize) -> Outcome {
    let sent = Instant::now();
    match ask(&clients, load.request(index)).await {
        Ok(answer) => Outcome::Finished(Sample { prompt: load.prompt_of(index), answer }),
        Err(error) if is_rejection(&error) => Outcome::Rejected(sent.elapsed()),
        Err(_) => Outcome::Failed,
    }
}

impl Offering {
    /// Waits until every request has ended.
    pub(super) async fn end(mut self) -> Result<Offered, BenchError> {
        let mut offered = Offered::default();
        while let Some(outcome) = self.asking.join_next().await {
            match outcome? {
                Outcome::Finished(sample) => offered.samples.push(sample),
                Outcome::Rejected(after) => offered.rejections.push(after),
                Outcome::Failed => offered.errors += 1,
            }
        }
        Ok(offered)
    }
}

/// Tokens a second that came within a time, of requests that finished.
pub(super) fn goodput<'a>(samples: impl IntoIterator<Item = &'a Sample>, within: &Range<Instant>) -> f64 {
    let arrivals = samples.into_iter().flat_map(|sample| &sample.answer.arrivals);
    let tokens = arrivals.filter(|arrival| within.contains(arrival)).count();
    tokens as f64 / (within.end - within.start).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::serve::client::Answer;

    #[test]
    fn requests_come_at_their_rate_and_the_same_each_time() {
        const GAPS: usize = 10_000;
        let random = Random::named(SEED, "a");
        let all: Duration = (0..GAPS).map(|index| gap(&random, index, 50.0)).sum();
        let mean = all.as_secs_f64() / GAPS as f64;
        assert!((mean - 0.02).abs() < 0.001, "{mean}");
        assert_eq!(gap(&random, 3, 50.0), gap(&Random::named(SEED, "a"), 3, 50.0));
        assert_ne!(gap(&random, 3, 50.0), gap(&Random::named(SEED, "b"), 3, 50.0));
    }

    #[test]
    fn goodput_counts_the_tokens_within_the_time() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let arrivals = [100, 500, 999, 1000].map(at).to_vec();
        let answer = Answer { sent: begun, digest: String::new(), ids: vec![1; 4], arrivals };
        let samples = [Sample { prompt: 0, answer }];
        assert_eq!(goodput(&samples, &(at(500)..at(1000))), 4.0);
        assert_eq!(goodput(&samples, &(at(1001)..at(2001))), 0.0);
    }
}
