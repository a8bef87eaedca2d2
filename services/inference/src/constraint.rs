//! What a text is held to: a JSON schema, a regular expression or one of some texts, as a mask over a model's tokens.
//!
//! A constraint is compiled before its request is queued ([`compile`]), against the model's [`vocabulary`], which is made once. What
//! comes of it is the state of one text ([`Matcher`]): it goes with its sequence, and so outlives preemption and switched adapters.
//! `llguidance` does the work (Earley parsing over derivatives of regular expressions); its bounds, and ours where it has none, are
//! in [`limits`].

mod compile;
mod limits;
mod matcher;
mod schema;
mod vocabulary;

pub(crate) use compile::Compiler;
pub(crate) use matcher::{Matcher, Unmatched};
pub(crate) use vocabulary::Vocabulary;

/// What a text must be from its first to its last character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Constraint {
    /// JSON that a JSON Schema allows.
    Json(String),
    /// What a regular expression matches.
    Regex(String),
    /// One of these.
    Choice(Vec<String>),
}

impl Constraint {
    /// The field it came in.
    fn field(&self) -> &'static str {
        match self {
            Self::Json(_) => "sampling.constraint.json",
            Self::Regex(_) => "sampling.constraint.regex",
            Self::Choice(_) => "sampling.constraint.choice",
        }
    }
}

#[cfg(test)]
mod tests;
