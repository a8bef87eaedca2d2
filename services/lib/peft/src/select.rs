//! Which modules of a base model a configuration changes, and at which rank and scale: PEFT's `check_target_module_exists` and
//! `get_pattern_key`, with a refusal where PEFT would go on with less than was asked for.

use regex::Regex;
use rootstock_model::{Config, Projection};

use crate::{
    LoraConfig, Module, PeftError, SavedModule,
    config::unsupported,
    modules::not_adaptable,
    pattern::{before_number, ending, names_module},
    targets::{Chosen, Matcher},
};

const TARGETS: &str = "target_modules";
const EXCLUDED: &str = "exclude_modules";
const LAYERS: &str = "layers_to_transform";
const LAYERS_PATTERN: &str = "layers_pattern";
/// What stands before a layer's number where `layers_pattern` doesn't say: any name with a parent.
const ANY_LAYERS: &str = r"\A.*?\.[^.]*\.(?P<idx>\d+)\.";

/// A module that carries a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Where it is.
    pub module: Module,
    /// Rank of the pair.
    pub rank: usize,
    /// Multiplies its update.
    pub scale: f64,
}

impl LoraConfig {
    /// The modules that carry pairs in a base model, layer after layer in forward order and then both ends.
    ///
    /// # Errors
    /// When nothing is chosen, when a name chooses nothing, when a pattern also chooses a module that can't be adapted, or when a layer
    /// is named that the model hasn't.
    pub fn targets(&self, base: &Config) -> Result<Vec<Target>, PeftError> {
        let modules = self.chosen(base)?;
        if modules.is_empty() {
            return Err(idle("matches no linear module of the base model that is not excluded"));
        }
        if self.use_dora && modules.contains(&Module::Embedding) {
            let supported = "DoRA is served on linear modules; leave embed_tokens to LoRA";
            return Err(unsupported("use_dora", &true.into(), supported));
        }
        let ranks = by_pattern("rank_pattern", &self.rank_pattern, &modules, self.r)?;
        let alphas = by_pattern("alpha_pattern", &self.alpha_pattern, &modules, self.lora_alpha)?;
        let targets = modules.into_iter().zip(ranks).zip(alphas);
        Ok(targets
            .map(|((module, rank), alpha)| Target { module, rank, scale: self.scale_of(rank, alpha) })
            .collect())
    }

    /// Refuses patterns that match nothing that is adapted, and those of which two give one module different values: for those who write
    /// them anew, where entries have no order. PEFT lets both be.
    ///
    /// # Errors
    /// As [`LoraConfig::targets`], and when that is so.
    pub fn refuse_unclear_patterns(&self, base: &Config) -> Result<(), PeftError> {
        let targets = self.targets(base)?;
        let paths: Vec<String> = targets.into_iter().map(|target| target.module.path()).collect();
        clear("rank_pattern", &self.rank_pattern, &paths)?;
        clear("alpha_pattern", &self.alpha_pattern, &paths)
    }

    /// What multiplies B A: `alpha / r`, or `alpha / sqrt(r)` with rsLoRA.
    fn scale_of(&self, rank: usize, alpha: f64) -> f64 {
        let rank = rank as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }

    fn chosen(&self, base: &Config) -> Result<Vec<Module>, PeftError> {
        let targets = self.target_modules.matcher(TARGETS)?;
        let excluded =
            self.exclude_modules.as_ref().map(|excluded| excluded.matcher(EXCLUDED)).transpose()?;
        let left_out =
            |path: &str| excluded.as_ref().is_some_and(|excluded| excluded.chooses(path) != Chosen::No);
        refuse_unadaptable(&targets, base, left_out)?;
        let layers = self.layers(base)?;
        let saved: Vec<Module> = self.modules_to_save.iter().map(|saved| Module::from(*saved)).collect();
        let chosen = |module: &Module| {
            let path = module.path();
            let wanted = match targets.chooses(&path) {
                Chosen::No => false,
                Chosen::Yes => true,
                Chosen::ByEnding => layers.as_ref().is_none_or(|layers| layers.contain(&path)),
            };
            wanted && !left_out(&path) && !saved.contains(module)
        };
        Ok(Module::all(base).filter(chosen).collect())
    }

    fn layers(&self, base: &Config) -> Result<Option<Layers<'_>>, PeftError> {
        let Some(indexes) = self.layers_to_transform.as_deref().filter(|indexes| !indexes.is_empty()) else {
            return Ok(None);
        };
        if let Some(index) = indexes.iter().find(|index| **index >= base.num_hidden_layers) {
            let problem = format!("names layer {index}, but the base model has {}", base.num_hidden_layers);
            return Err(PeftError::field(LAYERS, problem));
        }
        let patterns = self.layers_pattern.iter().map(|pattern| before_number(LAYERS_PATTERN, pattern));
        let mut patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        if patterns.is_empty() {
            let any = Regex::new(ANY_LAYERS).map_err(|error| PeftError::field(LAYERS, error.to_string()))?;
            patterns.push(any);
        }
        Ok(Some(Layers { indexes, patterns }))
    }
}

/// The layers that `layers_to_transform` names.
struct Layers<'a> {
    indexes: &'a [usize],
    patterns: Vec<Regex>,
}

impl Layers<'_> {
    fn contain(&self, path: &str) -> bool {
        let found = self.patterns.iter().find_map(|pattern| pattern.captures(path));
        let number = found.and_then(|found| found.name("idx")?.as_str().parse().ok());
        number.is_some_and(|number: usize| self.indexes.contains(&number))
    }
}

/// The value of the first key that matches each module, or the default.
fn by_pattern<T: Copy>(
    field: &str,
    patterns: &[(String, T)],
    modules: &[Module],
    default: T,
) -> Result<Vec<T>, PeftError> {
    if patterns.is_empty() {
        return Ok(vec![default; modules.len()]);
    }
    let paths: Vec<String> = modules.iter().map(|module| module.path()).collect();
    let mut values = vec![None; modules.len()];
    for (key, value) in patterns {
        let key = ending(field, key)?;
        for (found, path) in values.iter_mut().zip(&paths) {
            if found.is_none() && key.is_match(path) {
                *found = Some(*value);
            }
        }
    }
    Ok(values.into_iter().map(|value| value.unwrap_or(default)).collect())
}

/// That each pattern says something, and no two of them different things of one module.
fn clear<T: Copy + PartialEq>(
    field: &str,
    patterns: &[(String, T)],
    paths: &[String],
) -> Result<(), PeftError> {
    let keys = patterns.iter().map(|(key, _)| ending(field, key)).collect::<Result<Vec<_>, _>>()?;
    for (key, (pattern, _)) in keys.iter().zip(patterns) {
        if !paths.iter().any(|path| key.is_match(path)) {
            let problem = format!("has {pattern:?}, which matches no module that is adapted; take it out");
            return Err(PeftError::field(field, problem));
        }
    }
    for path in paths {
        let mut matching = keys.iter().zip(patterns).filter(|(key, _)| key.is_match(path));
        let Some((_, (first, value))) = matching.next() else { continue };
        if let Some((_, (other, _))) = matching.find(|(_, (_, other))| other != value) {
            let problem = format!(
                "has {first:?} and {other:?}, which give {path} different values; make them exclude each other"
            );
            return Err(PeftError::field(field, problem));
        }
    }
    Ok(())
}

/// What was meant for another model: PEFT skips a name that chooses nothing, and would then train or serve less than was asked for; a
/// pattern that reaches other modules it refuses itself.
fn refuse_unadaptable(
    targets: &Matcher<'_>,
    base: &Config,
    left_out: impl Fn(&str) -> bool,
) -> Result<(), PeftError> {
    match targets {
        Matcher::AllLinear => Ok(()),
        Matcher::Names(names) => {
            let chooses = |name: &str| Module::all(base).any(|module| names_module(name, &module.path()));
            match names.iter().find(|name| !chooses(name)) {
                Some(name) => Err(idle(&format!("{name:?} matches no linear module of the base model"))),
                None => Ok(()),
            }
        }
        Matcher::Pattern(regex) => {
            match not_adaptable(base).find(|path| regex.is_match(path) && !left_out(path)) {
                Some(path) => Err(idle(&format!("also matches {path}, which can't be adapted"))),
                None => Ok(()),
            }
        }
    }
}

fn idle(problem: &str) -> PeftError {
    let projections = Projection::ALL.map(Projection::name).join(", ");
    let ends = SavedModule::ALL.map(SavedModule::name).join(", ");
    PeftError::field(TARGETS, format!("{problem}; adaptable are {projections}, {ends}"))
}

#[cfg(test)]
mod tests;
