//! How far a text has come in its grammar: what may follow, and whether anything may.

use std::fmt::{self, Display};

use llguidance::{TokenParser, toktrie::SimpleVob};

use super::limits::MAX_MESSAGE_BYTES;

/// What the library says where no token may follow and the text isn't complete.
const NO_EXTENSION: &str = "NoExtensionBias";

/// A constraint can't be held to, or only with more work than is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unmatched {
    /// The field that it came in.
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl Unmatched {
    pub(super) fn new(field: &'static str, said: impl Display) -> Self {
        let gist = gist(&said.to_string());
        let message = if gist == NO_EXTENSION {
            "can't be held to: no text satisfies it".to_owned()
        } else {
            format!("can't be held to: {gist}")
        };
        Self { field, message }
    }
}

/// The state of one text. A clone goes its own way.
pub(crate) struct Matcher {
    inner: Box<llguidance::Matcher>,
    field: &'static str,
}

impl Clone for Matcher {
    fn clone(&self) -> Self {
        // A shallow clone would wait for the lock of the other, and share its bounds.
        Self { inner: Box::new(self.inner.deep_clone()), field: self.field }
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Matcher").field("field", &self.field).finish_non_exhaustive()
    }
}

impl Matcher {
    /// A text that has not begun; fails where none can.
    pub(super) fn new(
        parser: Result<TokenParser, Unmatched>,
        field: &'static str,
    ) -> Result<Self, Unmatched> {
        let inner = Box::new(llguidance::Matcher::new(Ok(parser?)));
        let mut matcher = Self { inner, field };
        matcher.allowed()?;
        Ok(matcher)
    }

    /// Rules out the tokens that may not follow, in logits [vocab].
    pub(crate) fn mask(&mut self, logits: &mut [f32]) -> Result<(), Unmatched> {
        self.allowed()?.iter_unset_entries(|id| {
            if let Some(logit) = logits.get_mut(id) {
                *logit = f32::NEG_INFINITY;
            }
        });
        Ok(())
    }

    /// Goes on by a token.
    pub(crate) fn note(&mut self, id: u32) -> Result<(), Unmatched> {
        self.inner.consume_token(id).map_err(|error| Unmatched::new(self.field, error))
    }

    /// Whether nothing may follow.
    pub(crate) fn is_complete(&self) -> bool {
        self.inner.is_stopped()
    }

    fn allowed(&mut self) -> Result<SimpleVob, Unmatched> {
        self.inner.compute_mask().map_err(|error| Unmatched::new(self.field, error))
    }
}

/// The cause in what the library says, which may quote a whole grammar around it.
fn gist(said: &str) -> String {
    let cause = said.rsplit_once("error: ").map_or(said, |(_, cause)| cause);
    let line = cause.lines().next().unwrap_or_default().trim();
    let end = line.floor_char_boundary(MAX_MESSAGE_BYTES);
    if end < line.len() { format!("{}…", &line[..end]) } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_the_library_says_the_cause_is_passed_on() {
        let regex = "at 1(8): invalid regex \"(a\" (in regex): regex parse error:\n    (a\n    ^\nerror: unclosed group\n   1 | x";
        assert_eq!(gist(regex), "unclosed group");
        assert_eq!(gist("Unimplemented keys: [\"not\"]\n<non-verbose/>"), "Unimplemented keys: [\"not\"]");
        assert_eq!(gist("panic: overflow\n<backtrace>\n0: main"), "panic: overflow");
        let long = gist(&"是".repeat(200));
        assert!(long.len() <= MAX_MESSAGE_BYTES + '…'.len_utf8() && long.ends_with('…'));
    }
}
