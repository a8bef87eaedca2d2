//! A model's tokens as constraints see them: the bytes of each, in a tree that is walked together with a grammar.

use std::{fmt, sync::Arc};

use llguidance::{
    ParserFactory,
    toktrie::{INVALID_TOKEN, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv},
};

use super::limits::{MAX_TOKEN_BYTES, parser_limits};
use crate::{error::Error, models::Model};

/// The tokens of one model, and what is shared by all constraints on its texts.
pub(crate) struct Vocabulary {
    pub(super) factory: ParserFactory,
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Vocabulary").finish_non_exhaustive()
    }
}

/// The tree without an encoder: which tokens spell a text is left to the model.
struct Tokens(TokTrie);

impl TokenizerEnv for Tokens {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        self.0.greedy_tokenize(text)
    }

    fn tokenize_is_canonical(&self) -> bool {
        false
    }
}

impl Vocabulary {
    /// Blocks for as long as it takes to sort all tokens.
    pub(crate) fn of(model: &Model) -> Result<Self, Error> {
        let without =
            || Error::invalid("sampling.constraint", "the base model has no tokenizer to apply it to");
        let tokenizer = model.tokenizer().ok_or_else(without)?;
        let rows = u32::try_from(model.vocab_size())
            .map_err(|error| Error::internal("too many tokens for constraints", error))?;
        // Bytes of no token stand for what is no text: special tokens, and what ends it.
        let is_text = |id| !tokenizer.is_special(id) && !model.is_eos(id);
        let bytes = |id| {
            Some(tokenizer.token_bytes(id)).filter(|bytes| is_text(id) && bytes.len() <= MAX_TOKEN_BYTES)
        };
        let words: Vec<Vec<u8>> = (0..rows).map(|id| bytes(id).unwrap_or_default().to_vec()).collect();
        let ends: Vec<u32> = model.eos().iter().copied().filter(|&id| id < rows).collect();
        let tree = TokTrie::from(&TokRxInfo::new(rows, INVALID_TOKEN), &words);
        let tree = if ends.is_empty() { tree } else { tree.with_eos_tokens(&ends) };
        let tokens: TokEnv = Arc::new(Tokens(tree));
        let mut factory = ParserFactory::new_simple(&tokens)
            .map_err(|error| Error::internal("no constraints on this model's tokens", error))?;
        factory.quiet();
        *factory.limits_mut() = parser_limits();
        Ok(Self { factory })
    }
}
