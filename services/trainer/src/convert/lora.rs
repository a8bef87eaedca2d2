//! LoraMethod: PEFT's settings within their ranges, and the configuration of the adapter that follows from them.

use std::collections::BTreeMap;

use rootstock_model::Projection;
use rootstock_peft::{Biases, InitLoraWeights, LoraConfig, SavedModule, TargetModules};
use rootstock_proto::training::v1 as proto;

use super::numbers::{Fields, or_default};
use crate::{error::Error, spec::Lora};

const LORA: Fields = Fields { path: "spec.lora" };
const MAX_RANK: usize = 1024;
const MAX_LORA_ALPHA: f64 = 1e6;
const ALPHAS: &str = "above 0 and at most 1e6";
/// Most entries of lists of modules and of patterns; a model has few modules, which may be named twice.
const MAX_ENTRIES: usize = 64;
/// Most entries of `layers_to_transform`.
const MAX_LAYERS: usize = 1024;
/// PEFT's defaults.
const RANK: usize = 8;
const ALPHA: f64 = 8.0;
const GAUSSIAN: &str = "gaussian";

pub(super) fn lora(from: &proto::LoraMethod) -> Result<Lora, Error> {
    let alpha = or_default(from.lora_alpha, ALPHA);
    Ok(Lora {
        r: LORA.size("r", from.r, RANK, MAX_RANK)?,
        lora_alpha: LORA.number("lora_alpha", alpha, f64::MIN_POSITIVE..=MAX_LORA_ALPHA, ALPHAS)?,
        lora_dropout: LORA.number("lora_dropout", from.lora_dropout, 0.0..1.0, "at least 0 and below 1")?,
        target_modules: target_modules(&from.target_modules)?,
        use_rslora: from.use_rslora,
        use_dora: from.use_dora,
        rank_pattern: patterns("rank_pattern", &from.rank_pattern, |key, rank| {
            LORA.required_size(key, *rank, MAX_RANK)
        })?,
        alpha_pattern: patterns("alpha_pattern", &from.alpha_pattern, |key, alpha| {
            LORA.number(key, *alpha, f64::MIN_POSITIVE..=MAX_LORA_ALPHA, ALPHAS)
        })?,
        exclude_modules: at_most("exclude_modules", &from.exclude_modules, MAX_ENTRIES)?.to_vec(),
        layers_to_transform: layers(&from.layers_to_transform)?,
        modules_to_save: modules_to_save(&from.modules_to_save)?,
        init_lora_weights: match from.init_lora_weights.as_str() {
            "" => InitLoraWeights::Kaiming,
            GAUSSIAN => InitLoraWeights::Gaussian,
            _ => {
                return Err(
                    LORA.invalid("init_lora_weights", "must be gaussian, or empty for PEFT's default")
                );
            }
        },
        bias: biases(&from.bias)?,
    })
}

fn biases(name: &str) -> Result<Biases, Error> {
    if name.is_empty() {
        return Ok(Biases::None);
    }
    Biases::from_name(name).ok_or_else(|| LORA.invalid("bias", "must be none, all or lora_only"))
}

/// PEFT's configuration of the adapter; `base_digest` stands where PEFT has the base model's name.
pub(crate) fn lora_config(lora: &Lora, base_digest: &str) -> LoraConfig {
    let some = |names: &[String]| (!names.is_empty()).then(|| TargetModules::from(names.to_vec()));
    LoraConfig {
        r: lora.r,
        lora_alpha: lora.lora_alpha,
        lora_dropout: lora.lora_dropout,
        target_modules: lora.target_modules.clone().into(),
        exclude_modules: some(&lora.exclude_modules),
        layers_to_transform: Some(lora.layers_to_transform.clone()).filter(|layers| !layers.is_empty()),
        rank_pattern: lora.rank_pattern.clone(),
        alpha_pattern: lora.alpha_pattern.clone(),
        use_rslora: lora.use_rslora,
        use_dora: lora.use_dora,
        modules_to_save: lora.modules_to_save.clone(),
        init_lora_weights: lora.init_lora_weights,
        bias: lora.bias,
        base_model_name_or_path: Some(base_digest.to_owned()),
        ..LoraConfig::default()
    }
}

fn at_most<'a, T>(field: &str, entries: &'a [T], most: usize) -> Result<&'a [T], Error> {
    if entries.len() <= most {
        return Ok(entries);
    }
    Err(LORA.invalid(field, format!("has {} entries, but must have at most {most}", entries.len())))
}

fn target_modules(names: &[String]) -> Result<Vec<String>, Error> {
    at_most("target_modules", names, MAX_ENTRIES)?;
    let projections = Projection::ALL.iter().map(|projection| projection.name());
    let known: Vec<&str> = projections.chain(SavedModule::ALL.map(SavedModule::name)).collect();
    if let Some((i, name)) = names.iter().enumerate().find(|(_, name)| !known.contains(&name.as_str())) {
        return Err(unknown(&format!("target_modules[{i}]"), name, &known));
    }
    let default = [Projection::Q.name(), Projection::V.name()];
    let chosen =
        |name: &&str| if names.is_empty() { default.contains(name) } else { names.iter().any(|n| n == name) };
    Ok(known.into_iter().filter(chosen).map(str::to_owned).collect())
}

fn modules_to_save(names: &[String]) -> Result<Vec<SavedModule>, Error> {
    at_most("modules_to_save", names, MAX_ENTRIES)?;
    let find = |(i, name): (usize, &String)| {
        let found = SavedModule::ALL.into_iter().find(|module| module.name() == name);
        let known = SavedModule::ALL.map(SavedModule::name);
        found.ok_or_else(|| unknown(&format!("modules_to_save[{i}]"), name, &known))
    };
    let mut modules = names.iter().enumerate().map(find).collect::<Result<Vec<_>, _>>()?;
    modules.sort_unstable();
    modules.dedup();
    Ok(modules)
}

fn unknown(field: &str, name: &str, known: &[&str]) -> Error {
    let shown: String = name.chars().take(32).collect();
    LORA.invalid(
        field,
        format!("\"{shown}\" is no module that can stand here; known are {}", known.join(" ")),
    )
}

fn layers(numbers: &[i32]) -> Result<Vec<usize>, Error> {
    const FIELD: &str = "layers_to_transform";
    let number =
        |number: &i32| usize::try_from(*number).map_err(|_| LORA.invalid(FIELD, "must not be negative"));
    at_most(FIELD, numbers, MAX_LAYERS)?.iter().map(number).collect()
}

/// The entries of a map by key.
fn patterns<T, C>(
    field: &str,
    entries: &BTreeMap<String, T>,
    check: impl Fn(&str, &T) -> Result<C, Error>,
) -> Result<Vec<(String, C)>, Error> {
    if entries.len() > MAX_ENTRIES {
        return Err(LORA.invalid(field, format!("has more than {MAX_ENTRIES} entries")));
    }
    let entry = |(key, value): (&String, &T)| Ok((key.clone(), check(&format!("{field}[{key:?}]"), value)?));
    entries.iter().map(entry).collect()
}
