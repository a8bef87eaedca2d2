//! The bytes behind every token id, so that decoding is a table lookup that neither fails nor panics.

use std::collections::HashMap;

use serde_json::Value;
use tokenizers::decoders::wordpiece::cleanup;

use super::TokenizerError;
use super::file::{TOKENIZER_JSON, shown};

/// How pieces of the vocabulary stand for bytes of text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Alphabet {
    /// Each character of a piece is one byte (GPT-2's table).
    ByteLevel,
    /// Pieces are text with a stand-in for the space, and `<0xHH>` for single bytes (SentencePiece).
    Pieces(Pieces),
    /// A piece goes on a word where it has the prefix, else it begins one after a space (BERT). A text that begins with a piece that
    /// goes on is given without the prefix, which transformers keeps there: so the answer to a prompt reads on.
    WordPiece {
        /// What marks a piece that goes on a word.
        prefix: String,
        /// Whether the space before punctuation is left out, by transformers' list.
        cleanup: bool,
    },
}

/// The steps of a SentencePiece-like decoder, in the only order in which they occur.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pieces {
    replacements: Vec<(String, String)>,
    byte_fallback: bool,
    strip_left: Option<(char, usize)>,
}

/// Bytes and kind of each id; decoding reads nothing else.
#[derive(Debug)]
pub(crate) struct TokenTable {
    bytes: Vec<u8>,
    /// `bytes[ends[id - 1]..ends[id]]` belongs to `id`.
    ends: Vec<u32>,
    special: Vec<bool>,
    present: Vec<bool>,
    /// The character, and how many of it, that is dropped from the start of a decoded text.
    pub(crate) strip_left: Option<(char, usize)>,
}

impl TokenTable {
    /// Builds the table; `token` gives piece and speciality of each id below `vocab_size`.
    pub(crate) fn build(
        alphabet: &Alphabet,
        vocab_size: usize,
        token: impl Fn(u32) -> Option<(String, bool)>,
    ) -> Self {
        let byte_of = bytes_by_char();
        let mut table = Self {
            bytes: Vec::new(),
            ends: Vec::with_capacity(vocab_size),
            special: Vec::with_capacity(vocab_size),
            present: Vec::with_capacity(vocab_size),
            strip_left: alphabet.strip_left(),
        };
        for id in 0..vocab_size {
            let entry = u32::try_from(id).ok().and_then(&token);
            table.present.push(entry.is_some());
            table.special.push(entry.as_ref().is_some_and(|(_, special)| *special));
            if let Some((piece, _)) = entry {
                table.bytes.extend(alphabet.bytes_of(&piece, &byte_of));
            }
            // The file is capped at 64 MiB, so offsets fit.
            table.ends.push(u32::try_from(table.bytes.len()).unwrap_or(u32::MAX));
        }
        table
    }

    /// One more than the highest id.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of an id; none for an id outside the vocabulary.
    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start as usize..end as usize]
    }

    /// Whether the id is a special token.
    pub(crate) fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(false)
    }

    /// Whether the id is in the vocabulary at all.
    pub(crate) fn has(&self, id: u32) -> bool {
        self.present.get(id as usize).copied().unwrap_or(false)
    }
}

impl Alphabet {
    /// Reads the `decoder` object.
    ///
    /// # Errors
    /// A decoder whose text can't be given as bytes per token.
    pub(crate) fn parse(decoder: Option<&Value>) -> Result<Self, TokenizerError> {
        let steps: Vec<&Value> = match decoder {
            None => return Err(unsupported("decoder", "is missing")),
            Some(value) if kind(value) == "Sequence" => match value.get("decoders").and_then(Value::as_array)
            {
                Some(steps) => steps.iter().collect(),
                None => return Err(unsupported("decoder.decoders", "is not a list")),
            },
            Some(value) => vec![value],
        };
        match steps[..] {
            [only] if kind(only) == "ByteLevel" => Ok(Self::ByteLevel),
            [only] if kind(only) == "WordPiece" => Self::wordpiece(only),
            [only] if kind(only) == "Metaspace" => Pieces::metaspace(only).map(Self::Pieces),
            _ => Pieces::parse(&steps).map(Self::Pieces),
        }
    }

    fn wordpiece(decoder: &Value) -> Result<Self, TokenizerError> {
        let prefix = decoder.get("prefix").and_then(Value::as_str);
        let cleanup = decoder.get("cleanup").and_then(Value::as_bool);
        match (prefix, cleanup) {
            (Some(prefix), Some(cleanup)) if !prefix.is_empty() => {
                Ok(Self::WordPiece { prefix: prefix.to_owned(), cleanup })
            }
            _ => Err(unsupported("decoder", "WordPiece needs a prefix and cleanup")),
        }
    }

    fn strip_left(&self) -> Option<(char, usize)> {
        match self {
            Self::ByteLevel => None,
            Self::Pieces(pieces) => pieces.strip_left,
            Self::WordPiece { .. } => Some((' ', 1)),
        }
    }

    fn bytes_of(&self, piece: &str, byte_of: &HashMap<char, u8>) -> Vec<u8> {
        match self {
            // A piece with a character outside the table stands for itself: an added token.
            Self::ByteLevel => piece
                .chars()
                .map(|c| byte_of.get(&c).copied())
                .collect::<Option<Vec<u8>>>()
                .unwrap_or_else(|| piece.as_bytes().to_vec()),
            Self::Pieces(pieces) => pieces.bytes_of(piece),
            Self::WordPiece { prefix, cleanup: clean } => {
                let text = piece.strip_prefix(prefix).map_or_else(|| format!(" {piece}"), str::to_owned);
                if *clean { cleanup(&text) } else { text }.into_bytes()
            }
        }
    }
}

impl Pieces {
    /// SentencePiece's decoder in one step: the stand-in is a space, and the one before a text goes again where it was put there.
    fn metaspace(step: &Value) -> Result<Self, TokenizerError> {
        let text = step.get("replacement").and_then(Value::as_str).unwrap_or_default();
        if text.chars().count() != 1 {
            return Err(unsupported("decoder.replacement", "must be one character"));
        }
        let is = |key: &str, value: Value| step.get(key) == Some(&value);
        let never = is("prepend_scheme", "never".into()) || is("add_prefix_space", false.into());
        let replacements = vec![(text.to_owned(), " ".to_owned())];
        Ok(Self { replacements, strip_left: (!never).then_some((' ', 1)), ..Self::default() })
    }

    fn parse(steps: &[&Value]) -> Result<Self, TokenizerError> {
        let mut pieces = Self::default();
        let mut fused = false;
        let mut last = 0;
        for (i, step) in steps.iter().enumerate() {
            let field = format!("decoder[{i}]");
            let order = match kind(step) {
                "Replace" => {
                    pieces.replacements.push(replacement(step, &field)?);
                    1
                }
                "ByteFallback" => {
                    pieces.byte_fallback = true;
                    2
                }
                "Fuse" => {
                    fused = true;
                    3
                }
                "Strip" if fused => {
                    pieces.strip_left = strip(step, &field)?;
                    4
                }
                other => {
                    return Err(unsupported(&field, &format!("\"{}\" is not supported here", shown(other))));
                }
            };
            if order < last {
                return Err(unsupported(&field, "stands in an order that is not supported"));
            }
            last = order;
        }
        Ok(pieces)
    }

    fn bytes_of(&self, piece: &str) -> Vec<u8> {
        let mut text = piece.to_owned();
        for (from, to) in &self.replacements {
            text = text.replace(from.as_str(), to);
        }
        match single_byte(&text) {
            Some(byte) if self.byte_fallback => vec![byte],
            _ => text.into_bytes(),
        }
    }
}

fn replacement(step: &Value, field: &str) -> Result<(String, String), TokenizerError> {
    let from = step.get("pattern").and_then(|p| p.get("String")).and_then(Value::as_str);
    let to = step.get("content").and_then(Value::as_str);
    match (from, to) {
        (Some(from), Some(to)) if !from.is_empty() && to.len() <= super::check::MAX_CONTENT_BYTES => {
            Ok((from.to_owned(), to.to_owned()))
        }
        _ => Err(unsupported(field, "Replace needs a non-empty pattern.String and a short content")),
    }
}

fn strip(step: &Value, field: &str) -> Result<Option<(char, usize)>, TokenizerError> {
    let content = step.get("content").and_then(Value::as_str).unwrap_or_default();
    let mut chars = content.chars();
    let start = step.get("start").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let stop = step.get("stop").and_then(Value::as_u64);
    match (chars.next(), chars.next(), start, stop) {
        (Some(_), None, Some(0), Some(0)) => Ok(None),
        (Some(c), None, Some(start), Some(0)) => Ok(Some((c, start))),
        _ => Err(unsupported(field, "Strip needs one character of content, a start, and stop = 0")),
    }
}

fn unsupported(field: &str, problem: &str) -> TokenizerError {
    TokenizerError::Field {
        file: TOKENIZER_JSON,
        field: field.to_owned(),
        problem: format!(
            "{problem}; supported: ByteLevel, WordPiece, Metaspace, or a Sequence of Replace, ByteFallback, Fuse, Strip"
        ),
    }
}

fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// The byte of a `<0xHH>` piece.
pub(crate) fn single_byte(piece: &str) -> Option<u8> {
    let hex = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    if hex.len() != 2 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(hex, 16).ok()
}

/// GPT-2's table: printable Latin-1 stands for itself, the other bytes for U+0100 and up, in order.
/// Source: `bytes_to_unicode` in OpenAI's GPT-2 encoder, and `ByteLevel` in tokenizers.
pub(crate) fn bytes_by_char() -> HashMap<char, u8> {
    let mut next = 0x100_u32;
    (0..=255_u8)
        .filter_map(|byte| {
            let c = match byte {
                b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
                _ => {
                    next += 1;
                    char::from_u32(next - 1)?
                }
            };
            Some((c, byte))
        })
        .collect()
}
