//! Texts to token ids through the tokenization service, in bounded batches, going on where a broken stream ended.

use std::{ops::Range, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use rootstock_client::{ClientError, ErrorReason, TokenizationClient};
use rootstock_proto::tokenization::v1::{EncodeStreamRequest, Encoding};
use rootstock_text::TextTokenizer;

use super::{
    beside::Beside,
    fault::{Fault, of_job},
    stop::Stop,
};

/// Most texts of a batch; the contract allows 1024.
const BATCH_TEXTS: usize = 512;
/// Most bytes of a batch, but for a single longer text: with offsets a token takes up to 11 bytes of the answer, and
/// the answer must stay below 4 MiB.
const BATCH_BYTES: usize = 256 << 10;
/// Broken streams in a row without a batch between them that are endured.
const MAX_BREAKS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(200);

/// Encodes with one tokenizer.
#[derive(Clone, Debug)]
pub(crate) enum Encoder {
    /// By the tokenization service.
    Service(Box<Service>),
    /// In this process: with a tokenizer that no artifact has.
    Local(Arc<TextTokenizer>, Beside),
}

/// The tokenization service, and a tokenizer that it knows.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) client: TokenizationClient,
    /// Digest of the artifact that the tokenizer lies in.
    pub(crate) tokenizer: String,
    /// What the service must say it has used.
    pub(crate) tokenizer_digest: String,
}

/// How texts are encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) add_special_tokens: bool,
    pub(super) return_offsets: bool,
}

impl Encoder {
    /// The encodings of all texts, in order.
    pub(super) async fn encode(&self, texts: Vec<String>, how: How) -> Result<Vec<Encoding>, Fault> {
        match self {
            Self::Service(service) => service.encode(texts, how).await,
            Self::Local(tokenizer, beside) => {
                let tokenizer = Arc::clone(tokenizer);
                beside.run(move |stop| encode_all(&tokenizer, &texts, how, stop)).await
            }
        }
    }
}

fn encode_all(
    tokenizer: &TextTokenizer,
    texts: &[String],
    how: How,
    stop: &Stop,
) -> Result<Vec<Encoding>, Fault> {
    let encode = |text: &String| {
        stop.check()?;
        let encoding = tokenizer.encode(text, how.add_special_tokens);
        let encoding = encoding.map_err(|error| of_job("the tokenizer")(&error))?;
        let offsets = encoding.offsets.iter().filter(|_| how.return_offsets);
        let (starts, ends) = offsets.map(|bytes| (bytes.start as u32, bytes.end as u32)).unzip();
        Ok(Encoding { ids: encoding.ids, start_offsets: starts, end_offsets: ends })
    };
    texts.iter().map(encode).collect()
}

impl Service {
    async fn encode(&self, texts: Vec<String>, how: How) -> Result<Vec<Encoding>, Fault> {
        let texts: Arc<[String]> = texts.into();
        let mut encodings = Vec::with_capacity(texts.len());
        let mut breaks = 0;
        while encodings.len() < texts.len() {
            let before = encodings.len();
            let broken = match self.go_on(&texts, how, &mut encodings).await {
                Ok(()) => "the stream of tokens ended too early".to_owned(),
                Err(error) if passes(&error) => error.to_string(),
                Err(error) => return Err(Fault::remote("tokenization", &error)),
            };
            breaks = if encodings.len() > before { 0 } else { breaks + 1 };
            if encodings.len() == texts.len() {
                break;
            }
            if breaks > MAX_BREAKS {
                return Err(Fault::passing("tokenization", broken));
            }
            tracing::warn!(broken, done = encodings.len(), "the stream of tokens broke; going on");
            tokio::time::sleep(PAUSE * 2_u32.pow(breaks)).await;
        }
        Ok(encodings)
    }

    async fn go_on(
        &self,
        texts: &Arc<[String]>,
        how: How,
        done: &mut Vec<Encoding>,
    ) -> Result<(), ClientError> {
        let batches = batches(texts, done.len());
        let (texts, tokenizer) = (Arc::clone(texts), self.tokenizer.clone());
        let requests =
            stream::iter(batches.into_iter().enumerate()).map(move |(i, batch)| EncodeStreamRequest {
                tokenizer: if i == 0 { tokenizer.clone() } else { String::new() },
                texts: texts[batch].to_vec(),
                add_special_tokens: how.add_special_tokens,
                return_offsets: how.return_offsets,
            });
        let mut responses = self.client.encode_stream(requests).await?;
        while let Some(response) = responses.next().await {
            let response = response?;
            if response.tokenizer_digest != self.tokenizer_digest {
                let used = response.tokenizer_digest;
                let message = format!(
                    "the service used tokenizer {used}, but the job is for {}",
                    self.tokenizer_digest
                );
                return Err(mismatch(message));
            }
            done.extend(response.encodings);
        }
        Ok(())
    }
}

fn mismatch(message: String) -> ClientError {
    let error = ClientError::local("tokenizer", message);
    ClientError { reason: Some(ErrorReason::TokenizerMismatch), ..error }
}

/// Whether the stream may go better another time.
fn passes(error: &ClientError) -> bool {
    error.is_transient() || error.is(ErrorReason::DeadlineExceeded)
}

/// Cuts the texts from `first` on into batches.
fn batches(texts: &[String], first: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (first, 0);
    for (i, text) in texts.iter().enumerate().skip(first) {
        let full = i - start == BATCH_TEXTS || bytes + text.len() > BATCH_BYTES;
        if full && i > start {
            batches.push(start..i);
            (start, bytes) = (i, 0);
        }
        bytes += text.len();
    }
    if start < texts.len() {
        batches.push(start..texts.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_and_leave_nothing_out() {
        let texts: Vec<String> = (0..1500).map(|i| "x".repeat(i)).collect();
        let cut = batches(&texts, 3);
        assert_eq!((cut[0].start, cut[cut.len() - 1].end), (3, 1500));
        assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
        for batch in cut {
            assert!(batch.len() <= BATCH_TEXTS);
            assert!(texts[batch].iter().map(String::len).sum::<usize>() <= BATCH_BYTES);
        }
    }

    #[test]
    fn a_text_larger_than_a_batch_goes_alone() {
        let texts = ["a".to_owned(), "b".repeat(BATCH_BYTES + 1), "c".to_owned()];
        assert_eq!(batches(&texts, 0), [0..1, 1..2, 2..3]);
        assert!(batches(&texts, 3).is_empty());
    }
}
