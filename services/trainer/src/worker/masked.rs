//! Texts of which tokens are hidden each time they are seen: what hides them and what stands around them, and the rows.

use rootstock_kernels::Random;
use rootstock_text::{MaskedExample, MaskedText, Masking, TextTokenizer, Unit, words};

use super::fault::{Fault, of_job};
use crate::spec::Masked;

/// Texts and how they are masked.
#[derive(Clone, Debug)]
pub(crate) struct MaskedTexts {
    texts: Vec<Words>,
    masking: Masking,
    /// One more than the highest id that a mask or a replacement can be.
    vocab_size: u32,
    seed: u64,
}

/// A text: its tokens, and the word of each that may be hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    ids: Vec<u32>,
    words: Vec<Option<u32>>,
}

impl MaskedTexts {
    /// Cuts documents into texts with what the tokenizer puts around each.
    pub(super) fn new(
        documents: impl IntoIterator<Item = Words>,
        tokenizer: &TextTokenizer,
        (objective, seed): (&Masked, u64),
    ) -> Result<Self, Fault> {
        let (before, after) = tokenizer.frame().map_err(|error| of_job("tokenizer")(&error))?;
        let room = objective.block_size.saturating_sub(before.len() + after.len());
        if room == 0 {
            let (field, around) = ("spec.masked.block_size", before.len() + after.len());
            return Err(Fault::Job(format!(
                "{field} is {}, in which no text fits beside the {around} tokens around it; raise it",
                objective.block_size
            )));
        }
        let vocab_size = tokenizer.vocab_size() as u32;
        let cut = documents.into_iter().flat_map(|document| document.cut(room));
        let texts: Vec<_> = cut.map(|text| text.framed(&before, &after)).collect();
        tracing::info!(texts = texts.len(), "text read");
        Ok(Self { texts, masking: masking(objective, tokenizer)?, vocab_size, seed })
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// A text as it is seen in the pass `epoch`.
    pub(super) fn drawn(&self, row: usize, epoch: u64) -> MaskedExample {
        self.mask(row, Random::named(self.seed, "masking").child(epoch))
    }

    /// A text as it is validated: the same each time.
    pub(super) fn fixed(&self, row: usize) -> MaskedExample {
        self.mask(row, Random::named(self.seed, "masking for validation"))
    }

    fn mask(&self, row: usize, random: Random) -> MaskedExample {
        let (random, Words { ids, words }) = (random.child(row as u64), &self.texts[row]);
        self.masking.apply(MaskedText { ids, words }, |n| random.uniform(n))
    }

    /// The same texts, in which another seed hides.
    pub(super) fn drawn_by(&self, seed: u64) -> Self {
        Self { seed, ..self.clone() }
    }

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self { texts: rows.iter().map(|row| self.texts[*row].clone()).collect(), ..*self }
    }

    /// The texts of both, which are masked alike.
    pub(super) fn joined(mut self, other: Self) -> Self {
        self.texts.extend(other.texts);
        self
    }

    pub(super) fn highest_id(&self) -> Option<u32> {
        let ids = self.texts.iter().flat_map(|text| text.ids.iter().copied());
        ids.chain(self.vocab_size.checked_sub(1)).max()
    }
}

fn masking(objective: &Masked, tokenizer: &TextTokenizer) -> Result<Masking, Fault> {
    let Some(mask) = &tokenizer.special_tokens().mask else {
        let message = "spec.masked: the tokenizer has no mask_token, which hides tokens; name one in \
                       tokenizer_config.json, or train one with [MASK] as a special token";
        return Err(Fault::Job(message.to_owned()));
    };
    let unit = if objective.whole_word_mask { Unit::Word } else { Unit::Token };
    let masking = Masking::new(objective.mlm_probability, unit, mask.id, tokenizer.vocab_size() as u32);
    masking.map_err(|error| of_job("spec.masked")(&error))
}

impl Words {
    /// A piece of a document, by its tokens and the bytes that they stand for.
    pub(super) fn of_piece(
        text: &str,
        ids: Vec<u32>,
        offsets: impl Iterator<Item = (u32, u32)>,
        tokenizer: &TextTokenizer,
    ) -> Self {
        let offsets: Vec<_> = offsets.map(|(start, end)| start as usize..end as usize).collect();
        let hidden = |(id, word): (&u32, Option<u32>)| word.filter(|_| !tokenizer.is_special(*id));
        let words = ids.iter().zip(words(text, &offsets)).map(hidden).collect();
        Self { ids, words }
    }

    /// Adds a piece that begins with a word of its own.
    pub(super) fn extend(&mut self, piece: Self) {
        let before = self.words.iter().rev().flatten().next().map_or(0, |last| last + 1);
        self.ids.extend(piece.ids);
        self.words.extend(piece.words.into_iter().map(|word| word.map(|word| before + word)));
    }

    fn cut(self, length: usize) -> impl Iterator<Item = Self> {
        let count = self.ids.len().div_ceil(length);
        let part = move |i: usize| {
            let range = i * length..((i + 1) * length).min(self.ids.len());
            Self { ids: self.ids[range.clone()].to_vec(), words: self.words[range].to_vec() }
        };
        (0..count).map(part)
    }

    fn framed(self, before: &[u32], after: &[u32]) -> Self {
        let around = |ids: &[u32]| Self { ids: ids.to_vec(), words: vec![None; ids.len()] };
        let mut framed = around(before);
        framed.ids.extend(self.ids);
        framed.words.extend(self.words);
        framed.extend(around(after));
        framed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[u32]) -> Words {
        let ids = (0..words.len() as u32).collect();
        Words { ids, words: words.iter().map(|word| Some(*word)).collect() }
    }

    #[test]
    fn pieces_join_with_words_of_their_own_and_are_cut_and_framed() {
        let mut document = text(&[1, 1, 2]);
        document.extend(text(&[1, 2]));
        assert_eq!(document.words, [1, 1, 2, 4, 5].map(Some));
        let texts: Vec<Words> = document.cut(2).map(|text| text.framed(&[8], &[9])).collect();
        assert_eq!(texts.len(), 3);
        assert_eq!(texts[1].ids, [8, 2, 0, 9]);
        assert_eq!(texts[1].words, [None, Some(2), Some(4), None]);
        assert_eq!(texts[2], Words { ids: vec![8, 1, 9], words: vec![None, Some(5), None] });
    }
}
