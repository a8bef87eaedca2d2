//! `rootstock data clean`: a data set without the records that filters take out, and how many each took.
use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::proto::training::v1::{CleanDatasetRequest, CleanDatasetResponse, Cleaning};
use serde::Serialize;

use crate::table::Tabular;
use crate::{CliError, Context, names};

/// Arguments of `data clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// The data set
    #[arg(value_name = "DATASET")]
    dataset: String,
    /// What to call the result
    #[arg(long, value_name = "N")]
    name: String,
    /// Take out records that say the same as an earlier one
    #[arg(long)]
    exact_duplicates: bool,
    /// Take out records that are alike to an earlier one by this share, 0.7 to 1; 0.8 is usual
    #[arg(long, value_name = "SHARE", default_value_t, hide_default_value = true)]
    near_duplicates: f64,
    /// Fewest characters of a record
    #[arg(long, value_name = "N", default_value_t, hide_default_value = true)]
    min_characters: i32,
    /// Most characters of a record
    #[arg(long, value_name = "N", default_value_t, hide_default_value = true)]
    max_characters: i32,
    /// Largest share of control characters and of what stands for unreadable bytes
    #[arg(long, value_name = "SHARE")]
    max_foreign_share: Option<f64>,
    /// Smallest share of Han characters among the letters
    #[arg(long, value_name = "SHARE", default_value_t, hide_default_value = true)]
    min_han_share: f64,
    /// Smallest share of Latin letters among the letters
    #[arg(long, value_name = "SHARE", default_value_t, hide_default_value = true)]
    min_latin_share: f64,
    /// Largest share of runs of ten characters that stood in the record before
    #[arg(long, value_name = "SHARE")]
    max_repetition: Option<f64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Cleaned {
    name: String,
    digest: String,
    rows: i64,
    kept_rows: i64,
    unreadable: i64,
    length: i64,
    characters: i64,
    language: i64,
    repetition: i64,
    exact_duplicates: i64,
    near_duplicates: i64,
}

impl Tabular for Cleaned {
    const HEADER: &'static [&'static str] = &[
        "name",
        "digest",
        "rows",
        "kept",
        "unreadable",
        "length",
        "characters",
        "language",
        "repetition",
        "exact duplicates",
        "near duplicates",
    ];

    fn cells(&self) -> Vec<String> {
        let counts = [
            self.rows,
            self.kept_rows,
            self.unreadable,
            self.length,
            self.characters,
            self.language,
            self.repetition,
            self.exact_duplicates,
            self.near_duplicates,
        ];
        let counts = counts.iter().map(ToString::to_string);
        [self.name.clone(), self.digest.clone()].into_iter().chain(counts).collect()
    }
}

impl Cleaned {
    fn new(name: String, made: CleanDatasetResponse) -> Self {
        Self {
            name,
            digest: made.digest,
            rows: made.rows,
            kept_rows: made.kept_rows,
            unreadable: made.unreadable,
            length: made.length,
            characters: made.characters,
            language: made.language,
            repetition: made.repetition,
            exact_duplicates: made.exact_duplicates,
            near_duplicates: made.near_duplicates,
        }
    }
}

pub(crate) async fn run(args: CleanArgs, context: &Context) -> Result<(), CliError> {
    let output = names::alias(Kind::Dataset, &args.name)?;
    let cleaning = Cleaning {
        exact_duplicates: args.exact_duplicates,
        near_duplicates: args.near_duplicates,
        min_characters: args.min_characters,
        max_characters: args.max_characters,
        max_foreign_share: args.max_foreign_share,
        min_han_share: args.min_han_share,
        min_latin_share: args.min_latin_share,
        max_repetition: args.max_repetition,
    };
    let dataset = names::artifact(Kind::Dataset, &args.dataset)?;
    let request = CleanDatasetRequest { dataset, output: output.clone(), cleaning: Some(cleaning) };
    let made = context.clients().training().clean_dataset(request).await?;
    context.show(&Cleaned::new(output, made), args.json)
}
