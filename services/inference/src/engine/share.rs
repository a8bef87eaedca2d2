//! How much of prompts a step takes beside those who decode: what it adds is a gap that each of them feels.

use super::STEP_TOKENS;

/// Tokens of prompts in a step, however few decode: reading the weights for them costs what it costs for one.
const LEAST: usize = 16;
/// Tokens of a prompt that count as waiting: a long one alone is in no greater hurry.
const URGENT: usize = 128;
/// Steps over which what waits is spread.
const STEPS: usize = 8;

/// Tokens of prompts beside so many that decode, where prompts of these lengths wait. As many as decode, so that a step takes at most
/// about twice as long; more where many requests wait for their first token.
pub(super) fn prompt_tokens(decode: usize, waiting: impl Iterator<Item = usize>) -> usize {
    if decode == 0 {
        return STEP_TOKENS;
    }
    let urgent: usize = waiting.map(|tokens| tokens.min(URGENT)).sum();
    (urgent / STEPS).max(decode).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(decode: usize, waiting: &[usize]) -> usize {
        prompt_tokens(decode, waiting.iter().copied())
    }

    #[test]
    fn a_prompt_at_most_doubles_a_step() {
        assert_eq!(tokens(0, &[1000]), STEP_TOKENS);
        assert_eq!(tokens(1, &[1000]), LEAST);
        assert_eq!(tokens(30, &[1000]), 30);
    }

    #[test]
    fn many_that_wait_get_more() {
        assert_eq!(tokens(16, &[128; 16]), STEP_TOKENS);
        assert_eq!(tokens(16, &[32; 8]), 32);
    }
}
