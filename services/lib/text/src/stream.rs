//! Decodes a stream of token ids to text that is whole characters at every step.

use std::sync::Arc;

use crate::tokenizer::TokenTable;

/// Turns ids into text one by one. A character whose bytes come with several tokens is held back until it
/// is complete; all that is put out, joined, equals the decoding of all ids at once.
#[derive(Debug)]
pub struct StreamDecoder {
    table: Arc<TokenTable>,
    skip_special: bool,
    /// The beginning of a character: at most three bytes between two calls.
    pending: Vec<u8>,
    strip: Option<StripLeft>,
}

impl StreamDecoder {
    pub(crate) fn new(table: Arc<TokenTable>, skip_special: bool) -> Self {
        let strip = table.strip_left.map(|(c, count)| StripLeft::new(c, count));
        Self { table, skip_special, pending: Vec::new(), strip }
    }

    /// Keeps what tokenizers like SentencePiece's drop from the very start of a text, so that it is the bytes of its tokens.
    pub fn keep_start(self) -> Self {
        Self { strip: None, ..self }
    }

    /// Takes the next id; gives the text that is now certain, if any.
    pub fn push(&mut self, id: u32) -> Option<String> {
        if self.skip_special && self.table.is_special(id) {
            return None;
        }
        self.pending.extend_from_slice(self.table.bytes(id));
        let mut text = String::new();
        let used = take_whole(&self.pending, &mut text);
        self.pending.drain(..used);
        self.emit(&text)
    }

    /// Ends the stream: what is left of an incomplete character becomes one U+FFFD.
    pub fn flush(&mut self) -> Option<String> {
        let text = lossy(&std::mem::take(&mut self.pending));
        self.emit(&text)
    }

    fn emit(&mut self, text: &str) -> Option<String> {
        let text = match &mut self.strip {
            Some(strip) => strip.apply(text),
            None => text,
        };
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Drops up to a number of a character from the very start of a text that comes in parts.
#[derive(Debug)]
pub(crate) struct StripLeft {
    character: char,
    left: usize,
}

impl StripLeft {
    pub(crate) fn new(character: char, left: usize) -> Self {
        Self { character, left }
    }

    pub(crate) fn apply<'t>(&mut self, mut text: &'t str) -> &'t str {
        while self.left > 0 && !text.is_empty() {
            match text.strip_prefix(self.character) {
                Some(rest) => {
                    text = rest;
                    self.left -= 1;
                }
                None => self.left = 0,
            }
        }
        text
    }
}

/// Appends all of `bytes` that is certain, wrong bytes as U+FFFD, and says how many bytes that was.
fn take_whole(bytes: &[u8], text: &mut String) -> usize {
    let mut used = 0;
    loop {
        match std::str::from_utf8(&bytes[used..]) {
            Ok(rest) => {
                text.push_str(rest);
                return bytes.len();
            }
            Err(error) => {
                let valid = used + error.valid_up_to();
                // Both halves of the next line hold by `valid_up_to`; lossy never changes valid bytes.
                text.push_str(&String::from_utf8_lossy(&bytes[used..valid]));
                let Some(wrong) = error.error_len() else { return valid };
                text.push(char::REPLACEMENT_CHARACTER);
                used = valid + wrong;
            }
        }
    }
}

/// The text of bytes that are all there.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
