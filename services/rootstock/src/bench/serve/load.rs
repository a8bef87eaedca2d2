//! The load: which requests there are, all clients at once, and some requests again, alone.

use std::sync::Arc;

use rootstock_client::Clients;
use rootstock_client::proto::inference::v1::generate_request::Input;
use rootstock_client::proto::inference::v1::{GenerateRequest, SamplingParams, TokenIds};
use tokio::task::JoinSet;

use super::client::{Answer, ask};
use super::store::model_alias;
use crate::bench::BenchError;
use crate::bench::tokens::random_ids;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// Names of the adapters that the requests take in turn; none asks the base model.
    pub(super) adapters: Vec<String>,
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

    /// The request of this number, the same each time: greedy, with a prompt of its own.
    fn request(&self, index: usize) -> GenerateRequest {
        let adapter = match self.adapters.len() {
            0 => String::new(),
            count => self.adapters[index % count].clone(),
        };
        GenerateRequest { adapter, ..self.to_base(index) }
    }

    /// A request to the base model, with a prompt that no other has.
    pub(super) fn warm_up(&self) -> GenerateRequest {
        self.to_base(self.requests)
    }

    fn to_base(&self, index: usize) -> GenerateRequest {
        let ids = random_ids(index as u64, self.prompt, self.vocab_size);
        let sampling = SamplingParams {
            max_tokens: i32::try_from(self.generate).unwrap_or(i32::MAX),
            temperature: 0.0,
            ignore_eos: true,
            ..SamplingParams::default()
        };
        GenerateRequest {
            model: model_alias(),
            input: Some(Input::PromptIds(TokenIds { ids })),
            sampling: Some(sampling),
            ..GenerateRequest::default()
        }
    }
}

/// Lets all clients ask at once, each one request after the other; returns the answers in the order of the requests.
pub(super) async fn together(clients: &Clients, load: &Load) -> Result<Vec<Answer>, BenchError> {
    let load = Arc::new(load.clone());
    let mut asking = JoinSet::new();
    for first in 0..load.concurrency {
        asking.spawn(one_after_the_other(clients.clone(), Arc::clone(&load), first));
    }
    let mut answers = Vec::with_capacity(load.requests);
    while let Some(ended) = asking.join_next().await {
        answers.extend(ended??);
    }
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

async fn one_after_the_other(
    clients: Clients,
    load: Arc<Load>,
    first: usize,
) -> Result<Vec<(usize, Answer)>, BenchError> {
    let mut answers = Vec::new();
    for index in (first..load.requests).step_by(load.concurrency) {
        answers.push((index, ask(&clients, load.request(index)).await?));
    }
    Ok(answers)
}

/// Asks `again` of the requests once more, one at a time; returns how many got other tokens than before.
pub(super) async fn mismatches(
    clients: &Clients,
    load: &Load,
    answers: &[Answer],
    again: usize,
) -> Result<usize, BenchError> {
    let mut mismatches = 0;
    for index in spread(again, load.requests) {
        let alone = ask(clients, load.request(index)).await?;
        mismatches += usize::from(alone.ids != answers[index].ids);
    }
    Ok(mismatches)
}

/// `count` of the numbers below `all`, evenly spread.
fn spread(count: usize, all: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |sample| sample * all / count)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_sample_is_spread_over_all_requests() {
        assert_eq!(spread(4, 16).collect::<Vec<_>>(), [0, 4, 8, 12]);
        assert_eq!(spread(3, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spread(0, 3).count(), 0);
    }
}
