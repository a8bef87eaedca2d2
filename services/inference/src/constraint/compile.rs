//! Compiles constraints: off the async runtime and the engine's threads, a few at once, and for no longer than a request waits.

use std::sync::Arc;

use llguidance::{TokenParser, api::TopLevelGrammar};
use rootstock_runtime::Tasks;
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Constraint, Matcher, Unmatched, Vocabulary,
    limits::{COMPILING, PATIENCE},
    schema,
};
use crate::{error::Error, models::Model};

/// Compiles constraints; clones share the turns.
#[derive(Clone, Debug)]
pub(crate) struct Compiler {
    tasks: Tasks,
    turns: Arc<Semaphore>,
}

impl Compiler {
    pub(crate) fn new(tasks: Tasks) -> Self {
        Self { tasks, turns: Arc::new(Semaphore::new(COMPILING)) }
    }

    /// The state of a text of the model before its first token.
    pub(crate) async fn compile(&self, constraint: Constraint, model: Arc<Model>) -> Result<Matcher, Error> {
        let field = constraint.field();
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let busy = || Error::Overloaded("too many constraints are being compiled; retry later".into());
        let turn = turn.ok().and_then(Result::ok).ok_or_else(busy)?;
        // Made once for a model, and so no part of what the constraint takes.
        let first = Arc::clone(&model);
        let made = self.tasks.spawn_blocking("inference-vocabulary", move || first.vocabulary().map(drop));
        made.await??;
        let compiled = self.tasks.spawn_blocking("inference-constraint", move || {
            // Kept to the end of the work, which goes on when nobody waits for it any more.
            let _turn = turn;
            Ok(constraint.compile(model.vocabulary()?)?)
        });
        let too_long =
            |_| Error::invalid(field, format!("takes longer than {} s to compile", PATIENCE.as_secs()));
        timeout(PATIENCE, compiled).await.map_err(too_long)??
    }
}

impl Constraint {
    /// Blocks.
    pub(super) fn compile(&self, vocabulary: &Vocabulary) -> Result<Matcher, Unmatched> {
        Matcher::new(self.parser(vocabulary), self.field())
    }

    fn parser(&self, vocabulary: &Vocabulary) -> Result<TokenParser, Unmatched> {
        let unmatched = |said| Unmatched::new(self.field(), said);
        let grammar = self.grammar().map_err(unmatched)?;
        vocabulary.factory.create_parser(grammar).map_err(|error| unmatched(error.to_string()))
    }

    fn grammar(&self) -> Result<TopLevelGrammar, String> {
        Ok(match self {
            Self::Json(text) => TopLevelGrammar::from_json_schema(schema::parse(text)?),
            Self::Regex(regex) if ends_in_escape(regex) => {
                return Err("it ends in a backslash that escapes nothing".to_owned());
            }
            Self::Regex(regex) => TopLevelGrammar::from_regex(regex),
            Self::Choice(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
                TopLevelGrammar::from_regex(&format!("(?:{})", texts.join("|")))
            }
        })
    }
}

/// The regular expression of one text: the regex crate's special characters are escaped.
fn literal(text: &str) -> String {
    const SPECIAL: &str = r"\.+*?()|[]{}^$#&-~";
    text.chars().fold(String::new(), |mut regex, c| {
        regex.extend(SPECIAL.contains(c).then_some('\\'));
        regex.push(c);
        regex
    })
}

/// The library would drop such a backslash.
fn ends_in_escape(regex: &str) -> bool {
    let backslashes = regex.len() - regex.trim_end_matches('\\').len();
    backslashes % 2 == 1
}
