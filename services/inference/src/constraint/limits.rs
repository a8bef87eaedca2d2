//! The bounds of work that constraints may take.

use std::time::Duration;

use llguidance::api::ParserLimits;

/// Constraints compiled at once; they burn a core each.
pub(super) const COMPILING: usize = 2;
/// How long a request waits for its turn, and then for its constraint. What the other bounds allow takes about as long at the worst.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of all regular expressions in a schema: the work grows with their square.
pub(super) const MAX_PATTERN_BYTES: usize = 2048;
/// Characters of white space between two parts of JSON: else a text may consist of nothing else.
pub(super) const MAX_WHITE_SPACE: usize = 64;
/// Bytes of a token; longer ones, which the library has no room for, are never chosen.
pub(super) const MAX_TOKEN_BYTES: usize = 1000;
/// Bytes of what the library says about a constraint that it refuses.
pub(super) const MAX_MESSAGE_BYTES: usize = 300;

/// Nodes of the expressions that a constraint begins with.
const INITIAL_FUEL: u64 = 100_000;
/// Nodes of expressions made for one token; some milliseconds, for which everybody in the step waits.
const STEP_FUEL: u64 = 20_000;
/// Earley items made for one token.
const STEP_ITEMS: usize = 20_000;
/// Earley items between two bytes: how ambiguous a grammar may be.
const ROW_ITEMS: usize = 2000;
/// States that one text may come to; up to 2 KiB each.
const STATES: usize = 10_000;
/// Symbols of a grammar.
const SYMBOLS: usize = 20_000;

/// The library's bounds.
pub(super) fn parser_limits() -> ParserLimits {
    ParserLimits {
        max_items_in_row: ROW_ITEMS,
        initial_lexer_fuel: INITIAL_FUEL,
        step_lexer_fuel: STEP_FUEL,
        step_max_items: STEP_ITEMS,
        max_lexer_states: STATES,
        max_grammar_size: SYMBOLS,
        // It would walk all tokens for each large expression, outside of any bound.
        precompute_large_lexemes: false,
        // Its errors would tell the state of the parser and the whole grammar.
        verbose_errors: false,
    }
}
