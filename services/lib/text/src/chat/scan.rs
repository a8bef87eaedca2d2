//! Looks over a template's tokens before it is parsed: the engine's parser and compiler go one call deeper for each
//! operator of a chain, and have no limit for that.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::{ChatTemplateError, described};

/// The most tokens in one `{{ }}` or `{% %}`, and the most `elif` in a template. Published templates stay below a
/// hundred.
pub const MAX_CHAIN: usize = 512;

/// Refuses a template with a block so long that it could be a chain without end.
pub(super) fn check(source: &str, syntax: SyntaxConfig) -> Result<(), ChatTemplateError> {
    let (mut in_block, mut elifs) = (0, 0);
    for token in tokenize(source, false, syntax) {
        let (token, span) = token.map_err(|error| ChatTemplateError::Syntax(described(&error)))?;
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => in_block = 0,
            Token::Ident("elif") => elifs += 1,
            _ => {}
        }
        in_block += 1;
        if in_block.max(elifs) > MAX_CHAIN {
            return Err(ChatTemplateError::TooComplex { line: span.start_line as usize });
        }
    }
    Ok(())
}
