//! One client's request: its tokens, and when each of them came.

use std::time::{Duration, Instant};

use futures::StreamExt;
use rootstock_client::proto::inference::v1::GenerateRequest;
use rootstock_client::proto::inference::v1::generate_response::Message;
use rootstock_client::{Clients, ErrorReason};

use crate::bench::BenchError;

/// A whole answer; of every id there is the time at which it came.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) sent: Instant,
    /// Digest of the adapter that it was bound to; empty for the base model.
    pub(super) digest: String,
    pub(super) ids: Vec<u32>,
    pub(super) arrivals: Vec<Instant>,
}

/// Sends a request and reads its answer to the end, which is as long as was asked for.
pub(super) async fn ask(clients: &Clients, request: GenerateRequest) -> Result<Answer, BenchError> {
    let wanted = wanted(&request);
    let mut answer = Answer::awaited(Instant::now());
    let mut messages = clients.generation().generate(request).await?;
    while let Some(response) = messages.next().await.transpose()? {
        match response.message {
            Some(Message::Delta(delta)) => {
                let now = Instant::now();
                answer.arrivals.extend(delta.tokens.iter().map(|_| now));
                answer.ids.extend(delta.tokens.iter().map(|token| token.id));
            }
            Some(Message::Finished(finished)) => return answer.check(finished.completion_tokens, wanted),
            Some(Message::Started(started)) => answer.digest = started.adapter_digest,
            Some(Message::Prompt(_)) | None => {}
        }
    }
    Err(BenchError::Unexpected("a generation ended without its last message".to_owned()))
}

/// Tokens that a request asks for.
pub(super) fn wanted(request: &GenerateRequest) -> i32 {
    request.sampling.as_ref().map_or(0, |sampling| sampling.max_tokens)
}

/// Whether the server had no room for a request, as it may say under load.
pub(super) fn is_rejection(error: &BenchError) -> bool {
    matches!(error, BenchError::Call(error) if error.is(ErrorReason::Overloaded))
}

impl Answer {
    /// Of a request that is being sent.
    pub(super) fn awaited(sent: Instant) -> Self {
        Self { sent, digest: String::new(), ids: Vec::new(), arrivals: Vec::new() }
    }

    /// The answer, if it has as many tokens as were wanted and as the server told.
    pub(super) fn check(self, told: i32, wanted: i32) -> Result<Self, BenchError> {
        let came = self.ids.len();
        if told == wanted && usize::try_from(told) == Ok(came) && came > 0 {
            return Ok(self);
        }
        let message = format!("of {wanted} tokens {told} were told and {came} came");
        Err(BenchError::Unexpected(message))
    }

    /// From sending the request to the first token.
    pub(super) fn first_token(&self) -> Option<Duration> {
        self.arrivals.first().map(|first| *first - self.sent)
    }
}
