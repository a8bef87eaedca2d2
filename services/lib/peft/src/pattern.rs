//! PEFT's two ways to name modules: by the end of their path, and by a regular expression.

use regex::{Regex, RegexBuilder};

use crate::PeftError;

/// Longest pattern accepted, in bytes.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// Memory a compiled pattern may take, in bytes.
const MAX_PATTERN_MEMORY: usize = 1 << 20;

/// PEFT's rule for an entry of a list: a path that is the name, or ends in `.name`.
pub(crate) fn names_module(name: &str, path: &str) -> bool {
    path.strip_suffix(name).is_some_and(|head| !name.is_empty() && (head.is_empty() || head.ends_with('.')))
}

/// A pattern that must match a whole path.
pub(crate) fn whole(field: &str, pattern: &str) -> Result<Regex, PeftError> {
    compile(field, pattern, &format!(r"\A(?:{pattern})\z"))
}

/// A pattern that must match the end of a path from one of its dots on: a key of `rank_pattern` (PEFT's `get_pattern_key`).
pub(crate) fn ending(field: &str, pattern: &str) -> Result<Regex, PeftError> {
    compile(field, pattern, &format!(r"\A(?:.*\.)?(?:{pattern})\z"))
}

/// A pattern for what stands before a layer's number, which is captured as `idx`: an entry of `layers_pattern`.
pub(crate) fn before_number(field: &str, pattern: &str) -> Result<Regex, PeftError> {
    // Not in a group of its own: PEFT pastes it in as it is.
    compile(field, pattern, &format!(r"\A(?:(?:^|.*?\.){pattern}\.(?P<idx>\d+)\.)"))
}

fn compile(field: &str, pattern: &str, pasted: &str) -> Result<Regex, PeftError> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(PeftError::field(field, format!("has a pattern of more than {MAX_PATTERN_BYTES} bytes")));
    }
    let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_PATTERN_MEMORY).build();
    // On its own first: "a)|(b" must not become valid by the parentheses put around it.
    build(pattern).and_then(|_| build(pasted)).map_err(|error| {
        PeftError::field(field, format!("has a pattern that can't be used; give plain names ({error})"))
    })
}
