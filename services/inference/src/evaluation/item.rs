//! One row on its way through the engine: its answer is generated and its expected answer scored.

use std::{sync::Arc, time::Instant};

use futures::StreamExt;
use rootstock_model::LossSum;
use rootstock_runtime::Tasks;
use rootstock_text::{JudgedRow, PromptTemplate, Supervised, TextTokenizer, Truncation, encode_row};

use super::score::Item;
use crate::{
    adapters::{AdapterLease, Applied},
    engine::{Engine, Event, Generate, Job, Output, Priority, Score, Work},
    error::Error,
    models::Model,
    sampling::Sampling,
};

/// Whose the rows are, beside requests' tenants; no id is written so.
const EVALUATIONS: &str = "(evaluations)";

/// What all rows of one target share.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) engine: Engine,
    pub(super) tasks: Tasks,
    pub(super) model: Arc<Model>,
    pub(super) adapter: Option<AdapterLease>,
    pub(super) template: PromptTemplate,
    pub(super) max_tokens: usize,
    pub(super) questions: Arc<Vec<JudgedRow>>,
}

/// A row as token ids.
struct Encoded {
    prompt: Vec<u32>,
    scored: Score,
}

impl Target {
    /// Computes and judges one row.
    pub(super) async fn judge(self: Arc<Self>, index: usize) -> Result<Item, Error> {
        let this = Arc::clone(&self);
        let bytes = self.questions[index].row.bytes();
        let encode = move || this.encode(index);
        let encoded = self.tasks.spawn_in_bulk("inference-encode-row", bytes, encode).await??;
        let room = self.context() - encoded.prompt.len();
        let sampling = Sampling::greedy(self.max_tokens.min(room));
        let generate = Generate {
            prompt: encoded.prompt,
            sampling,
            stop: Vec::new(),
            constraint: None,
            prompt_logprobs: None,
        };
        let answer = self.submit(Work::Generate(generate))?;
        let score = self.submit(Work::Score(encoded.scored))?;
        let (answer, _) = collect(answer).await?;
        let (_, loss) = collect(score).await?;
        Ok(Item::judge(index, &self.questions[index], &answer, loss))
    }

    /// Tokens of a row, of the context that virtual tokens leave.
    fn context(&self) -> usize {
        let virtual_tokens = self.adapter.as_ref().map_or(0, AdapterLease::virtual_tokens);
        self.model.context().saturating_sub(virtual_tokens)
    }

    fn encode(&self, index: usize) -> Result<Encoded, Error> {
        let without = || Error::invalid("spec.model", "the base model has no tokenizer");
        let tokenizer = self.model.tokenizer().ok_or_else(without)?;
        encode(tokenizer, self.template, &self.questions[index], self.context())
            .map_err(|problem| Error::InvalidRow(format!("row {}: {problem}", index + 1)))
    }

    fn submit(&self, work: Work) -> Result<Output, Error> {
        self.engine.submit(Job {
            model: Arc::clone(&self.model),
            adapter: self.adapter.as_ref().map(|lease| Applied::One(lease.again())),
            work,
            priority: Priority::Background,
            order: 0,
            tenant: EVALUATIONS.into(),
            received: Instant::now(),
            deadline: None,
        })
    }
}

/// Prompt and expected answer as in training, so that the loss is the one that training lowers.
fn encode(
    tokenizer: &TextTokenizer,
    template: PromptTemplate,
    question: &JudgedRow,
    context: usize,
) -> Result<Encoded, String> {
    let outcome = encode_row(tokenizer, template, &question.row, (context, Truncation::Right))
        .map_err(|error| error.to_string())?;
    match outcome {
        Supervised::Kept { example, cut: 0 } => Ok(Encoded {
            prompt: example.input_ids[..example.prompt_len].to_vec(),
            scored: Score { ids: example.input_ids, from: example.prompt_len },
        }),
        // Judged by a part of its answer it would be another row than the data set has.
        Supervised::Kept { example, cut } => Err(format!(
            "prompt, answer and the token that ends it are {} tokens, more than the model's context of {context}",
            example.input_ids.len() + cut
        )),
        Supervised::Dropped { tokens } => Err(format!(
            "prompt and answer have {tokens} tokens, and the prompt alone doesn't fit the model's context of {context}"
        )),
    }
}

/// Waits for the end of a sequence: its text, or its score.
async fn collect(mut output: Output) -> Result<(String, LossSum), Error> {
    let mut text = String::new();
    while let Some(event) = output.next().await {
        match event {
            Event::Delta(delta) => text.push_str(&delta.text),
            Event::Finished(_) => return Ok((text, LossSum::default())),
            Event::Scored(scores) => {
                let loss = LossSum { sum: -scores.iter().sum::<f64>(), tokens: scores.len() as u64 };
                return Ok((text, loss));
            }
            Event::Prompt(_) => {}
            Event::Failed(error) => return Err(error),
        }
    }
    Err(Error::Internal("the engine dropped a sequence".into()))
}
