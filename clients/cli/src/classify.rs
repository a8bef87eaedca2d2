//! `rootstock classify`: the labels of texts, most likely first.
use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::{ClassifyRequest, ClassifyResponse, LabelProbability};
use serde::Serialize;
use serde_json::json;

use crate::encoded::Binding;
use crate::table::Tabular;
use crate::{CliError, Context, names, table};

/// Arguments of `classify`.
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// The classifier: its name or a digest
    #[arg(long, value_name = "M")]
    model: String,
    /// The texts
    #[arg(required = true)]
    texts: Vec<String>,
    /// Print one JSON object, with digests
    #[arg(long)]
    json: bool,
}

/// A label of a text.
#[derive(Debug, Serialize)]
struct Label {
    label: String,
    probability: f64,
}

impl Tabular for Label {
    const HEADER: &'static [&'static str] = &["LABEL", "PROBABILITY"];

    fn cells(&self) -> Vec<String> {
        vec![self.label.clone(), format!("{:.4}", self.probability)]
    }
}

pub(crate) async fn run(args: ClassifyArgs, context: &Context) -> Result<(), CliError> {
    let model = names::artifact(Kind::BaseModel, &args.model)?;
    let request = ClassifyRequest { model, texts: args.texts.clone() };
    let response = context.clients().encoders().classify(request).await?;
    if args.json {
        return context.json(&written(&args.texts, response));
    }
    let tables = args.texts.iter().zip(response.classifications).map(|(text, classified)| {
        let labels: Vec<Label> = classified.labels.into_iter().map(Label::from).collect();
        format!("{text}\n{}", table::list(&labels))
    });
    context.line(tables.collect::<Vec<_>>().join("\n\n"))
}

fn written(texts: &[String], response: ClassifyResponse) -> serde_json::Value {
    let texts = texts.iter().zip(response.classifications).map(|(text, classified)| {
        let labels: Vec<Label> = classified.labels.into_iter().map(Label::from).collect();
        json!({"text": text, "tokens": classified.tokens, "labels": labels})
    });
    json!({"texts": texts.collect::<Vec<_>>(), "binding": response.binding.map(Binding::from)})
}

impl From<LabelProbability> for Label {
    fn from(LabelProbability { label, probability }: LabelProbability) -> Self {
        Self { label, probability }
    }
}
