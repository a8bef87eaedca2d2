//! The files of a data set, record by record: a bad one is the error, or is collected with the place where it stands.

use rootstock_client::FetchedArtifact;
use rootstock_text::{
    DocumentFormat, FieldProblem, LabelledText, RecordFormat, RowError, scan_documents, scan_labelled_texts,
};

use super::{
    fault::{Fault, of_job},
    inputs::read,
};

/// The files of a data set by name.
pub(crate) type Contents = Vec<(String, Vec<u8>)>;

/// Where a row stands: the number of its file from 0, and that of the record in it from 1; 0 is the whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) file: usize,
    pub(crate) row: usize,
}

/// A record that can't be used, and why.
#[derive(Debug)]
pub(crate) struct BadRow {
    pub(crate) origin: Origin,
    pub(crate) why: Unusable,
    pub(crate) problem: String,
}

/// Kinds of reasons why a record can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    Malformed,
    NotUtf8,
    Missing,
    Type,
    BlankPrompt,
    BlankAnswer,
}

impl BadRow {
    pub(super) fn unusable(origin: Origin, problem: String) -> Self {
        Self { origin, why: Unusable::Malformed, problem }
    }

    fn new(origin: Origin, error: &RowError) -> Self {
        let why = match error {
            RowError::NotUtf8 { .. } => Unusable::NotUtf8,
            RowError::Field { problem: FieldProblem::Missing(_), .. } => Unusable::Missing,
            RowError::Field { problem: FieldProblem::Type(_), .. } => Unusable::Type,
            RowError::Field { problem: FieldProblem::Blank, field: "output" | "label", .. } => {
                Unusable::BlankAnswer
            }
            RowError::Field { problem: FieldProblem::Blank, .. } => Unusable::BlankPrompt,
            _ => Unusable::Malformed,
        };
        Self { origin, why, problem: error.to_string() }
    }
}

/// Collects what is wrong with a record where that is wanted; otherwise it is the error.
pub(super) fn tolerate(
    bad: Option<&mut Vec<BadRow>>,
    origin: Origin,
    error: RowError,
) -> Result<(), RowError> {
    match bad {
        None => Err(error),
        Some(bad) => {
            bad.push(BadRow::new(origin, &error));
            Ok(())
        }
    }
}

/// The ending of plain text.
const TEXT_ENDING: &str = ".txt";

/// Whether a file of a data set holds rows or text.
pub(crate) fn holds_data(name: &str) -> bool {
    RecordFormat::from_name(name).is_some() || name.ends_with(TEXT_ENDING)
}

pub(super) fn files(field: &str, dataset: &FetchedArtifact) -> Result<Contents, Fault> {
    let names: Vec<&String> = dataset.files.keys().filter(|name| holds_data(name)).collect();
    if names.is_empty() {
        let endings = RecordFormat::ENDINGS.map(|ending| format!("*{ending}")).join(", ");
        return Err(Fault::Job(format!("{field}: the data set has no {endings} or *{TEXT_ENDING} file")));
    }
    names.into_iter().map(|name| Ok((name.clone(), read(&dataset.files, name)?))).collect()
}

/// All documents that are not blank; the first that can't be read is an error, unless bad ones are collected.
pub(super) fn documents(
    field: &str,
    files: &Contents,
    mut bad: Option<&mut Vec<BadRow>>,
) -> Result<Vec<(Origin, String)>, Fault> {
    let mut documents = Vec::new();
    for (file, (name, bytes)) in files.iter().enumerate() {
        let scanned = scan_documents(bytes, DocumentFormat::from_name(name), &mut |row, document| {
            let origin = Origin { file, row };
            match document {
                Ok(document) if document.trim().is_empty() => {}
                Ok(document) => documents.push((origin, document)),
                Err(error) => tolerate(bad.as_deref_mut(), origin, error)?,
            }
            Ok(())
        });
        end(scanned, (field, name), file, bad.as_deref_mut())?;
    }
    Ok(documents)
}

/// All texts with labels, in the same way.
pub(super) fn labelled_texts(
    field: &str,
    files: &Contents,
    mut bad: Option<&mut Vec<BadRow>>,
) -> Result<Vec<(Origin, LabelledText)>, Fault> {
    let mut texts = Vec::new();
    for (file, (name, bytes)) in files.iter().enumerate() {
        let format = RecordFormat::from_name(name).unwrap_or(RecordFormat::Json);
        let scanned = scan_labelled_texts(bytes, format, &mut |row, found| {
            let origin = Origin { file, row };
            match found {
                Ok(found) => texts.extend(found.into_iter().map(|text| (origin, text))),
                Err(error) => tolerate(bad.as_deref_mut(), origin, error)?,
            }
            Ok(())
        });
        end(scanned, (field, name), file, bad.as_deref_mut())?;
    }
    Ok(texts)
}

/// How the reading of a file ended.
pub(super) fn end(
    scanned: Result<(), RowError>,
    (field, name): (&str, &str),
    file: usize,
    bad: Option<&mut Vec<BadRow>>,
) -> Result<(), Fault> {
    let failed = of_job(format!("{field}: {name}"));
    let tolerated = scanned.or_else(|error| tolerate(bad, Origin { file, row: 0 }, error));
    tolerated.map_err(|error| failed(&error))
}
