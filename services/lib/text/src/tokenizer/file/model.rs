//! The `model` object of tokenizer.json in its three kinds, brought to one form that is checked and built from.

use std::collections::HashMap;

use serde::Deserialize;

use super::shown;
use crate::tokenizer::TokenizerError;
use crate::tokenizer::check::{MAX_VOCAB, refuse};

/// The longest word that WordPiece may be told to take apart, in characters (BERT: 100): the time for a word grows with its square.
pub(crate) const MAX_WORD_CHARS: usize = 256;
/// The longest piece of a Unigram vocabulary, in bytes: encoding looks that far ahead from each character.
const MAX_PIECE_BYTES: usize = 256;
/// All pieces of a Unigram vocabulary together, in bytes: each may become a node of some hundred bytes.
const MAX_PIECES_BYTES: usize = 4 << 20;

/// The `model` object: a byte-pair encoding as it is written, the other kinds from [`WordPieceFile`] and [`UnigramFile`].
#[derive(Default, Deserialize)]
pub(crate) struct ModelFile {
    #[serde(skip)]
    pub(crate) kind: Kind,
    pub(crate) dropout: Option<f64>,
    pub(crate) unk_token: Option<String>,
    pub(crate) continuing_subword_prefix: Option<String>,
    pub(crate) end_of_word_suffix: Option<String>,
    pub(crate) fuse_unk: Option<bool>,
    pub(crate) byte_fallback: Option<bool>,
    pub(crate) ignore_merges: Option<bool>,
    pub(crate) vocab: HashMap<String, u32>,
    pub(crate) merges: Vec<MergeFile>,
}

/// The kind of model, with what it alone has.
#[derive(Default)]
pub(crate) enum Kind {
    /// Merges of pairs.
    #[default]
    Bpe,
    /// The longest piece first (BERT); longer words are unknown.
    WordPiece {
        /// The longest word that is taken apart, in characters.
        max_input_chars_per_word: usize,
    },
    /// The likeliest pieces (SentencePiece).
    Unigram {
        /// Each piece with its log probability, by id.
        pieces: Vec<(String, f64)>,
        /// The piece for what no other is for.
        unk_id: usize,
    },
}

/// A merge in either of the two forms in use: `["a", "b"]` or `"a b"`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum MergeFile {
    Pair(String, String),
    Line(String),
}

/// The `model` object of a WordPiece.
#[derive(Deserialize)]
pub(crate) struct WordPieceFile {
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: HashMap<String, u32>,
}

/// The `model` object of a Unigram.
#[derive(Deserialize)]
pub(crate) struct UnigramFile {
    unk_id: Option<usize>,
    vocab: Vec<(String, f64)>,
    byte_fallback: Option<bool>,
}

impl TryFrom<WordPieceFile> for ModelFile {
    type Error = TokenizerError;

    fn try_from(file: WordPieceFile) -> Result<Self, TokenizerError> {
        let max_input_chars_per_word = file.max_input_chars_per_word;
        if !(1..=MAX_WORD_CHARS).contains(&max_input_chars_per_word) {
            let problem = format!("{max_input_chars_per_word} is outside of 1..={MAX_WORD_CHARS}");
            return Err(refuse("model.max_input_chars_per_word", problem));
        }
        Ok(Self {
            kind: Kind::WordPiece { max_input_chars_per_word },
            unk_token: Some(file.unk_token),
            continuing_subword_prefix: Some(file.continuing_subword_prefix),
            vocab: file.vocab,
            ..Self::default()
        })
    }
}

impl TryFrom<UnigramFile> for ModelFile {
    type Error = TokenizerError;

    fn try_from(file: UnigramFile) -> Result<Self, TokenizerError> {
        let pieces = file.vocab;
        let unknown = file.unk_id.and_then(|id| Some((id, pieces.get(id)?.0.clone())));
        let Some((unk_id, unk_token)) = unknown else {
            return Err(refuse("model.unk_id", "must be the id of a piece: text would be lost"));
        };
        Ok(Self {
            vocab: ids(&pieces)?,
            kind: Kind::Unigram { pieces, unk_id },
            unk_token: Some(unk_token),
            byte_fallback: file.byte_fallback,
            ..Self::default()
        })
    }
}

/// The id of each piece is its place in the list.
fn ids(pieces: &[(String, f64)]) -> Result<HashMap<String, u32>, TokenizerError> {
    if pieces.len() > MAX_VOCAB {
        return Err(refuse("model.vocab", format!("has over {MAX_VOCAB} pieces")));
    }
    if pieces.iter().map(|(piece, _)| piece.len()).sum::<usize>() > MAX_PIECES_BYTES {
        return Err(refuse("model.vocab", format!("has over {MAX_PIECES_BYTES} bytes of pieces")));
    }
    let mut ids = HashMap::with_capacity(pieces.len());
    for (id, (piece, _)) in (0_u32..).zip(pieces) {
        let problem = match piece.len() {
            1..=MAX_PIECE_BYTES if ids.insert(piece.clone(), id).is_none() => continue,
            1..=MAX_PIECE_BYTES => format!("\"{}\" is there twice", shown(piece)),
            bytes => format!("has {bytes} bytes; 1 to {MAX_PIECE_BYTES} are allowed"),
        };
        return Err(refuse(format!("model.vocab[{id}]"), problem));
    }
    Ok(ids)
}
