//! Limits that more than one verb takes.
use crate::CliError;

/// `--max-tokens`; 0 would mean the server's default, which nobody means who writes 0.
pub(crate) fn max_tokens(number: i32) -> Result<i32, CliError> {
    match number {
        0 => Err(CliError::refused("--max-tokens 0 leaves no token to generate; give at least 1")),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_at_all_is_refused_by_the_name_of_the_flag() {
        assert!(max_tokens(0).unwrap_err().to_string().contains("--max-tokens 0"));
        assert_eq!(max_tokens(1).unwrap(), 1);
    }
}
