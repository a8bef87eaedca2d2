//! Names of parts of a model, as jobs write them: ends of paths, or regular expressions for whole paths.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use rootstock_model::Config;

use crate::{error::Error, spec::Full};

/// What an expression begins with.
const EXPRESSION: &str = "re:";
/// Longest entry, in bytes.
const MAX_BYTES: usize = 512;
/// Memory a compiled expression may take, in bytes.
const MAX_MEMORY: usize = 1 << 18;

/// A list of names and expressions.
pub(crate) struct Modules(Vec<Entry>);

enum Entry {
    Name(String),
    Whole(Regex),
}

impl Modules {
    /// Reads the entries.
    ///
    /// # Errors
    /// The first that can't be used, by its index, and why.
    pub(crate) fn parse(entries: &[String]) -> Result<Self, (usize, String)> {
        let read = |(index, entry): (usize, &String)| Entry::parse(entry).map_err(|problem| (index, problem));
        entries.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Those of some weights that the entries stand for; an entry without any is returned as an error, by its index.
    fn among<'a>(&self, weights: &[&'a str]) -> Result<BTreeSet<&'a str>, usize> {
        let mut chosen = BTreeSet::new();
        for (index, entry) in self.0.iter().enumerate() {
            let named: Vec<&str> = weights.iter().copied().filter(|weight| entry.holds(weight)).collect();
            if named.is_empty() {
                return Err(index);
            }
            chosen.extend(named);
        }
        Ok(chosen)
    }
}

impl Entry {
    fn parse(entry: &str) -> Result<Self, String> {
        if entry.is_empty() || entry.len() > MAX_BYTES {
            return Err(format!("must have between 1 and {MAX_BYTES} bytes"));
        }
        let Some(pattern) = entry.strip_prefix(EXPRESSION) else { return Ok(Self::Name(entry.to_owned())) };
        let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_MEMORY).build();
        // On its own first: "a)|(b" must not become valid by the parentheses put around it.
        let built = build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z")));
        built.map(Self::Whole).map_err(|error| format!("is no expression that can be used: {error}"))
    }

    /// Whether it stands for the weight, or for a module that the weight lies in.
    fn holds(&self, weight: &str) -> bool {
        let ends = weight.match_indices('.').map(|(end, _)| end).chain([weight.len()]);
        ends.map(|end| &weight[..end]).any(|path| self.is(path))
    }

    fn is(&self, path: &str) -> bool {
        match self {
            Self::Name(name) => {
                path.strip_suffix(name.as_str()).is_some_and(|head| head.is_empty() || head.ends_with('.'))
            }
            Self::Whole(expression) => expression.is_match(path),
        }
    }
}

impl Full {
    /// The names of the weights that are trained.
    ///
    /// # Errors
    /// When an entry stands for nothing in the model, or nothing is left to train.
    pub(crate) fn trained(&self, config: &Config) -> Result<BTreeSet<String>, Error> {
        let tensors = config.tensors();
        let all: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        let named = |field: &str, entries: &[String]| {
            let at = |index: usize| format!("spec.full.{field}[{index}]");
            let modules =
                Modules::parse(entries).map_err(|(index, problem)| Error::invalid(at(index), problem))?;
            modules.among(&all).map_err(|index| Error::invalid(at(index), nothing(config)))
        };
        let mut trained = named("trainable_modules", &self.trainable_modules)?;
        if self.trainable_modules.is_empty() {
            trained.extend(&all);
        }
        let frozen = named("frozen_modules", &self.frozen_modules)?;
        trained.retain(|name| !frozen.contains(name));
        if trained.is_empty() {
            return Err(Error::invalid("spec.full.frozen_modules", "leaves nothing to train; take some out"));
        }
        Ok(trained.into_iter().map(str::to_owned).collect())
    }
}

fn nothing(config: &Config) -> String {
    let head = if config.tie_word_embeddings { "; its head is its embedding, embed_tokens" } else { "" };
    format!("names nothing in the model, whose modules are model.layers.0.mlp.up_proj and so on{head}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let json = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 32,
            "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "tie_word_embeddings": true}"#;
        Config::from_json(json).unwrap()
    }

    fn trained(trainable: &[&str], frozen: &[&str]) -> Result<Vec<String>, Error> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let full = Full {
            trainable_modules: owned(trainable),
            frozen_modules: owned(frozen),
            unfreeze_every_steps: None,
        };
        full.trained(&config()).map(|names| names.into_iter().collect())
    }

    #[test]
    fn names_are_ends_of_paths_and_take_in_what_lies_below_them() {
        assert_eq!(trained(&[], &[]).unwrap().len(), config().tensors().len());
        assert_eq!(trained(&["embed_tokens"], &[]).unwrap(), ["model.embed_tokens.weight"]);
        assert_eq!(trained(&["layers.1"], &[]).unwrap().len(), 9);
        assert_eq!(trained(&["layers.1", "mlp"], &[]).unwrap().len(), 9 + 3);
        assert_eq!(trained(&["up_proj"], &["layers.0"]).unwrap(), ["model.layers.1.mlp.up_proj.weight"]);
        assert_eq!(trained(&["re:model\\.layers\\.[01]\\.mlp\\.(up|down)_proj"], &[]).unwrap().len(), 4);
        assert_eq!(trained(&[], &["embed_tokens"]).unwrap().len(), config().tensors().len() - 1);
    }

    #[test]
    fn what_stands_for_nothing_is_refused_by_its_place() {
        let refused = |found: Result<_, Error>| match found {
            Err(Error::Invalid { field, message }) => (field, message),
            other => panic!("{other:?}"),
        };
        let (field, message) = refused(trained(&["mlp", "lm_head"], &[]));
        assert_eq!(field, "spec.full.trainable_modules[1]");
        assert!(message.contains("embed_tokens"), "{message}");
        assert_eq!(refused(trained(&["proj"], &[])).0, "spec.full.trainable_modules[0]");
        assert_eq!(refused(trained(&["re:layers"], &[])).0, "spec.full.trainable_modules[0]");
        assert_eq!(refused(trained(&["mlp"], &["model"])).0, "spec.full.frozen_modules");
        assert!(Entry::parse("re:a)|(b").is_err() && Entry::parse("").is_err());
    }
}
