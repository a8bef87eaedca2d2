//! Requests as domain values, checked once; results as messages.

use rootstock_artifacts::{AliasName, ArtifactName, Kind};
use rootstock_proto::tokenization::v1 as proto;
use rootstock_text::{BpeOptions, ChatMessage, Encoding, TextTokenizer};

use crate::Error;
use crate::registry::Loaded;

/// The most texts, sequences or messages in one request.
const MAX_ITEMS: usize = 1024;
/// The largest vocabulary to train.
const MAX_VOCAB: i32 = 262_144;
/// The most special tokens to train with.
const MAX_SPECIAL: usize = 256;
/// Always there, as beginning, end and padding.
const END_OF_TEXT: &str = "<|endoftext|>";
/// The least occurrences of a merged pair where the request doesn't say.
const MIN_FREQUENCY: u64 = 2;

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

/// A tokenizer to be trained.
pub(crate) struct Training {
    pub(crate) alias: AliasName,
    pub(crate) dataset: ArtifactName,
    pub(crate) options: BpeOptions,
}

impl TryFrom<proto::TrainTokenizerRequest> for Training {
    type Error = Error;

    fn try_from(request: proto::TrainTokenizerRequest) -> Result<Self, Error> {
        let alias: AliasName =
            request.name.parse().map_err(|error| Error::invalid("name", format!("{error}")))?;
        if alias.kind() != Kind::Tokenizer {
            return Err(Error::invalid("name", format!("{alias} must start with tokenizers/")));
        }
        let dataset =
            request.dataset.parse().map_err(|error| Error::invalid("dataset", format!("{error}")))?;
        if request.vocab_size > MAX_VOCAB {
            return Err(Error::invalid(
                "vocab_size",
                format!("{} is more than {MAX_VOCAB}", request.vocab_size),
            ));
        }
        at_most(MAX_SPECIAL, "special_tokens", request.special_tokens.len())?;
        let mut special_tokens = vec![END_OF_TEXT.to_owned()];
        special_tokens.extend(request.special_tokens.into_iter().filter(|token| token != END_OF_TEXT));
        let min_frequency = unsigned("min_frequency", request.min_frequency)? as u64;
        let max_token_length = unsigned("max_token_length", request.max_token_length)?;
        let options = BpeOptions {
            vocab_size: unsigned("vocab_size", request.vocab_size)?,
            min_frequency: if min_frequency == 0 { MIN_FREQUENCY } else { min_frequency },
            special_tokens,
            bos: Some(END_OF_TEXT.to_owned()),
            eos: Some(END_OF_TEXT.to_owned()),
            pad: Some(END_OF_TEXT.to_owned()),
            max_token_bytes: (max_token_length > 0).then_some(max_token_length),
            chat_template: (!request.chat_template.is_empty()).then_some(request.chat_template),
        };
        Ok(Self { alias, dataset, options })
    }
}

fn unsigned(field: &str, value: i32) -> Result<usize, Error> {
    usize::try_from(value).map_err(|_| Error::invalid(field, format!("{value} is negative")))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> proto::TrainTokenizerRequest {
        proto::TrainTokenizerRequest {
            name: "tokenizers/mine".into(),
            dataset: "datasets/text".into(),
            vocab_size: 512,
            ..Default::default()
        }
    }

    fn field_of(request: proto::TrainTokenizerRequest) -> String {
        match Training::try_from(request).map(|training| training.options) {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let options = Training::try_from(request()).unwrap().options;
        assert_eq!(options.min_frequency, 2);
        assert_eq!(options.special_tokens, ["<|endoftext|>"]);
        assert_eq!((options.max_token_bytes, options.chat_template), (None, None));
    }

    #[test]
    fn a_request_that_cannot_be_is_refused_with_its_field() {
        assert_eq!(
            field_of(proto::TrainTokenizerRequest { name: "adapters/mine".into(), ..request() }),
            "name"
        );
        assert_eq!(
            field_of(proto::TrainTokenizerRequest { dataset: "../etc".into(), ..request() }),
            "dataset"
        );
        assert_eq!(field_of(proto::TrainTokenizerRequest { vocab_size: -1, ..request() }), "vocab_size");
        assert_eq!(field_of(proto::TrainTokenizerRequest { vocab_size: 1 << 30, ..request() }), "vocab_size");
        assert_eq!(
            field_of(proto::TrainTokenizerRequest { min_frequency: -3, ..request() }),
            "min_frequency"
        );
        let special_tokens = vec!["<x>".to_owned(); MAX_SPECIAL + 1];
        assert_eq!(field_of(proto::TrainTokenizerRequest { special_tokens, ..request() }), "special_tokens");
    }
}
