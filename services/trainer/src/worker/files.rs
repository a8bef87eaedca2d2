//! The files of a data set, record by record: a bad one is the error, or is collected with the place where it stands.

use bytes::Bytes;
use rootstock_client::FetchedArtifact;
use rootstock_text::{
    DataFormat, DocumentFormat, FieldProblem, LabelledText, RecordFormat, Row, RowError, scan_documents,
    scan_labelled_texts, scan_rows,
};

use super::{
    fault::{Fault, of_job},
    inputs::read,
    stop::Stop,
};

/// The files of a data set by name.
pub(crate) type Contents = Vec<(String, Bytes)>;

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

/// How records are gone through: a bad one is the error, or is collected with the place where it stands; there may be only so many; and
/// once nobody waits for them no more are read.
#[derive(Debug)]
pub(super) struct Scan<'s> {
    stop: &'s Stop,
    bad: Option<Vec<BadRow>>,
    rows: usize,
    max_rows: usize,
}

impl<'s> Scan<'s> {
    /// A scan that ends at the first bad record.
    pub(super) fn strict(stop: &'s Stop) -> Self {
        Self { stop, bad: None, rows: 0, max_rows: usize::MAX }
    }

    /// A scan of at most so many rows, good and bad ones, that collects the bad ones.
    pub(super) fn tolerant(stop: &'s Stop, max_rows: usize) -> Self {
        Self { stop, bad: Some(Vec::new()), rows: 0, max_rows }
    }

    /// The bad records that were collected.
    pub(super) fn into_bad(self) -> Vec<BadRow> {
        self.bad.unwrap_or_default()
    }

    /// Counts what was found of a record, and gives it.
    pub(super) fn take<T>(
        &mut self,
        origin: Origin,
        found: Result<Vec<T>, RowError>,
    ) -> Result<Vec<T>, RowError> {
        self.rows += found.as_ref().map_or(1, Vec::len);
        if self.rows > self.max_rows || self.stop.check().is_err() {
            return Err(RowError::TooMany { limit: self.max_rows });
        }
        found.or_else(|error| self.tolerate(origin, error).map(|()| Vec::new()))
    }

    fn tolerate(&mut self, origin: Origin, error: RowError) -> Result<(), RowError> {
        match &mut self.bad {
            None => Err(error),
            Some(bad) => {
                bad.push(BadRow::new(origin, &error));
                Ok(())
            }
        }
    }

    /// A record that can be read but not used.
    pub(super) fn unusable(&mut self, origin: Origin, problem: String) -> Result<(), Fault> {
        match &mut self.bad {
            None => Err(Fault::Job(problem)),
            Some(bad) => {
                bad.push(BadRow { origin, why: Unusable::Malformed, problem });
                Ok(())
            }
        }
    }

    /// How the reading of a file ended.
    pub(super) fn end(
        &mut self,
        scanned: Result<(), RowError>,
        (field, name): (&str, &str),
        file: usize,
    ) -> Result<(), Fault> {
        self.stop.check()?;
        if self.rows > self.max_rows {
            let message = format!(
                "{field}: {name}: has more rows than the {} that may still be read here; name a part of it",
                self.max_rows
            );
            return Err(Fault::Job(message));
        }
        let tolerated = scanned.or_else(|error| self.tolerate(Origin { file, row: 0 }, error));
        tolerated.map_err(|error| of_job(format!("{field}: {name}"))(&error))
    }
}

/// Whether a file of a data set holds rows or text.
pub(crate) fn holds_data(name: &str) -> bool {
    DataFormat::from_name(name).is_some()
}

/// Reads the files with rows or text; blocks.
pub(super) fn files(field: &str, dataset: &FetchedArtifact) -> Result<Contents, Fault> {
    let names: Vec<&String> = dataset.files.keys().filter(|name| holds_data(name)).collect();
    if names.is_empty() {
        return Err(Fault::Job(format!("{field}: the data set has no {} file", DataFormat::endings())));
    }
    names.into_iter().map(|name| Ok((name.clone(), read(&dataset.files, name)?.into()))).collect()
}

/// All documents that are not blank.
pub(super) fn documents(
    field: &str,
    files: &Contents,
    scan: &mut Scan<'_>,
) -> Result<Vec<(Origin, String)>, Fault> {
    let mut documents = Vec::new();
    for (file, (name, bytes)) in files.iter().enumerate() {
        let scanned = scan_documents(bytes, DocumentFormat::from_name(name), &mut |row, document| {
            let origin = Origin { file, row };
            let document = document.map(|text| if text.trim().is_empty() { vec![] } else { vec![text] });
            documents.extend(scan.take(origin, document)?.into_iter().map(|document| (origin, document)));
            Ok(())
        });
        scan.end(scanned, (field, name), file)?;
    }
    Ok(documents)
}

/// All texts with labels.
pub(super) fn labelled_texts(
    field: &str,
    files: &Contents,
    scan: &mut Scan<'_>,
) -> Result<Vec<(Origin, LabelledText)>, Fault> {
    let mut texts = Vec::new();
    for (file, (name, bytes)) in files.iter().enumerate() {
        let scanned = scan_labelled_texts(bytes, format_of(name), &mut |row, found| {
            let origin = Origin { file, row };
            texts.extend(scan.take(origin, found)?.into_iter().map(|text| (origin, text)));
            Ok(())
        });
        scan.end(scanned, (field, name), file)?;
    }
    Ok(texts)
}

/// All rows of instructions and of conversations, file by file.
pub(super) fn instructions(
    (field, name): (&str, &str),
    (file, bytes): (usize, &[u8]),
    paraphrases: &[String],
    scan: &mut Scan<'_>,
) -> Result<Vec<(Origin, Row)>, Fault> {
    let mut rows = Vec::new();
    let scanned = scan_rows(bytes, format_of(name), paraphrases, &mut |row, found| {
        let origin = Origin { file, row };
        rows.extend(scan.take(origin, found)?.into_iter().map(|row| (origin, row)));
        Ok(())
    });
    scan.end(scanned, (field, name), file)?;
    Ok(rows)
}

/// A text among rows holds none, which is told of its first line.
fn format_of(name: &str) -> RecordFormat {
    RecordFormat::from_name(name).unwrap_or(RecordFormat::Json)
}
