//! How much of prompts a step takes beside those who decode: what it adds is a gap that each of them feels.

/// Tokens of prompts in a step, however few decode: reading the weights for them costs what it costs for one.
const LEAST: usize = 16;
/// Tokens of a prompt that count as waiting: a longer one is in no greater hurry.
const URGENT: usize = 128;
/// Steps over which what waits is spread: over twice as many, the last of 32 prompts at once had its first token after 1.9 s instead of
/// 1.6, for gaps of 105 ms instead of 145 meanwhile (both at the 99th percentile).
const STEPS: usize = 4;

/// Tokens of prompts in a step of `budget` tokens, beside so many that decode, where prompts of these lengths wait. As many as decode;
/// more where many requests wait for their first token, and so for each other: one alone is in no hurry. Not beside loads of adapters in
/// a row: each of these takes a thread from a step, and the longest steps would be longer still.
pub(super) fn prompt_tokens(
    decode: usize,
    budget: usize,
    waiting: impl Iterator<Item = usize>,
    beside_loads: bool,
) -> usize {
    if decode == 0 {
        return budget;
    }
    let urgent: usize = waiting.skip(1).map(|tokens| tokens.min(URGENT)).sum();
    let hurried = if beside_loads { 0 } else { urgent / STEPS };
    hurried.max(decode).min(budget.saturating_sub(decode)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: usize = 256;

    fn tokens(decode: usize, waiting: &[usize]) -> usize {
        prompt_tokens(decode, BUDGET, waiting.iter().copied(), false)
    }

    #[test]
    fn a_long_prompt_alone_gets_no_more_than_those_who_decode() {
        assert_eq!(tokens(0, &[1000]), BUDGET);
        assert_eq!(tokens(1, &[1000]), LEAST);
        assert_eq!(tokens(30, &[1000]), 30);
    }

    #[test]
    fn a_step_that_is_full_of_those_who_decode_still_gets_on_with_prompts() {
        assert_eq!(tokens(300, &[1000]), LEAST);
        assert_eq!(prompt_tokens(16, 16, std::iter::once(1000), false), LEAST);
    }

    #[test]
    fn many_that_wait_get_more() {
        assert_eq!(tokens(16, &[128; 16]), BUDGET - 16);
        assert_eq!(tokens(16, &[32; 9]), 64);
    }

    #[test]
    fn beside_loads_many_that_wait_get_no_more_than_those_who_decode() {
        let beside_loads = |decode| prompt_tokens(decode, BUDGET, [128; 9].into_iter(), true);
        assert_eq!((beside_loads(0), beside_loads(7), beside_loads(30)), (BUDGET, LEAST, 30));
    }
}
