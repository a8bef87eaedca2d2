//! Zeros and empty lists that would say nothing: the contract takes them for what is not set, so the default would step in unseen.
use rootstock_client::proto::training::v1::TrainingSpec;
use serde_yaml_ng::Value;

use super::keys::KEYS;
use super::others::ALIASES;

/// Refuses a zero or an empty list that makes the same specification as leaving it out, unless zero or none is the default.
pub(super) fn refuse(
    file: &Value,
    spec: &TrainingSpec,
    parsed: impl Fn(&str) -> Option<TrainingSpec>,
) -> Result<(), String> {
    for place in places(file) {
        let default = place.known_default();
        let (what, is_default) = match place.of(file) {
            Some(Value::Number(number)) if number.as_f64() == Some(0.0) => ("0", default == Some("0")),
            Some(Value::Sequence(entries)) if entries.is_empty() => ("empty", default == Some("-")),
            _ => continue,
        };
        // As a text again: a name such as 2024 is none as a value.
        let without = serde_yaml_ng::to_string(&place.left_out(file)).map_err(|error| error.to_string())?;
        if is_default || parsed(&without).as_ref() != Some(spec) {
            continue;
        }
        let key = place.shown();
        return Err(match default {
            Some("required") => format!("{key} is {what}; write more"),
            Some("-") | None => format!("{key} is {what}; write more, or leave it out"),
            Some(default) => {
                format!("{key} is {what}; write more, or leave it out for its default: {default}")
            }
        });
    }
    Ok(())
}

/// A key of a mapping, or the place of an entry in a list.
#[derive(Clone)]
enum Step {
    Key(String),
    Entry(usize),
}

/// Where a value stands in a file.
#[derive(Clone, Default)]
struct Place(Vec<Step>);

/// Where all values stand that are written under a key.
fn places(file: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    let mut within = vec![(Place::default(), file)];
    while let Some((place, value)) = within.pop() {
        let steps: Vec<(Step, &Value)> = match value {
            Value::Mapping(mapping) => mapping
                .iter()
                .filter_map(|(key, value)| Some((Step::Key(key.as_str()?.to_owned()), value)))
                .collect(),
            Value::Sequence(entries) => {
                entries.iter().enumerate().map(|(i, value)| (Step::Entry(i), value)).collect()
            }
            _ => Vec::new(),
        };
        for (step, value) in steps.into_iter().rev() {
            let mut below = place.clone();
            below.0.push(step);
            within.push((below, value));
        }
        if matches!(place.0.last(), Some(Step::Key(_))) {
            found.push(place);
        }
    }
    found
}

impl Place {
    fn of<'a>(&self, file: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(file, |value, step| match step {
            Step::Key(key) => value.get(key.as_str()),
            Step::Entry(entry) => value.get(*entry),
        })
    }

    /// The file without it.
    fn left_out(&self, file: &Value) -> Value {
        let mut file = file.clone();
        if let Some((Step::Key(last), above)) = self.0.split_last() {
            let within = above.iter().try_fold(&mut file, |value, step| match step {
                Step::Key(key) => value.get_mut(key.as_str()),
                Step::Entry(entry) => value.get_mut(*entry),
            });
            if let Some(mapping) = within.and_then(Value::as_mapping_mut) {
                mapping.remove(last.as_str());
            }
        }
        file
    }

    /// As an error names it: `stages[1].max_steps`.
    fn shown(&self) -> String {
        let mut shown = String::new();
        for step in &self.0 {
            match step {
                Step::Key(key) if shown.is_empty() => shown.push_str(key),
                Step::Key(key) => shown.extend([".", key]),
                Step::Entry(entry) => shown.push_str(&format!("[{entry}]")),
            }
        }
        shown
    }

    /// Its default, as `--keys` prints it; None for a name that only other trainers have.
    fn known_default(&self) -> Option<&'static str> {
        let keys = self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Entry(_) => None,
        });
        let path = keys.collect::<Vec<_>>().join(".");
        let name = match path.as_str() {
            "additional_target" => "modules_to_save",
            "lora_target" => "target_modules",
            // A stage's mix has the keys of the job's.
            path if path.starts_with("stages.mix.") => path.trim_start_matches("stages."),
            path => ALIASES.iter().find(|(alias, _)| *alias == path).map_or(path, |(_, name)| name),
        };
        KEYS.iter().find(|key| key.key == name).map(|key| key.default)
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::parse;

    const LORA: &str =
        "output: a\nbase_model: m\nobjective: supervised\nprompt_template: qa_en\nmethod: lora\n";

    fn refusal(rest: &str) -> String {
        parse(format!("{LORA}{rest}\n").as_bytes()).unwrap_err()
    }

    #[test]
    fn a_zero_that_would_be_the_default_is_refused_with_it() {
        assert_eq!(
            refusal("dataset: d\nlearning_rate: 0"),
            "learning_rate is 0; write more, or leave it out for its default: 5e-5"
        );
        for (key, default) in [
            ("num_train_epochs: 0.0", "3"),
            ("r: 0", "8"),
            ("lora_rank: 0", "8"),
            ("lora_alpha: 0", "8"),
            ("max_length: 0", "512"),
            ("logging_steps: 0", "10"),
            ("layerwise_lr_decay: 0", "1"),
            ("target_modules: []", "[q_proj, v_proj]"),
            ("stages: [{frozen_modules: []}]", "as the job's"),
            ("lora_target: []", "[q_proj, v_proj]"),
            ("stages: [{mix: {datasets: [{dataset: e}], temperature: 0}}]", "1"),
            ("layers_to_transform: []", "all"),
        ] {
            let refused = refusal(&format!("dataset: d\n{key}"));
            assert!(refused.ends_with(&format!("leave it out for its default: {default}")), "{refused}");
        }
        assert_eq!(refusal("dataset: d\ncutoff_len: 0"), "cutoff_len is 0; write more, or leave it out");
        assert!(refusal("dataset: 2024\nr: 0").starts_with("r is 0"), "a name of digits");
        let nested = refusal("mix: {datasets: [{dataset: d}, {dataset: e, weight: 0}]}");
        assert_eq!(nested, "mix.datasets[1].weight is 0; write more, or leave it out");
        let required = refusal("dataset: d\nreplay: {dataset: e, ratio: 0}");
        assert_eq!(required, "replay.ratio is 0; write more");
    }

    #[test]
    fn a_zero_that_says_something_is_taken() {
        for key in [
            "max_grad_norm: 0",
            "adam_beta1: 0",
            "seed: 0",
            "max_steps: 0",
            "weight_decay: 0",
            "exclude_modules: []",
            "additional_target: []",
            "layers_to_transform: [0]",
            "alpha_pattern: {q_proj: 0}",
            "stages: []",
            "stages: [{warmup_steps: 0}]",
            "retention: {dataset: e, min_ratio: 0}",
            "lr_scheduler_kwargs: {min_lr: 0, min_lr_ratio: 0}",
        ] {
            let spec = parse(format!("{LORA}dataset: d\n{key}\n").as_bytes());
            assert!(spec.is_ok(), "{key}: {}", spec.unwrap_err());
        }
    }
}
