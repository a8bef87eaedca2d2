//! Texts with labels: the labels of a data set by number, and the head that they ask for.

use std::collections::HashMap;

use rootstock_model::{AnyConfig, EncoderConfig, Task};
use rootstock_text::IGNORE_INDEX;

use super::{
    fault::Fault,
    rows::{Example, Rows},
};

/// Most labels of a job.
const MAX_LABELS: usize = 4096;

/// Texts whose labels are numbers of names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labelled {
    pub(super) rows: Vec<Example>,
    /// In order, whole numbers by their size.
    names: Vec<String>,
}

impl Labelled {
    /// Numbers the labels of texts.
    pub(super) fn new(texts: impl Iterator<Item = (Vec<u32>, String)>) -> Self {
        let texts: Vec<_> = texts.collect();
        let mut names: Vec<String> = texts.iter().map(|(_, label)| label.clone()).collect();
        in_order(&mut names);
        let numbers = numbers(&names);
        let row = |(input_ids, label): (Vec<u32>, String)| {
            let label = numbers.get(label.as_str()).copied().unwrap_or(IGNORE_INDEX);
            Example { input_ids, labels: vec![label] }
        };
        let rows = texts.into_iter().map(row).collect();
        Self { rows, names }
    }

    /// Each row's ids and the name of its label: the same names may have other numbers in other data sets.
    pub(super) fn said(&self) -> impl Iterator<Item = (&[u32], Option<&String>)> {
        let name = |label: &i64| usize::try_from(*label).ok().and_then(|number| self.names.get(number));
        self.rows.iter().map(move |row| (row.input_ids.as_slice(), row.labels.first().and_then(name)))
    }

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self { rows: rows.iter().map(|row| self.rows[*row].clone()).collect(), names: self.names.clone() }
    }

    /// The rows of both, numbered by the names of both.
    pub(super) fn joined(mut self, mut other: Self) -> Self {
        let mut names = [self.names.as_slice(), &other.names].concat();
        in_order(&mut names);
        for rows in [&mut self, &mut other] {
            // Every name is among them.
            let _ = rows.rename(&names);
        }
        self.rows.extend(other.rows);
        self
    }

    /// Numbers the labels as these names are; the first label that is none of them is the error.
    fn rename(&mut self, names: &[String]) -> Result<(), String> {
        let numbers = numbers(names);
        let number = |name: &String| numbers.get(name.as_str()).copied().ok_or_else(|| name.clone());
        let new: Vec<i64> = self.names.iter().map(number).collect::<Result<_, _>>()?;
        for label in self.rows.iter_mut().flat_map(|row| &mut row.labels) {
            *label = new[*label as usize];
        }
        self.names = names.to_vec();
        Ok(())
    }
}

/// Each name once, whole numbers by their size.
fn in_order(names: &mut Vec<String>) {
    names.sort_by_cached_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
    names.dedup();
}

/// The labels that a model knows, where it tells labels.
pub(crate) fn known(config: &AnyConfig) -> Option<&[String]> {
    match config {
        AnyConfig::Encoder(EncoderConfig { task: Task::Classification(names), .. }) => Some(names),
        AnyConfig::Encoder(_) | AnyConfig::Decoder(_) => None,
    }
}

/// The labels of a job's head: those that the model knows, where the rows to train on have no others; else theirs.
pub(crate) fn head(known: Option<&[String]>, mut trained: Vec<String>) -> Vec<String> {
    in_order(&mut trained);
    match known {
        Some(known) if trained.iter().all(|name| known.contains(name)) => known.to_vec(),
        _ => trained,
    }
}

/// Refuses a head of too few or too many labels; `data` is the field that names the rows to train on.
pub(crate) fn check_head(data: &str, count: usize) -> Result<(), String> {
    if (2..=MAX_LABELS).contains(&count) {
        return Ok(());
    }
    Err(format!("{data}: has {count} different labels, but must have 2 to {MAX_LABELS}"))
}

/// That a label to validate on is none that is trained on.
pub(crate) fn untrained(field: &str, label: &str, data: &str) -> String {
    format!("{field}: label {label:?} is in no row of {data}; take its rows out")
}

/// That a label of earlier rows is none of the model's.
pub(crate) fn unknown(field: &str, label: &str) -> String {
    format!(
        "{field}: label {label:?} is none of the model's, which has learnt nothing of it; take its rows out"
    )
}

fn numbers(names: &[String]) -> HashMap<&str, i64> {
    names.iter().map(String::as_str).zip(0..).collect()
}

/// The configuration with the head that the labels of the rows ask for, and the rows numbered for it; `data` is the field that names
/// those to train on. Rows of other kinds change nothing.
pub(super) fn with_labels(
    config: &AnyConfig,
    data: &'static str,
    (train, validation): (Vec<&mut Rows>, Vec<&mut Rows>),
) -> Result<AnyConfig, Fault> {
    let AnyConfig::Encoder(encoder) = config else { return Ok(config.clone()) };
    let (mut train, mut validation) = (labelled(train), labelled(validation));
    if train.is_empty() {
        return Ok(config.clone());
    }
    let names = head(known(config), train.iter().flat_map(|rows| rows.names.clone()).collect());
    check_head(data, names.len()).map_err(Fault::Job)?;
    let train = train.iter_mut().map(|rows| (data, rows));
    let validation = validation.iter_mut().map(|rows| ("spec.validation_dataset", rows));
    for (field, rows) in train.chain(validation) {
        rows.rename(&names).map_err(|name| Fault::Job(untrained(field, &name, data)))?;
    }
    Ok(AnyConfig::Encoder(EncoderConfig { task: Task::Classification(names), ..encoder.clone() }))
}

fn labelled(rows: Vec<&mut Rows>) -> Vec<&mut Labelled> {
    let labelled = rows.into_iter().filter_map(|rows| match rows {
        Rows::Labelled(labelled) => Some(labelled),
        _ => None,
    });
    labelled.collect()
}

/// Numbers the labels of earlier rows as the head of a configuration does. Rows of other kinds change nothing.
pub(super) fn relabel(field: &str, earlier: &mut Rows, config: &AnyConfig) -> Result<(), Fault> {
    let (Rows::Labelled(rows), Some(names)) = (earlier, known(config)) else { return Ok(()) };
    rows.rename(names).map_err(|name| Fault::Job(unknown(field, &name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(labels: &[&str]) -> Labelled {
        Labelled::new((1..).zip(labels).map(|(id, label)| (vec![id], (*label).to_owned())))
    }

    fn numbers(labelled: &Labelled) -> Vec<i64> {
        labelled.rows.iter().map(|row| row.labels[0]).collect()
    }

    #[test]
    fn labels_are_numbered_in_order_and_whole_numbers_by_their_size() {
        let rows = labelled(&["10", "9", "no", "10"]);
        assert_eq!(rows.names, ["9", "10", "no"]);
        assert_eq!(numbers(&rows), [1, 0, 2, 1]);
    }

    #[test]
    fn rows_say_the_same_whatever_number_their_label_has() {
        let (one, other) = (labelled(&["a", "b"]), labelled(&["c", "b", "a"]));
        assert_ne!(numbers(&one)[1], numbers(&other)[0]);
        assert_eq!(one.said().nth(1), other.said().nth(1));
        assert_ne!(one.said().next(), other.said().next(), "the text is the same, but not the label");
    }

    #[test]
    fn the_rows_of_two_data_sets_are_numbered_by_the_labels_of_both() {
        let rows = labelled(&["b", "d"]).joined(labelled(&["a", "d"]));
        assert_eq!(rows.names, ["a", "b", "d"]);
        assert_eq!(numbers(&rows), [1, 2, 0, 2]);
    }

    #[test]
    fn other_rows_are_numbered_alike_and_strangers_are_named() {
        let names = ["c", "b", "a"].map(str::to_owned);
        let mut rows = labelled(&["a", "b"]);
        rows.rename(&names).unwrap();
        assert_eq!(numbers(&rows), [2, 1]);
        assert_eq!(labelled(&["a", "d"]).rename(&names), Err("d".to_owned()));
    }
}
