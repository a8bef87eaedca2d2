//! Generations in tests: the whole answer, or a stream in the middle of it.
use futures::StreamExt;
use rootstock_client::proto::inference::v1::generate_request::Input;
use rootstock_client::proto::inference::v1::generate_response::Message;
use rootstock_client::proto::inference::v1::{
    AdapterSwitched, GenerateRequest, GenerateResponse, GeneratedToken, GenerationFinished,
    GenerationStarted, SamplingParams, TokenIds,
};
use rootstock_client::{ClientError, Clients, EventStream};

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// What it was bound to.
    pub started: GenerationStarted,
    /// How likely the prompt's tokens are from the second on, if it was asked for.
    pub prompt: Vec<GeneratedToken>,
    /// Its text.
    pub text: String,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// Where a publish moved it to another version of its adapter.
    pub switched: Vec<AdapterSwitched>,
    /// How it ended.
    pub finished: GenerationFinished,
}

/// A generation that has started.
pub struct Generation {
    stream: EventStream<GenerateResponse>,
    generated: Generated,
}

/// A greedy request for `max_tokens` tokens after the text, past the end of sequence.
pub fn prompt_request(adapter: &str, prompt: &str, max_tokens: i32) -> GenerateRequest {
    GenerateRequest {
        model: if adapter.is_empty() { "baseModels/tiny".into() } else { String::new() },
        adapter: adapter.into(),
        input: Some(Input::Prompt(prompt.into())),
        sampling: Some(SamplingParams { max_tokens, ignore_eos: true, ..SamplingParams::default() }),
        ..GenerateRequest::default()
    }
}

/// The same with token ids.
pub fn ids_request(model: &str, adapter: &str, ids: Vec<u32>, max_tokens: i32) -> GenerateRequest {
    GenerateRequest {
        model: model.into(),
        input: Some(Input::PromptIds(TokenIds { ids })),
        ..prompt_request(adapter, "", max_tokens)
    }
}

/// Starts a generation and waits for its first message, after which it is bound.
///
/// # Errors
/// When it is refused.
pub async fn start_generation(
    clients: &Clients,
    request: GenerateRequest,
) -> Result<Generation, ClientError> {
    let stream = clients.generation().generate(request).await?;
    let mut generation = Generation { stream, generated: Generated::default() };
    while generation.generated.started.request_id.is_empty() && generation.step().await? {}
    Ok(generation)
}

/// Generates to the end.
///
/// # Errors
/// When it is refused, or cut.
pub async fn generate(clients: &Clients, request: GenerateRequest) -> Result<Generated, ClientError> {
    start_generation(clients, request).await?.finish().await
}

impl Generation {
    /// What it is bound to.
    pub fn started(&self) -> &GenerationStarted {
        &self.generated.started
    }

    /// How many tokens have come.
    pub fn tokens(&self) -> usize {
        self.generated.ids.len()
    }

    /// Reads until so many tokens have come, or the end.
    ///
    /// # Errors
    /// When it is cut.
    pub async fn read(&mut self, tokens: usize) -> Result<(), ClientError> {
        while self.tokens() < tokens && self.step().await? {}
        Ok(())
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// When it is cut.
    ///
    /// # Panics
    /// When the stream ends without its last message.
    pub async fn finish(mut self) -> Result<Generated, ClientError> {
        while self.step().await? {}
        assert_ne!(self.generated.finished.finish_reason, 0, "the stream ended without its last message");
        Ok(self.generated)
    }

    /// Reads one message; `false` at the end.
    async fn step(&mut self) -> Result<bool, ClientError> {
        let Some(response) = self.stream.next().await else { return Ok(false) };
        match response?.message {
            Some(Message::Started(started)) => self.generated.started = started,
            Some(Message::Delta(delta)) => {
                self.generated.text.push_str(&delta.text);
                self.generated.ids.extend(delta.tokens.iter().map(|token| token.id));
                self.generated.switched.extend(delta.switched);
            }
            Some(Message::Finished(finished)) => self.generated.finished = finished,
            Some(Message::Prompt(prompt)) => self.generated.prompt = prompt.tokens,
            None => {}
        }
        Ok(true)
    }
}
