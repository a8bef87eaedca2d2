//! What shall be looked at or cleaned, and what was found.

use std::collections::{BTreeMap, HashSet};

use rootstock_artifacts::{AliasName, ArtifactName, Kind};
use rootstock_proto::training::v1::{self as proto, DataProblem};
use rootstock_text::{AuditedRow, Cleaner, Cleaning, Finding, Removal, RowOf, Suspicion, length_histogram};

use super::numbers::Fields;
use crate::{
    error::Error,
    names,
    spec::Spec,
    worker::{
        audit::Audited,
        files::{BadRow, Origin, Unusable},
    },
};

const CLEANING: Fields = Fields { path: "cleaning" };

/// Examples of each problem when the request leaves it open.
const DEFAULT_EXAMPLES: usize = 3;
/// Most examples of each problem.
const MAX_EXAMPLES: usize = 10;
/// Characters shown of a text.
const SHOWN: usize = 1000;
/// Least likeness that near duplicates are found at: below, too many are missed.
const MIN_LIKENESS: f64 = 0.7;

/// A checked AuditDatasetRequest.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) spec: Spec,
    pub(crate) max_examples: usize,
}

impl TryFrom<proto::AuditDatasetRequest> for Audit {
    type Error = Error;

    fn try_from(request: proto::AuditDatasetRequest) -> Result<Self, Error> {
        let written = request.spec.ok_or_else(|| Error::invalid("spec", "is missing; say what to train"))?;
        let max_examples = match usize::try_from(request.max_examples) {
            Err(_) => return Err(Error::invalid("max_examples", "must not be negative")),
            Ok(0) => DEFAULT_EXAMPLES,
            Ok(examples) => examples.min(MAX_EXAMPLES),
        };
        Ok(Self { spec: Spec::try_from(&written)?, max_examples })
    }
}

/// A checked CleanDatasetRequest.
#[derive(Debug)]
pub(crate) struct Clean {
    pub(crate) dataset: ArtifactName,
    pub(crate) output: AliasName,
    pub(crate) cleaning: Cleaning,
}

impl TryFrom<proto::CleanDatasetRequest> for Clean {
    type Error = Error;

    fn try_from(request: proto::CleanDatasetRequest) -> Result<Self, Error> {
        let dataset = names::reference(&[Kind::Dataset], &request.dataset);
        let output = names::alias(Kind::Dataset, &request.output);
        let cleaning = cleaning(&request.cleaning.unwrap_or_default())?;
        if cleaning == Cleaning::default() {
            return Err(Error::invalid("cleaning", "takes nothing out; set what shall go"));
        }
        Ok(Self {
            dataset: dataset.ok_or_else(|| {
                Error::invalid("dataset", "must be datasets/{id}, a version of it, or a digest sha256:…")
            })?,
            output: output.ok_or_else(|| Error::invalid("output", "must be datasets/{id}"))?,
            cleaning,
        })
    }
}

fn cleaning(from: &proto::Cleaning) -> Result<Cleaning, Error> {
    let share = |field, value| CLEANING.number(field, value, 0.0..=1.0, "from 0 to 1");
    let least = |field, value| share(field, value).map(|value| Some(value).filter(|share| *share > 0.0));
    let most = |field, value: Option<f64>| value.map(|value| share(field, value)).transpose();
    let size = |field, value| CLEANING.size(field, value, 0, i32::MAX as usize);
    let likeness = MIN_LIKENESS..=1.0;
    let alike = match from.near_duplicates {
        0.0 => None,
        alike => Some(CLEANING.number("near_duplicates", alike, likeness, "0 or from 0.7 to 1")?),
    };
    Ok(Cleaning {
        exact_duplicates: from.exact_duplicates,
        near_duplicates: alike,
        min_characters: size("min_characters", from.min_characters)?,
        max_characters: Some(size("max_characters", from.max_characters)?).filter(|most| *most > 0),
        max_foreign_share: most("max_foreign_share", from.max_foreign_share)?,
        min_han_share: least("min_han_share", from.min_han_share)?,
        min_latin_share: least("min_latin_share", from.min_latin_share)?,
        max_repetition: most("max_repetition", from.max_repetition)?,
    })
}

/// What was taken out, as counts and as free text of the result.
pub(crate) fn cleaned(cleaner: &Cleaner, digest: String) -> proto::CleanDatasetResponse {
    let removed = |why| cleaner.removed(why) as i64;
    proto::CleanDatasetResponse {
        digest,
        rows: cleaner.read as i64,
        kept_rows: cleaner.kept() as i64,
        unreadable: removed(Removal::Unreadable),
        length: removed(Removal::Length),
        characters: removed(Removal::Characters),
        language: removed(Removal::Language),
        repetition: removed(Removal::Repetition),
        exact_duplicates: removed(Removal::ExactDuplicate),
        near_duplicates: removed(Removal::NearDuplicate),
    }
}

/// A data set that was read.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The field that names it.
    pub(crate) field: String,
    /// Its name there.
    pub(crate) name: String,
    /// How its rows become prompts; empty where they don't.
    pub(crate) template: &'static str,
    pub(crate) files: Vec<String>,
    pub(crate) audited: Audited,
}

/// Findings about the rows of one data set, and the data sets that they number others of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) findings: &'a [Finding],
    pub(crate) others: &'a [&'a Looked],
}

/// Writes what was found in one data set.
pub(crate) struct Report<'a> {
    pub(crate) looked: &'a Looked,
    /// The labels of the job's head, where it classifies.
    pub(crate) labels: Option<&'a [String]>,
    pub(crate) max_examples: usize,
}

/// Something found about a row, to be shown.
#[derive(Default)]
struct Found<'a> {
    origin: Origin,
    row: Option<&'a AuditedRow>,
    detail: &'a str,
    other: Option<(&'a Looked, Origin)>,
}

impl Report<'_> {
    pub(crate) fn write(&self, about: &[About<'_>]) -> proto::DatasetAudit {
        let Looked { name, template, audited, .. } = self.looked;
        let rows = &audited.rows;
        let kept = rows.iter().filter(|row| row.fate.trains()).count();
        let context_tokens = || rows.iter().map(|row| row.context_tokens);
        let has_contexts = context_tokens().any(|tokens| tokens > 0);
        proto::DatasetAudit {
            rows: audited.len() as i64,
            kept_rows: kept as i64,
            tokens: rows.iter().map(|row| (row.context_tokens + row.trained_tokens) as i64).sum(),
            loss_tokens: audited.loss_tokens as i64,
            findings: self.findings(about),
            prompt_lengths: buckets(context_tokens().filter(|_| has_contexts)),
            answer_lengths: buckets(rows.iter().map(|row| row.trained_tokens)),
            samples: (0..rows.len().min(self.max_examples))
                .map(|row| self.example(&self.found(row)))
                .collect(),
            dataset: name.clone(),
            prompt_template: (*template).to_owned(),
            labels: self.labels(),
        }
    }

    fn findings(&self, about: &[About<'_>]) -> Vec<proto::DataFinding> {
        let mut problems: BTreeMap<DataProblem, Vec<Found<'_>>> = BTreeMap::new();
        for bad in &self.looked.audited.bad {
            let found = Found { origin: bad.origin, detail: &bad.problem, ..Found::default() };
            problems.entry(problem_of(bad)).or_default().push(found);
        }
        let about =
            about.iter().flat_map(|about| about.findings.iter().map(move |finding| (finding, about.others)));
        for (finding, others) in about {
            let other = |other: RowOf| (others[other.set], others[other.set].audited.origins[other.row]);
            let found = Found { other: finding.other.map(other), ..self.found(finding.row) };
            problems.entry(suspected(finding.suspicion)).or_default().push(found);
        }
        let strangers: Vec<Found<'_>> = self.strangers().map(|row| self.found(row)).collect();
        if !strangers.is_empty() {
            problems.insert(DataProblem::UnknownLabel, strangers);
        }
        let finding = |(problem, found): (DataProblem, Vec<Found<'_>>)| proto::DataFinding {
            problem: problem.into(),
            rows: found.len() as i64,
            examples: found.iter().take(self.max_examples).map(|found| self.example(found)).collect(),
        };
        problems.into_iter().map(finding).collect()
    }

    /// Kept rows whose label is none of the head's.
    fn strangers(&self) -> impl Iterator<Item = usize> {
        let known: Option<HashSet<&str>> =
            self.labels.map(|labels| labels.iter().map(String::as_str).collect());
        let rows = self.looked.audited.rows.iter().enumerate();
        rows.filter_map(move |(number, row)| {
            let stranger = !known.as_ref()?.contains(row.trained.as_str());
            (row.fate.trains() && stranger).then_some(number)
        })
    }

    /// How many kept rows have each label, unknown ones last.
    fn labels(&self) -> Vec<proto::LabelRows> {
        let Some(labels) = self.labels else { return Vec::new() };
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for row in self.looked.audited.rows.iter().filter(|row| row.fate.trains()) {
            *counts.entry(&row.trained).or_default() += 1;
        }
        let known: Vec<(&str, i64)> = labels
            .iter()
            .map(|label| (label.as_str(), counts.remove(label.as_str()).unwrap_or_default()))
            .collect();
        let written = |(label, rows): (&str, i64)| proto::LabelRows { label: shown(label), rows };
        known.into_iter().chain(counts).map(written).collect()
    }

    fn found(&self, row: usize) -> Found<'_> {
        let Audited { rows, origins, .. } = &self.looked.audited;
        Found { origin: origins[row], row: Some(&rows[row]), ..Found::default() }
    }

    fn example(&self, found: &Found<'_>) -> proto::DataExample {
        let other = found.other.map(|(looked, origin)| {
            let apart = !std::ptr::eq(looked, self.looked);
            let dataset = if apart { looked.name.clone() } else { String::new() };
            (dataset, looked.files[origin.file].clone(), origin.row as i64)
        });
        let (other_dataset, other_file, other_row) = other.unwrap_or_default();
        proto::DataExample {
            file: self.looked.files[found.origin.file].clone(),
            row: found.origin.row as i64,
            prompt: found.row.map(|row| shown(&row.context)).unwrap_or_default(),
            trained: found.row.map(|row| shown(&row.trained)).unwrap_or_default(),
            detail: found.detail.to_owned(),
            other_file,
            other_row,
            other_dataset,
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

fn buckets(lengths: impl Iterator<Item = usize>) -> Vec<proto::LengthBucket> {
    let bucket = |(i, rows): (usize, u64)| proto::LengthBucket { below: 1 << i, rows: rows as i64 };
    length_histogram(lengths).into_iter().enumerate().map(bucket).collect()
}

fn problem_of(bad: &BadRow) -> DataProblem {
    match bad.why {
        Unusable::Malformed => DataProblem::Malformed,
        Unusable::NotUtf8 => DataProblem::InvalidUtf8,
        Unusable::Missing => DataProblem::MissingField,
        Unusable::Type => DataProblem::WrongType,
        Unusable::BlankPrompt => DataProblem::EmptyPrompt,
        Unusable::BlankAnswer => DataProblem::EmptyAnswer,
    }
}

fn suspected(suspicion: Suspicion) -> DataProblem {
    match suspicion {
        Suspicion::Truncated => DataProblem::Truncated,
        Suspicion::Dropped => DataProblem::Dropped,
        Suspicion::FullyMasked => DataProblem::FullyMasked,
        Suspicion::NoEos => DataProblem::NoEos,
        Suspicion::Duplicate => DataProblem::Duplicate,
        Suspicion::NearDuplicate => DataProblem::NearDuplicate,
        Suspicion::Contradiction => DataProblem::Contradiction,
        Suspicion::Overlap => DataProblem::Overlap,
        Suspicion::Short => DataProblem::Short,
        Suspicion::Long => DataProblem::Long,
    }
}
