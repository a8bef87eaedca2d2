//! A request to train a tokenizer as what is trained: each kind with its special tokens and the settings that it has.

use rootstock_artifacts::{AliasName, ArtifactName, Kind};
use rootstock_proto::tokenization::v1::{self as proto, TokenizerModel};
use rootstock_text::{TrainOptions, UNIGRAM_UNKNOWN, WORDPIECE_UNKNOWN, WordPieceOptions};

use super::at_most;
use crate::Error;

/// The largest vocabulary to train.
const MAX_VOCAB: i32 = 262_144;
/// The most special tokens to train with.
const MAX_SPECIAL: usize = 256;
/// Always there, as beginning, end and padding, but with BERT's tokens.
const END_OF_TEXT: &str = "<|endoftext|>";
/// BERT's padding, and its special tokens in BERT's order.
const PAD: &str = "[PAD]";
const BERT: [&str; 5] = [PAD, WORDPIECE_UNKNOWN, "[CLS]", "[SEP]", "[MASK]"];
/// The least occurrences of a merged pair where the request doesn't say.
const MIN_FREQUENCY: u64 = 2;

/// The kind of tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    Bpe,
    WordPiece(WordPieceOptions),
    Unigram,
}

/// A tokenizer to be trained.
#[derive(Debug)]
pub(crate) struct Training {
    pub(crate) alias: AliasName,
    pub(crate) dataset: ArtifactName,
    pub(crate) model: Model,
    pub(crate) options: TrainOptions,
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
        let model = model(&request)?;
        Ok(Self { alias, dataset, model, options: options(request, model)? })
    }
}

fn model(request: &proto::TrainTokenizerRequest) -> Result<Model, Error> {
    let kind = TokenizerModel::try_from(request.model)
        .map_err(|_| Error::invalid("model", format!("{} is no kind of tokenizer", request.model)))?;
    let model = match kind {
        TokenizerModel::Unspecified | TokenizerModel::Bpe => Model::Bpe,
        TokenizerModel::WordPiece => Model::WordPiece(word_piece(request.word_piece.unwrap_or_default())?),
        TokenizerModel::Unigram => Model::Unigram,
    };
    let foreign = [
        ("word_piece", request.word_piece.is_some() && !matches!(model, Model::WordPiece(_))),
        ("max_token_length", request.max_token_length != 0 && model != Model::Bpe),
        ("min_frequency", request.min_frequency != 0 && model == Model::Unigram),
    ];
    match foreign.into_iter().find(|(_, given)| *given) {
        Some((field, _)) => {
            Err(Error::invalid(field, format!("{field} is not for this model; leave it out")))
        }
        None => Ok(model),
    }
}

fn word_piece(given: proto::WordPieceOptions) -> Result<WordPieceOptions, Error> {
    let default = WordPieceOptions::default();
    let longest = unsigned("word_piece.max_input_chars_per_word", given.max_input_chars_per_word)?;
    Ok(WordPieceOptions {
        lowercase: given.lowercase.unwrap_or(default.lowercase),
        strip_accents: given.strip_accents,
        max_input_chars_per_word: if longest == 0 { default.max_input_chars_per_word } else { longest },
    })
}

fn options(request: proto::TrainTokenizerRequest, model: Model) -> Result<TrainOptions, Error> {
    if request.vocab_size > MAX_VOCAB {
        return Err(Error::invalid("vocab_size", format!("{} is more than {MAX_VOCAB}", request.vocab_size)));
    }
    at_most(MAX_SPECIAL, "special_tokens", request.special_tokens.len())?;
    let (own, end, pad): (&[&str], _, _) = match model {
        Model::Bpe => (&[END_OF_TEXT], Some(END_OF_TEXT), END_OF_TEXT),
        Model::Unigram => (&[END_OF_TEXT, UNIGRAM_UNKNOWN], Some(END_OF_TEXT), END_OF_TEXT),
        Model::WordPiece(_) => (&BERT, None, PAD),
    };
    let mut special_tokens: Vec<String> = own.iter().map(|&token| token.to_owned()).collect();
    special_tokens.extend(request.special_tokens.into_iter().filter(|token| !own.contains(&token.as_str())));
    let min_frequency = unsigned("min_frequency", request.min_frequency)? as u64;
    let max_token_length = unsigned("max_token_length", request.max_token_length)?;
    Ok(TrainOptions {
        vocab_size: unsigned("vocab_size", request.vocab_size)?,
        min_frequency: if min_frequency == 0 { MIN_FREQUENCY } else { min_frequency },
        special_tokens,
        bos: end.map(str::to_owned),
        eos: end.map(str::to_owned),
        pad: Some(pad.to_owned()),
        max_token_bytes: (max_token_length > 0).then_some(max_token_length),
        chat_template: (!request.chat_template.is_empty()).then_some(request.chat_template),
    })
}

fn unsigned(field: &str, value: i32) -> Result<usize, Error> {
    usize::try_from(value).map_err(|_| Error::invalid(field, format!("{value} is negative")))
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

    #[test]
    fn each_kind_has_its_special_tokens_and_refuses_the_settings_of_others() {
        let of = |model: TokenizerModel| proto::TrainTokenizerRequest { model: model.into(), ..request() };
        let wordpiece = of(TokenizerModel::WordPiece);
        let training = Training::try_from(wordpiece.clone()).unwrap();
        assert_eq!(training.model, Model::WordPiece(WordPieceOptions::default()));
        assert_eq!(training.options.special_tokens, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
        assert_eq!((training.options.eos, training.options.pad), (None, Some("[PAD]".to_owned())));
        let unigram = of(TokenizerModel::Unigram);
        let training = Training::try_from(unigram.clone()).unwrap();
        assert_eq!(training.options.special_tokens, ["<|endoftext|>", "<unk>"]);

        let word_piece = Some(proto::WordPieceOptions::default());
        assert_eq!(field_of(proto::TrainTokenizerRequest { word_piece, ..unigram.clone() }), "word_piece");
        assert_eq!(field_of(proto::TrainTokenizerRequest { min_frequency: 3, ..unigram }), "min_frequency");
        let longer = proto::TrainTokenizerRequest { max_token_length: 9, ..wordpiece.clone() };
        assert_eq!(field_of(longer), "max_token_length");
        let word_piece = proto::WordPieceOptions { max_input_chars_per_word: -1, ..Default::default() };
        let negative = proto::TrainTokenizerRequest { word_piece: Some(word_piece), ..wordpiece };
        assert_eq!(field_of(negative), "word_piece.max_input_chars_per_word");
        assert_eq!(field_of(proto::TrainTokenizerRequest { model: 9, ..request() }), "model");
    }
}
