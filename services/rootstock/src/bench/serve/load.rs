//! The load: which requests there are, and all clients at once.

use std::ops::Range;
use std::sync::Arc;

use rootstock_client::proto::inference::v1::generate_request::Input;
use rootstock_client::proto::inference::v1::{GenerateRequest, SamplingParams, TokenIds};
use tokio::task::JoinSet;

use super::store::model_alias;
use super::transport::Transport;
use super::truth::Sample;
use super::zipf::Zipf;
use crate::bench::BenchError;
use crate::bench::tokens::random_ids;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// Names of the adapters that the requests take in turn; none asks the base model.
    pub(super) adapters: Vec<String>,
    /// How requests choose adapters, if not in turn.
    pub(super) zipf: Option<Zipf>,
    /// How many prompts there are; none gives each request its own.
    pub(super) prompts: Option<usize>,
    /// Clients at once.
    pub(super) concurrency: usize,
    /// Requests of all clients together.
    pub(super) requests: usize,
    /// Tokens in a prompt.
    pub(super) prompt: usize,
    /// Tokens in an answer.
    pub(super) generate: usize,
    pub(super) vocab_size: usize,
}

impl Load {
    /// One request of one client.
    #[cfg(test)]
    pub(super) fn of_one(prompt: usize, generate: usize) -> Self {
        Self { concurrency: 1, requests: 1, prompt, generate, vocab_size: 256, ..Self::default() }
    }

    /// The request of this number, the same each time: greedy.
    pub(super) fn request(&self, index: usize) -> GenerateRequest {
        let adapter = match (self.adapters.len(), &self.zipf) {
            (0, _) => "",
            (count, None) => &self.adapters[index % count],
            (_, Some(zipf)) => &self.adapters[zipf.choose(index)],
        };
        self.ask(adapter, self.prompt_of(index), self.generate)
    }

    /// Which prompt the request of this number has. Where there are few, each adapter gets every one of them.
    pub(super) fn prompt_of(&self, index: usize) -> usize {
        match self.prompts {
            Some(prompts) => index / self.adapters.len().max(1) % prompts,
            None => index,
        }
    }

    /// A request to the base model, with a prompt that no other has.
    pub(super) fn warm_up(&self) -> GenerateRequest {
        self.ask("", self.requests, self.generate)
    }

    /// A prompt for an adapter, or for the base model where none is named, and how many tokens to answer with.
    pub(super) fn ask(&self, adapter: &str, prompt: usize, tokens: usize) -> GenerateRequest {
        let ids = random_ids(prompt as u64, self.prompt, self.vocab_size);
        let sampling = SamplingParams {
            max_tokens: i32::try_from(tokens).unwrap_or(i32::MAX),
            temperature: 0.0,
            ignore_eos: true,
            ..SamplingParams::default()
        };
        GenerateRequest {
            model: model_alias(),
            adapter: adapter.to_owned(),
            input: Some(Input::PromptIds(TokenIds { ids })),
            sampling: Some(sampling),
            ..GenerateRequest::default()
        }
    }
}

/// Lets all clients ask at once, each one request after the other; returns the answers in the order of the requests.
pub(super) async fn together(
    transport: &Transport,
    load: &Load,
    requests: Range<usize>,
) -> Result<Vec<Sample>, BenchError> {
    let load = Arc::new(load.clone());
    let mut asking = JoinSet::new();
    for client in 0..load.concurrency {
        let indices = requests.clone().skip(client).step_by(load.concurrency);
        asking.spawn(one_after_the_other(transport.clone(), Arc::clone(&load), indices));
    }
    let mut samples = Vec::with_capacity(requests.len());
    while let Some(ended) = asking.join_next().await {
        samples.extend(ended??);
    }
    samples.sort_by_key(|(index, _)| *index);
    Ok(samples.into_iter().map(|(_, sample)| sample).collect())
}

async fn one_after_the_other(
    transport: Transport,
    load: Arc<Load>,
    indices: impl Iterator<Item = usize>,
) -> Result<Vec<(usize, Sample)>, BenchError> {
    let mut samples = Vec::new();
    for index in indices {
        let answer = transport.ask(load.request(index)).await?;
        samples.push((index, Sample { prompt: load.prompt_of(index), answer }));
    }
    Ok(samples)
}

/// `count` of all samples, evenly spread.
pub(super) fn spread(samples: &[Sample], count: usize) -> impl Iterator<Item = &Sample> {
    (0..count).map(move |sample| &samples[sample * samples.len() / count])
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::bench::serve::client::Answer;

    fn ids(request: &GenerateRequest) -> &[u32] {
        match &request.input {
            Some(Input::PromptIds(ids)) => &ids.ids,
            other => panic!("no ids but {other:?}"),
        }
    }

    #[test]
    fn requests_take_the_adapters_in_turn_and_have_prompts_of_their_own() {
        let adapters = vec!["adapters/a".to_owned(), "adapters/b".to_owned()];
        let load = Load { adapters, requests: 3, ..Load::of_one(8, 4) };
        let asked: Vec<_> = (0..3).map(|index| load.request(index)).collect();
        assert_eq!(
            [&asked[0], &asked[1], &asked[2]].map(|r| r.adapter.as_str()),
            ["adapters/a", "adapters/b", "adapters/a"]
        );
        assert!(asked.iter().all(|request| ids(request).len() == 8));
        assert_ne!(ids(&asked[0]), ids(&asked[2]));
        assert_eq!(load.request(1), asked[1]);
        assert!(load.warm_up().adapter.is_empty() && asked.iter().all(|r| ids(r) != ids(&load.warm_up())));
        let sampling = asked[0].sampling.clone().unwrap();
        assert_eq!((sampling.max_tokens, sampling.temperature, sampling.ignore_eos), (4, 0.0, true));
    }

    #[test]
    fn each_adapter_gets_every_one_of_few_prompts() {
        let adapters = vec!["adapters/a".to_owned(), "adapters/b".to_owned()];
        let load = Load { adapters, prompts: Some(3), ..Load::of_one(8, 4) };
        let asked: Vec<_> = (0..6).map(|index| (index % 2, load.prompt_of(index))).collect();
        assert_eq!(asked, [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]);
        assert_eq!((load.prompt_of(6), load.request(6)), (0, load.request(0)));
    }

    #[test]
    fn a_sample_is_spread_over_all_requests() {
        let answer = Answer { sent: Instant::now(), digest: String::new(), ids: vec![], arrivals: vec![] };
        let samples: Vec<_> = (0..16).map(|prompt| Sample { prompt, answer: answer.clone() }).collect();
        let prompts = |count| spread(&samples, count).map(|sample| sample.prompt).collect::<Vec<_>>();
        assert_eq!(prompts(4), [0, 4, 8, 12]);
        assert!(prompts(0).is_empty());
        assert_eq!(spread(&samples[..3], 3).map(|sample| sample.prompt).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
