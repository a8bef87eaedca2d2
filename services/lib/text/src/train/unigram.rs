//! Trains SentencePiece's Unigram: the pieces that make the text likeliest, `▁` standing for the space before a word.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::normalizers::NFKC;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{Result, Tokenizer};

use super::words::words;
use super::{TokenizerFiles, TrainError, TrainOptions, added, check, files, fits, frame};
use crate::tokenizer::guarded;

/// What stands for characters that are in no piece.
pub const UNIGRAM_UNKNOWN: &str = "<unk>";
/// How far apart the trainer sets the characters that it lost on the way (tokenizers, `UnigramTrainer::finalize`).
const LOST_STEP: f64 = 0.0001;
/// Longest piece of text that is looked at in one go, SentencePiece's bound: memory goes with it, and likelihoods must stay numbers.
const MAX_SENTENCE_BYTES: usize = 4192;

/// Trains a Unigram; `<unk>` must be among the special tokens, and `min_frequency` and `max_token_bytes` have no say. The same texts and
/// options give the same bytes: it runs on one thread, so that sums are added in one order.
/// Source: Kudo, 2018 (subword regularization), as tokenizers' `SentencePieceUnigramTokenizer` trains it.
///
/// # Errors
/// As [`super::train_byte_level_bpe`]; a vocabulary with no room for each character and one piece.
pub fn train_unigram<I, S>(
    texts: I,
    options: &TrainOptions,
) -> std::result::Result<TokenizerFiles, TrainError>
where
    I: Iterator<Item = S>,
    S: AsRef<str>,
{
    check(options, Some(UNIGRAM_UNKNOWN), options.special_tokens.len() + 2)?;
    let metaspace = Metaspace::new('▁', PrependScheme::Always, true);
    let counts = guarded("training", || {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for text in texts {
            for word in words(text.as_ref(), &NFKC, &metaspace)? {
                for sentence in word.split_inclusive('\n').flat_map(bounded) {
                    let count = counts.entry(sentence.to_owned()).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        Ok(counts)
    })?;
    let characters: BTreeSet<char> = counts.keys().flat_map(|word| word.chars()).collect();
    check(options, Some(UNIGRAM_UNKNOWN), options.special_tokens.len() + characters.len() + 1)?;
    let counts = counts.into_iter().collect();
    let model = guarded("training", || alone(|| learn(counts, options))?)?;
    fits(&model, options)?;
    let mut tokenizer = Tokenizer::new(model);
    guarded("building", || tokenizer.with_normalizer(Some(NFKC)).map(|_| ()))?;
    tokenizer.with_pre_tokenizer(Some(metaspace.clone()));
    tokenizer.with_decoder(Some(metaspace));
    tokenizer.with_post_processor(frame(options));
    files(tokenizer, Some(UNIGRAM_UNKNOWN), options)
}

/// A line in parts of at most [`MAX_SENTENCE_BYTES`], whole characters each.
fn bounded(mut line: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (part, rest) = line.split_at(line.floor_char_boundary(MAX_SENTENCE_BYTES));
        line = rest;
        Some(part).filter(|part| !part.is_empty())
    })
}

/// Runs on a single thread of the library's.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(1).build()?.install(work))
}

fn learn(counts: Vec<(String, u32)>, options: &TrainOptions) -> Result<Unigram> {
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(u32::try_from(options.vocab_size)?)
        .special_tokens(added(options))
        .unk_token(Some(UNIGRAM_UNKNOWN.to_owned()))
        .build()?;
    let mut model = Unigram::default();
    trainer.do_train(counts, &mut model)?;
    let special = options.special_tokens.len();
    let mut pieces: Vec<(String, f64)> = model.iter().skip(special).cloned().collect();
    pieces.retain(|(piece, _)| !options.special_tokens.contains(piece));
    settle(&mut pieces);
    let special = options.special_tokens.iter().map(|token| (token.clone(), 0.0));
    let unknown = options.special_tokens.iter().position(|token| token == UNIGRAM_UNKNOWN);
    Unigram::from(special.chain(pieces).collect(), unknown, false)
}

/// The trainer gives the characters that it lost scores from the lowest up, in the order of a hash set: here in the order of the
/// characters. Pieces of one score follow in the order of their text.
fn settle(pieces: &mut [(String, f64)]) {
    let mut characters: HashMap<u64, Vec<usize>> = HashMap::new();
    for (i, (piece, score)) in pieces.iter().enumerate() {
        if piece.chars().count() == 1 {
            characters.entry(score.to_bits()).or_default().push(i);
        }
    }
    let lowest = pieces.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    let (mut lost, mut penalty) = (Vec::new(), 0.0);
    while let Some(found) = characters.remove(&(lowest + penalty).to_bits()) {
        lost.extend(found);
        penalty += LOST_STEP;
    }
    let mut scores: Vec<f64> = lost.iter().map(|&i| pieces[i].1).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    lost.sort_by(|&a, &b| pieces[a].0.cmp(&pieces[b].0));
    for (i, score) in lost.into_iter().zip(scores) {
        pieces[i].1 = score;
    }
    pieces.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_looked_at_in_parts_of_whole_characters() {
        let line = "水".repeat(3000);
        let parts: Vec<&str> = bounded(&line).collect();
        assert_eq!(parts.concat(), line);
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| part.len() <= MAX_SENTENCE_BYTES));
        assert_eq!(bounded("").count(), 0);
    }
}
