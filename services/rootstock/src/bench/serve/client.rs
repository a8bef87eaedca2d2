//! One client's request: its tokens, and when each of them came.

use std::time::Instant;

use futures::StreamExt;
use rootstock_client::Clients;
use rootstock_client::proto::inference::v1::generate_response::Message;
use rootstock_client::proto::inference::v1::{GenerateRequest, GenerationFinished};

use crate::bench::BenchError;

/// A whole answer; of every id there is the time at which it came.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) sent: Instant,
    pub(super) ids: Vec<u32>,
    pub(super) arrivals: Vec<Instant>,
}

/// Sends a request and reads its answer to the end.
pub(super) async fn ask(clients: &Clients, request: GenerateRequest) -> Result<Answer, BenchError> {
    let sent = Instant::now();
    let mut messages = clients.generation().generate(request).await?;
    let mut answer = Answer { sent, ids: Vec::new(), arrivals: Vec::new() };
    while let Some(response) = messages.next().await.transpose()? {
        match response.message {
            Some(Message::Delta(delta)) => {
                let now = Instant::now();
                answer.arrivals.extend(delta.tokens.iter().map(|_| now));
                answer.ids.extend(delta.tokens.iter().map(|token| token.id));
            }
            Some(Message::Finished(finished)) => return answer.check(&finished),
            Some(Message::Started(_)) | None => {}
        }
    }
    Err(BenchError::Unexpected("a generation ended without its last message".to_owned()))
}

impl Answer {
    fn check(self, finished: &GenerationFinished) -> Result<Self, BenchError> {
        let told = usize::try_from(finished.completion_tokens).unwrap_or_default();
        if told == self.ids.len() && told > 0 {
            return Ok(self);
        }
        let came = self.ids.len();
        Err(BenchError::Unexpected(format!("a generation of {told} tokens brought {came}")))
    }
}
