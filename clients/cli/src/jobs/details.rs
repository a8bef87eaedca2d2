//! A training job with all that is known about it: how it was asked for, how far it has come, what came of it.
use rootstock_client::proto::training::v1::training_spec::{Method, Objective, Start};
use rootstock_client::proto::training::v1::{TrainingDataReady, TrainingJob, TrainingSpec};
use serde::Serialize;

use super::publication::Publication;
use super::row::Job;
use crate::figures::rounded_if_any;
use crate::table::{self, Tabular, or_dash, text_or_dash};

/// A job and what it was asked to do.
#[derive(Debug, Serialize)]
pub(super) struct Details {
    #[serde(flatten)]
    job: Job,
    spec: Asked,
    /// What was read of the data, once it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Rows>,
}

/// What became of the rows of a job.
#[derive(Debug, Serialize)]
struct Rows {
    train: i64,
    validation: i64,
    /// Left out of those to train on, because they are too long.
    dropped: i64,
    /// Of those to train on, cut to fit.
    truncated: i64,
}

/// What a job was asked to do; the learning rate is its peak.
#[derive(Debug, Default, Serialize)]
struct Asked {
    base_model: Option<String>,
    /// Instead of a base model: the adapter that is gone on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_adapter: Option<String>,
    /// Several are apart by commas.
    dataset: String,
    /// How many there are, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    stages: Option<usize>,
    objective: Option<String>,
    method: Option<String>,
    #[serde(serialize_with = "rounded_if_any")]
    learning_rate: Option<f64>,
}

impl From<TrainingJob> for Details {
    fn from(job: TrainingJob) -> Self {
        let spec = job.spec.clone().map(Asked::from).unwrap_or_default();
        let rows = job.data_ready.as_ref().map(Rows::from);
        Self { job: Job::from(job), spec, rows }
    }
}

impl From<&TrainingDataReady> for Rows {
    fn from(ready: &TrainingDataReady) -> Self {
        Self {
            train: ready.train_rows,
            validation: ready.validation_rows,
            dropped: ready.dropped_rows,
            truncated: ready.truncated_rows,
        }
    }
}

impl Rows {
    fn text(&self) -> String {
        let Self { train, validation, dropped, truncated } = self;
        format!("{train} to train on, {validation} to validate on, {dropped} left out, {truncated} cut")
    }
}

impl From<TrainingSpec> for Asked {
    fn from(spec: TrainingSpec) -> Self {
        let (base_model, base_adapter) = match spec.start {
            Some(Start::BaseModel(name)) => (Some(name), None),
            Some(Start::BaseAdapter(name)) => (None, Some(name)),
            Some(Start::NewModel(_) | Start::NewEncoder(_)) | None => (None, None),
        };
        let count = spec.stages.len();
        let stages = spec.stages.into_iter().map(|stage| (stage.dataset, stage.mix));
        let dataset = std::iter::once((spec.dataset, spec.mix)).chain(stages).flat_map(|(dataset, mix)| {
            let mixed = mix.into_iter().flat_map(|mix| mix.datasets).map(|mixed| mixed.dataset);
            [dataset].into_iter().filter(|name| !name.is_empty()).chain(mixed)
        });
        let dataset = dataset.collect::<Vec<_>>().join(", ");
        let rate = spec.arguments.map(|arguments| arguments.learning_rate);
        Self {
            base_model,
            base_adapter,
            dataset,
            stages: Some(count).filter(|count| *count > 0),
            objective: spec.objective.map(objective),
            method: spec.method.map(method),
            // 0 leaves it to the server.
            learning_rate: rate.filter(|rate| *rate > 0.0),
        }
    }
}

fn objective(objective: Objective) -> String {
    match objective {
        Objective::Causal(_) => "causal".to_owned(),
        Objective::Infilling(_) => "infilling".to_owned(),
        Objective::Masked(_) => "masked".to_owned(),
        Objective::Classification(_) => "classification".to_owned(),
        Objective::Supervised(supervised) => format!("supervised ({})", supervised.prompt_template),
    }
}

fn method(method: Method) -> String {
    match method {
        Method::Full(_) => "full".to_owned(),
        Method::Lora(lora) => {
            format!("lora (r {}, lora_alpha {})", or_default(lora.r), or_default(lora.lora_alpha))
        }
        Method::Bottleneck(bottleneck) => {
            format!("bottleneck (reduction_factor {})", or_default(bottleneck.reduction_factor))
        }
        Method::Prefix(prefix) => {
            format!("prefix (num_virtual_tokens {})", or_default(prefix.num_virtual_tokens))
        }
        Method::Prompt(prompt) => {
            format!("prompt (num_virtual_tokens {})", or_default(prompt.num_virtual_tokens))
        }
        Method::Fisher(fisher) if fisher.max_rows == 0 => "fisher (all rows)".to_owned(),
        Method::Fisher(fisher) => format!("fisher (max_rows {})", fisher.max_rows),
    }
}

/// A rank or scale; 0 leaves it to the server.
fn or_default<T: Default + PartialEq + ToString>(number: T) -> String {
    if number == T::default() { "default".to_owned() } else { number.to_string() }
}

impl Tabular for Details {
    const HEADER: &'static [&'static str] = &[
        "name",
        "state",
        "output",
        "base model",
        "dataset",
        "stages",
        "rows",
        "objective",
        "method",
        "learning rate",
        "step",
        "loss",
        "eval loss",
        "tokens/s",
        "attempts",
        "created",
        "started",
        "ended",
        "result",
        "publication",
        "error",
    ];

    fn cells(&self) -> Vec<String> {
        let Self { job, spec, rows } = self;
        let base = spec.base_model.clone().or(spec.base_adapter.clone()).unwrap_or_else(|| "new".to_owned());
        vec![
            job.name.clone(),
            job.state(),
            job.output.clone(),
            base,
            spec.dataset.clone(),
            or_dash(spec.stages),
            or_dash(rows.as_ref().map(Rows::text)),
            text_or_dash(spec.objective.as_deref().unwrap_or_default()),
            text_or_dash(spec.method.as_deref().unwrap_or_default()),
            or_dash(spec.learning_rate.map(|rate| format!("{rate:e}"))),
            job.steps(),
            job.loss(),
            job.eval_loss(),
            job.speed(),
            job.attempts.to_string(),
            table::time(job.create_time.as_deref()),
            table::time(job.start_time.as_deref()),
            table::time(job.end_time.as_deref()),
            text_or_dash(&job.result_digest),
            or_dash(job.publication.as_ref().map(Publication::told)),
            text_or_dash(&job.error),
        ]
    }
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::training::v1::{LoraMethod, SupervisedObjective, TrainingArguments};

    use super::*;

    #[test]
    fn a_job_shows_what_it_was_asked_to_do() {
        let spec = TrainingSpec {
            start: Some(Start::BaseModel("baseModels/tiny".into())),
            objective: Some(Objective::Supervised(SupervisedObjective {
                prompt_template: "qa_en".into(),
                ..SupervisedObjective::default()
            })),
            method: Some(Method::Lora(LoraMethod { r: 16, ..LoraMethod::default() })),
            arguments: Some(TrainingArguments { learning_rate: 2e-4, ..TrainingArguments::default() }),
            ..TrainingSpec::default()
        };
        let ready = TrainingDataReady { train_rows: 9, dropped_rows: 2, ..TrainingDataReady::default() };
        let job = TrainingJob {
            error: "x".repeat(90),
            spec: Some(spec),
            data_ready: Some(ready),
            ..TrainingJob::default()
        };
        let shown = table::fields(&Details::from(job));
        for told in [
            "baseModels/tiny",
            "9 to train on, 0 to validate on, 2 left out, 0 cut",
            "supervised (qa_en)",
            "r 16, lora_alpha default",
            "2e-4",
            &"x".repeat(90),
        ] {
            assert!(shown.contains(told), "{told} is not in\n{shown}");
        }
    }
}
