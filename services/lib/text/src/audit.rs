//! What is suspicious in data sets that can be read: rows that repeat or contradict others, stand in the validation set as well, lose a
//! part or all of what they teach, or are far longer or shorter than the others.

use std::collections::HashMap;

use crate::similar::NearDuplicates;

/// Rows that are alike to this much are near duplicates.
const NEAR: f64 = 0.8;
/// Fewest rows that say what lengths are usual.
const MIN_ROWS: usize = 8;
/// An outlier is at least this many times as long, or as short, as the median row.
const OUTLIER: f64 = 4.0;
/// Interquartile distances (of the lengths' logarithms) beyond the quartiles; 3 is Tukey's "far out".
const FENCE: i32 = 3;

/// A row as the job sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditedRow {
    /// What the answer is learned from; empty where the whole text is learned.
    pub context: String,
    /// What is learned.
    pub trained: String,
    /// Tokens of the context.
    pub context_tokens: usize,
    /// Tokens that are learned, before anything is cut.
    pub trained_tokens: usize,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is trained on whole.
    #[default]
    Kept,
    /// A part is cut off.
    Truncated {
        /// Whether its end goes, so that the answer doesn't end with EOS.
        loses_eos: bool,
    },
    /// It is left out because it is too long.
    Dropped,
    /// It is left out because all that would be learned is cut off.
    Masked,
}

impl Fate {
    /// Whether the row is trained on.
    pub fn trains(self) -> bool {
        matches!(self, Self::Kept | Self::Truncated { .. })
    }
}

/// What is suspicious about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suspicion {
    /// A part is cut off.
    Truncated,
    /// It is left out because it is too long.
    Dropped,
    /// It is left out because nothing of it would be learned.
    FullyMasked,
    /// Its answer doesn't end with EOS.
    NoEos,
    /// It says the same as an earlier row.
    Duplicate,
    /// It is alike to an earlier row.
    NearDuplicate,
    /// It asks the same as an earlier row, whose answer is another.
    Contradiction,
    /// It stands in the training data as well; only of rows to validate on.
    Overlap,
    /// It is far shorter than the others.
    Short,
    /// It is far longer than the others.
    Long,
}

/// A row of one of several data sets, both numbers from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowOf {
    /// Which data set.
    pub set: usize,
    /// Which row of it.
    pub row: usize,
}

/// A suspicion, the number of its row from 0, and the other row that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What is suspicious.
    pub suspicion: Suspicion,
    /// Which row.
    pub row: usize,
    /// Which other row.
    pub other: Option<RowOf>,
}

/// All that is suspicious in the rows of data sets that are trained on together, for each in the order of suspicions and rows. Rows are
/// compared with those of all data sets before them, lengths with those of their own. Once `ended`, what is found is not all.
pub fn audit(sets: &[&[AuditedRow]], ended: &dyn Fn() -> bool) -> Vec<Vec<Finding>> {
    let mut findings: Vec<Vec<Finding>> = sets.iter().map(|rows| fates(rows)).collect();
    repeated(sets, ended, &mut findings);
    for (rows, findings) in sets.iter().zip(&mut findings) {
        outliers(rows, findings);
        findings.sort_unstable();
    }
    findings
}

/// What the rows say that are trained on, and where each stands first.
#[derive(Debug)]
pub struct Trained<'r>(HashMap<(&'r str, &'r str), RowOf>);

impl<'r> Trained<'r> {
    /// Of these rows.
    pub fn new(rows: impl Iterator<Item = (RowOf, &'r AuditedRow)>) -> Self {
        let mut known = HashMap::new();
        for (place, row) in rows {
            known.entry(says(row)).or_insert(place);
        }
        Self(known)
    }

    /// Those of rows to validate on, each with its number, that are trained on as well.
    pub fn overlaps<'v>(&self, rows: impl Iterator<Item = (usize, &'v AuditedRow)>) -> Vec<Finding> {
        let overlap = |(row, audited)| {
            let other = Some(*self.0.get(&says(audited))?);
            Some(Finding { suspicion: Suspicion::Overlap, row, other })
        };
        rows.filter_map(overlap).collect()
    }
}

fn says(row: &AuditedRow) -> (&str, &str) {
    (row.context.trim(), row.trained.trim())
}

fn fates(rows: &[AuditedRow]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (row, audited) in rows.iter().enumerate() {
        let mut found = |suspicion| findings.push(Finding { suspicion, row, other: None });
        match audited.fate {
            Fate::Kept => {}
            Fate::Truncated { loses_eos } => {
                found(Suspicion::Truncated);
                if loses_eos {
                    found(Suspicion::NoEos);
                }
            }
            Fate::Dropped => found(Suspicion::Dropped),
            Fate::Masked => found(Suspicion::FullyMasked),
        }
    }
    findings
}

/// Rows that repeat earlier ones in full or nearly, or ask the same.
fn repeated(sets: &[&[AuditedRow]], ended: &dyn Fn() -> bool, findings: &mut [Vec<Finding>]) {
    let mut said: HashMap<(&str, &str), RowOf> = HashMap::new();
    let mut asked: HashMap<&str, RowOf> = HashMap::new();
    let mut near = NearDuplicates::new(NEAR);
    // The near duplicates count the rows that they are shown.
    let mut shown = Vec::new();
    let rows = sets.iter().enumerate().flat_map(|(set, rows)| {
        rows.iter().enumerate().map(move |(row, audited)| (RowOf { set, row }, audited))
    });
    for (place, audited) in rows.take_while(|_| !ended()) {
        let (context, trained) = says(audited);
        let findings = &mut findings[place.set];
        let mut found =
            |suspicion, other| findings.push(Finding { suspicion, row: place.row, other: Some(other) });
        if let Some(before) = said.get(&(context, trained)) {
            found(Suspicion::Duplicate, *before);
            continue;
        }
        said.insert((context, trained), place);
        if !context.is_empty() {
            match asked.get(context) {
                Some(before) => found(Suspicion::Contradiction, *before),
                None => drop(asked.insert(context, place)),
            }
        }
        shown.push(place);
        if let Some(before) = near.insert(&format!("{context}\n{trained}")) {
            found(Suspicion::NearDuplicate, shown[before]);
        }
    }
}

/// Rows whose length is far out: Tukey's fences on the logarithms of lengths.
fn outliers(rows: &[AuditedRow], findings: &mut Vec<Finding>) {
    let length = |row: &AuditedRow| row.trained_tokens.max(1) as f64;
    let mut lengths: Vec<f64> = rows.iter().map(length).collect();
    if lengths.len() < MIN_ROWS {
        return;
    }
    lengths.sort_unstable_by(f64::total_cmp);
    let quantile = |share: usize| lengths[(lengths.len() - 1) * share / 4];
    let (low, median, high) = (quantile(1), quantile(2), quantile(3));
    let spread = (high / low).powi(FENCE);
    for (row, audited) in rows.iter().enumerate() {
        let length = length(audited);
        let suspicion = if length > high * spread && length >= OUTLIER * median {
            Suspicion::Long
        } else if length < low / spread && length * OUTLIER <= median {
            Suspicion::Short
        } else {
            continue;
        };
        findings.push(Finding { suspicion, row, other: None });
    }
}

/// How many rows have how many tokens: bucket `i` counts lengths from 2^(i-1) to below 2^i, the first one 0.
pub fn length_histogram(lengths: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut buckets = Vec::new();
    for length in lengths {
        let bucket = (usize::BITS - length.leading_zeros()) as usize;
        if buckets.len() <= bucket {
            buckets.resize(bucket + 1, 0);
        }
        buckets[bucket] += 1;
    }
    buckets
}
