//! Requests as domain values, checked once; results as messages.

mod training;

use rootstock_proto::tokenization::v1 as proto;
use rootstock_text::{ChatMessage, Encoding, TextTokenizer};

use crate::Error;
use crate::registry::Loaded;

pub(crate) use training::{Model, Training};

/// The most texts, sequences or messages in one request.
const MAX_ITEMS: usize = 1024;

/// Texts to encode.
pub(crate) struct Texts {
    pub(crate) texts: Vec<String>,
    pub(crate) add_special_tokens: bool,
    pub(crate) return_offsets: bool,
}

impl Texts {
    pub(crate) fn new(
        texts: Vec<String>,
        add_special_tokens: bool,
        return_offsets: bool,
    ) -> Result<Self, Error> {
        at_most(MAX_ITEMS, "texts", texts.len())?;
        Ok(Self { texts, add_special_tokens, return_offsets })
    }
}

/// Refuses more items than a request may have.
pub(crate) fn at_most(most: usize, field: &str, count: usize) -> Result<(), Error> {
    if count > most {
        Err(Error::invalid(field, format!("{count} {field}; at most {most} are allowed")))
    } else {
        Ok(())
    }
}

/// Sequences to decode, all of known ids.
pub(crate) fn sequences(
    sequences: Vec<proto::TokenSequence>,
    tokenizer: &TextTokenizer,
) -> Result<Vec<Vec<u32>>, Error> {
    at_most(MAX_ITEMS, "sequences", sequences.len())?;
    let sequences: Vec<Vec<u32>> = sequences.into_iter().map(|sequence| sequence.ids).collect();
    for (i, ids) in sequences.iter().enumerate() {
        tokenizer
            .check_ids(ids)
            .map_err(|error| Error::invalid(format!("sequences[{i}].ids"), error.to_string()))?;
    }
    Ok(sequences)
}

/// Messages to render.
pub(crate) fn messages(messages: Vec<proto::ChatMessage>) -> Result<Vec<ChatMessage>, Error> {
    at_most(MAX_ITEMS, "messages", messages.len())?;
    if messages.is_empty() {
        return Err(Error::invalid("messages", "there are no messages; give at least one"));
    }
    Ok(messages.into_iter().map(|message| ChatMessage::new(message.role, message.content)).collect())
}

/// A tokenizer as a message, under the name it was asked by.
pub(crate) fn tokenizer(name: &str, loaded: &Loaded) -> proto::Tokenizer {
    let (tokenizer, special) = (&loaded.tokenizer, loaded.tokenizer.special_tokens());
    proto::Tokenizer {
        name: name.to_owned(),
        artifact_digest: loaded.artifact_digest.clone(),
        tokenizer_digest: loaded.tokenizer_digest(),
        vocab_size: i32::try_from(tokenizer.vocab_size()).unwrap_or(i32::MAX),
        bos_token_id: special.bos.as_ref().map(|token| token.id),
        eos_token_id: special.eos.as_ref().map(|token| token.id),
        pad_token_id: special.pad.as_ref().map(|token| token.id),
        has_chat_template: tokenizer.chat_template().is_ok(),
    }
}

/// Encoded texts as messages.
pub(crate) fn encodings(encodings: Vec<Encoding>, with_offsets: bool) -> Vec<proto::Encoding> {
    let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let encode = |encoding: Encoding| {
        let offsets = if with_offsets { encoding.offsets.as_slice() } else { &[] };
        proto::Encoding {
            start_offsets: offsets.iter().map(|range| offset(range.start)).collect(),
            end_offsets: offsets.iter().map(|range| offset(range.end)).collect(),
            ids: encoding.ids,
        }
    };
    encodings.into_iter().map(encode).collect()
}
