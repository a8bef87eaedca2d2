//! The words of a text, as a tokenizer sees them before its model does.

use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Result,
};

/// Normalizes a text and takes it apart.
pub(super) fn words(
    text: &str,
    normalizer: &impl Normalizer,
    splitter: &impl PreTokenizer,
) -> Result<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    normalizer.normalize(&mut normalized)?;
    let mut split = PreTokenizedString::from(normalized);
    splitter.pre_tokenize(&mut split)?;
    let splits = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(splits.into_iter().map(|(word, ..)| word.to_owned()).collect())
}
